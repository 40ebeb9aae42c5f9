'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { fstatSync, readFileSync } = require('node:fs');
const { constants } = require('node:os');
const { DONE, Misuse, reasonOf } = require('./failures.js');
const { complain } = require('./terminal.js');

/** The longest time from the agent's end, or the signal that ends it, to ours. */
const LONGEST_END_MS = 3000;

/** After passing on a signal, we give the agent this long to write its last lines. */
const LAST_LINES_MS = 1200;

/** A process that has been continued may still look stopped for a moment. */
const STOP_SETTLES_MS = 30;

/** The exit codes that shells use. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const KILLED = 128;

const isOnTerminal = () => [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);

async function run([program, ...args], options) {
  if (program === undefined) throw new Misuse('run: give the command of the agent, e.g. run -- claude');
  const { checkDelivery, endSessions } = require('./client/ends.js');
  checkDelivery(options);
  const startedAt = Date.now();
  const child = spawn(program, args, { stdio: descriptorsOf(args) });
  const outcome = await outcomeOf(child, program);
  const deadline = (outcome.signalledAt ?? Date.now()) + LONGEST_END_MS;
  // Leave on time even if something hangs.
  const guard = setTimeout(() => leave(outcome), deadline - Date.now());
  try {
    if (outcome.started) await endSessions(options, startedAt, deadline);
  } catch (error) {
    complain(`git-ai-metrics: ${error.message}`);
  }
  clearTimeout(guard);
  return leave(outcome);
}

/**
 * Returns what the agent inherits: the standard streams, and the files that arguments name, as those of zsh's `<(command)` do.
 * Node keeps descriptors below 16 to itself.
 *
 * @returns {('inherit' | 'ignore')[]}
 */
function descriptorsOf(args) {
  /** @type {('inherit' | 'ignore')[]} */
  const stdio = ['inherit', 'inherit', 'inherit'];
  for (const [, named] of args.join(' ').matchAll(/\/(?:dev|proc\/self)\/fd\/(\d{1,4})(?!\d)/g)) {
    if (isOpen(Number(named))) stdio[Number(named)] = 'inherit';
  }
  return Array.from(stdio, (descriptor) => descriptor ?? 'ignore');
}

function isOpen(descriptor) {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
}

/**
 * Waits until the agent or the terminal ends. The agent is in our process group, so it gets the terminal's signals and
 * size changes directly. Signals that only we get are passed on.
 *
 * @returns {Promise<{ started: boolean, code?: number, signal?: NodeJS.Signals, signalledAt?: number }>}
 */
function outcomeOf(child, program) {
  return new Promise((resolve) => {
    let signalledAt;
    const pass = (signal) => child.kill(signal);
    const end = (signal) => {
      signalledAt ??= Date.now();
      pass(signal);
      setTimeout(() => resolve({ started: true, signal, signalledAt }), LAST_LINES_MS);
    };
    const handlers = {
      SIGTERM: end,
      SIGHUP: end,
      // A terminal sends these to the agent too. They interrupt it but don't end it.
      SIGINT: (signal) => isOnTerminal() || pass(signal),
      SIGQUIT: (signal) => isOnTerminal() || pass(signal),
      SIGUSR1: pass,
      SIGUSR2: pass,
      SIGCONT: pass,
      SIGCHLD: () => stopWith(child),
    };
    if (process.platform === 'win32')
      for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGCHLD']) delete handlers[signal];
    for (const [signal, handle] of Object.entries(handlers)) process.on(signal, handle);
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      complain(`git-ai-metrics: ${program}: ${error.code === 'ENOENT' ? 'there is no such program' : reasonOf(error)}`);
      resolve({ started: false, code: error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE });
    });
    child.on('exit', (code, signal) => {
      resolve({
        started: true,
        ...(signal === null ? { code } : { signal }),
        ...(signalledAt !== undefined && { signalledAt }),
      });
    });
  });
}

/** Stops us when the agent has stopped itself, so that the shell gets its terminal back. */
function stopWith(child) {
  if (!isStopped(child.pid)) return;
  setTimeout(() => {
    // The system ignores this signal in an orphaned process group, where no shell could continue us.
    if (child.exitCode === null && child.signalCode === null && isStopped(child.pid))
      process.kill(process.pid, 'SIGTSTP');
  }, STOP_SETTLES_MS);
}

function isStopped(pid) {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
    } catch {
      // It has just ended.
      return false;
    }
  }
  return spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.startsWith('T') ?? false;
}

/**
 * Ends as the agent did.
 *
 * @param {{ code?: number, signal?: NodeJS.Signals }} outcome
 */
function leave({ code, signal }) {
  if (signal === undefined) {
    // Exit now: a request that is still waiting for its server must not keep us alive.
    process.exit(code ?? DONE);
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // If the signal is ignored or doesn't end a process, exit with the code that shells use for it.
  setTimeout(() => process.exit(KILLED + constants.signals[signal]), 100);
  return new Promise(() => {});
}

module.exports = {
  usage: 'run [options] -- <command>…',
  summary: 'Runs an agent and records the end of its sessions',
  details: [
    'The agent uses the same terminal and gets its signals and size changes. Its exit code or signal becomes ours. When the',
    'agent or the terminal ends, the sessions that it wrote in this folder get an end event (user_quit), within 3 s. The',
    'watcher uploads it; with --server it is uploaded at once.',
    '',
    'Options:',
    '  --server <url>      upload the end events, and all others that wait for the watcher',
    '  --key-file <file>   the file that holds the key for the server; only its owner may read it',
    '  --no-redact         do not mask secrets in texts',
    '  --home <folder>     use the sessions in this home directory; default: $CLAUDE_CONFIG_DIR, else your own',
    '  -h, --help          this help',
  ],
  takesCommand: true,
  options: {
    server: { type: 'string' },
    'key-file': { type: 'string' },
    'no-redact': { type: 'boolean' },
    home: { type: 'string' },
  },
  run,
};
