/** The command line: chooses the command, prints help, and reports errors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CannotOpen } from '../store/store.ts';
import { deleteCommand } from './delete.ts';
import { derive } from './derive.ts';
import { ingest } from './ingest.ts';
import { keys } from './keys.ts';
import { migrate } from './migrate.ts';
import { Misuse } from './misuse.ts';
import { type CommandLine, type OptionName, optionsHelp, parseCommandLine } from './options.ts';
import { serve } from './serve.ts';
import { printable } from './terminal.ts';

export interface Command {
  usage: string;
  summary: string;
  options: readonly OptionName[];
  /** Returns the exit code. */
  run(commandLine: CommandLine): Promise<number>;
}

const COMMANDS: Record<string, Command> = { serve, keys, ingest, migrate, derive, delete: deleteCommand };

const help = (): string => `Usage: git-ai-sessions <command> [options]

Takes the uploads of git-ai clients, stores them in ClickHouse, and serves what they say of sessions.

Commands:
${Object.values(COMMANDS)
  .map(({ usage, summary }) => `  ${usage}\n      ${summary}`)
  .join('\n')}

git-ai-sessions <command> --help lists a command's options.`;

const version = (): string =>
  (JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as { version: string }).version;

async function run([name, ...args]: string[]): Promise<number> {
  if (name === '--help' || name === '-h' || name === 'help') {
    console.log(help());
    return 0;
  }
  if (name === '--version' || name === '-V') {
    console.log(version());
    return 0;
  }
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const found = name === undefined ? 'give a command' : `unknown command ${JSON.stringify(name)}, expected`;
    throw new Misuse(`${found}: ${Object.keys(COMMANDS).join(', ')} (--help explains them)`);
  }
  const commandLine = parseCommandLine(args, command.options);
  if (commandLine.help) {
    console.log(`Usage: git-ai-sessions ${command.usage}\n\n${command.summary}\n\n${optionsHelp(command.options)}`);
    return 0;
  }
  return command.run(commandLine);
}

/** Runs a command line and sets the process's exit code. */
export async function main(args: string[] = process.argv.slice(2)): Promise<void> {
  try {
    process.exitCode = await run(args);
  } catch (error) {
    if (error instanceof Misuse) {
      console.error(printable(`git-ai-sessions: ${error.message}`));
      process.exitCode = error.exitCode;
    } else if (error instanceof CannotOpen) {
      console.error(printable(`git-ai-sessions: ${error.message}`));
      process.exitCode = 1;
    } else throw error;
  }
}
