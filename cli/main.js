#!/usr/bin/env node
'use strict';

const { parseArgs } = require('node:util');
const { DONE, FAILED, Misuse, reasonOf } = require('./failures.js');
const { complain } = require('./terminal.js');

// Each command is a module. It exports `summary` for the list, `usage` and `details` for its help, `options` for
// util.parseArgs, and `run(files, options)`, which resolves to the exit code. Only `run` may load the addon, because
// help must work without it. With `takesCommand`, everything from the first argument that isn't an option belongs to
// another program.
const COMMANDS = {
  decode: () => require('./decode.js'),
  check: () => require('./check.js'),
  capture: () => require('./capture.js'),
  watch: () => require('./watch.js'),
  run: () => require('./run.js'),
  hooks: () => require('./hooks.js'),
  hook: () => require('./hook.js'),
};

async function main(args) {
  const name = args[0];
  if (name === undefined)
    throw new Misuse(`give a command, one of: ${Object.keys(COMMANDS).join(', ')} (--help shows more)`);
  if (name === '--help' || name === '-h' || name === 'help') return print(help());
  if (name === '--version' || name === '-V') return print(require('../package.json').version);
  if (name.startsWith('-')) throw new Misuse(`unknown option ${name} (--help lists what there is)`);
  if (!Object.hasOwn(COMMANDS, name)) throw new Misuse(`unknown command ${name} (--help lists what there is)`);

  const command = COMMANDS[name]();
  const { values, positionals } = parseCommandLine(name, command, args.slice(1));
  if (values.help) return print(commandHelp(command));
  return command.run(positionals, values);
}

/** @returns {{ values: Record<string, any>, positionals: string[] }} */
function parseCommandLine(name, command, args) {
  const options = { ...command.options, help: { type: 'boolean', short: 'h' } };
  if (command.takesCommand) args = endOptions(args, options);
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
    // Only the first sentence: Node's message continues with advice on `--`.
    const [sentence] = error.message.split(/\. |\n/, 1);
    throw new Misuse(`${name}: ${sentence[0].toLowerCase()}${sentence.slice(1)} (${name} --help lists what there is)`);
  }
}

/** Inserts `--` before the first argument that is neither an option nor an option's value. */
function endOptions(args, options) {
  let at = 0;
  while (at < args.length && args[at].startsWith('-') && args[at] !== '--') {
    const isAlone = args[at].includes('=') || options[args[at].slice(2)]?.type !== 'string';
    at += isAlone ? 1 : 2;
  }
  return args[at] === '--' || at >= args.length ? args : [...args.slice(0, at), '--', ...args.slice(at)];
}

function print(text) {
  process.stdout.write(`${text}\n`);
  return DONE;
}

function help() {
  const commands = Object.values(COMMANDS).map((load) => load());
  const width = Math.max(...commands.map(({ usage }) => usage.length));
  return [
    'Usage: git-ai-metrics <command> [options] [file]…',
    '',
    'Reads uploads of git-ai metrics, which are the bodies that clients post. Makes uploads from agents’ transcripts. Uploads',
    'what the agents on this machine do, as it happens. No file, or -, means standard input.',
    '',
    'Commands:',
    ...commands.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`),
    '',
    'Options:',
    '  -h, --help     this help; after a command, that of the command',
    '  -V, --version  the version of this package',
    '',
    'Exit codes: 0 success; 1 an error in an upload; 2 a usage error, a file that cannot be read, or no binary for this system.',
  ].join('\n');
}

function commandHelp({ usage, summary, details }) {
  return [`Usage: git-ai-metrics ${usage}`, '', `${summary}.`, '', ...details].join('\n');
}

// A reader such as `head` closes the pipe when it has seen enough. That isn't an error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? DONE);
    // If standard error can't be written to, only the exit code is left.
    if (stream === process.stderr) process.exit(FAILED);
    process.stderr.write(`git-ai-metrics: cannot write: ${reasonOf(error)}\n`, () => process.exit(FAILED));
  });
}

const args = process.argv.slice(2);
main(args).then(
  // process.exit() could lose output that a pipe hasn't taken yet.
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    complain(`git-ai-metrics: ${messageOf(error)}`);
    // Exit code 2 of a hook makes the agent block the tool call.
    process.exitCode = args[0] === 'hook' ? DONE : FAILED;
  },
);

function messageOf(error) {
  if (error instanceof Misuse || /^ERR_BINDING_/.test(error.code)) return error.message;
  // Writes to a file or device are synchronous, so their errors are thrown here.
  if (error.syscall === 'write') return `cannot write: ${reasonOf(error)}`;
  throw error;
}
