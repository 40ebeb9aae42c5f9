#!/usr/bin/env node
'use strict';

const { parseArgs } = require('node:util');
const { DONE, FAILED, Misuse, reasonOf } = require('./failures.js');
const { complain } = require('./terminal.js');

// A command is a module of its own: `summary` for the list, `usage` and `details` for its help, `options` for
// util.parseArgs, and `run(files, options)`, which resolves to the exit code. Only `run` may load the addon: help has to work
// where there is none. With `takesCommand`, whatever follows the first word that is no option is another program's.
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
    throw new Misuse(`give a command, one of: ${Object.keys(COMMANDS).join(', ')} (--help tells more)`);
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
    // Node's text goes on with advice on `--`, which is more than the one line wanted here.
    const [sentence] = error.message.split(/\. |\n/, 1);
    throw new Misuse(`${name}: ${sentence[0].toLowerCase()}${sentence.slice(1)} (${name} --help lists what there is)`);
  }
}

/** The arguments with `--` before the first one that is neither an option nor the value of one. */
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
    'Reads uploads of git-ai metrics, the bodies that clients post (with no file, or for the file -, from standard input), and',
    'the transcripts of agents, to make uploads of them; uploads what the agents of this machine do as it happens.',
    '',
    'Commands:',
    ...commands.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`),
    '',
    'Options:',
    '  -h, --help     this help; after a command, that of the command',
    '  -V, --version  the version of this package',
    '',
    'Exit codes: 0 all is well; 1 something is wrong with an upload; 2 a usage error, a file that cannot be read, or no binary',
    'for this system.',
  ].join('\n');
}

function commandHelp({ usage, summary, details }) {
  return [`Usage: git-ai-metrics ${usage}`, '', `${summary}.`, '', ...details].join('\n');
}

// A reader that has seen enough, such as `head`, closes the pipe: that is its right, and no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? DONE);
    // Where standard error takes nothing, the exit code alone can tell.
    if (stream === process.stderr) process.exit(FAILED);
    process.stderr.write(`git-ai-metrics: cannot write: ${reasonOf(error)}\n`, () => process.exit(FAILED));
  });
}

const args = process.argv.slice(2);
main(args).then(
  // Not process.exit(): what was written to a pipe may not have left yet.
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    complain(`git-ai-metrics: ${messageOf(error)}`);
    // Of a hook that ends with 2 an agent takes that the tool must not run.
    process.exitCode = args[0] === 'hook' ? DONE : FAILED;
  },
);

function messageOf(error) {
  if (error instanceof Misuse || /^ERR_BINDING_/.test(error.code)) return error.message;
  // A file or device takes its output at once, so that what it refuses is thrown where it is written.
  if (error.syscall === 'write') return `cannot write: ${reasonOf(error)}`;
  throw error;
}
