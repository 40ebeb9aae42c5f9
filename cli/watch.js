'use strict';

const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { version } = require('../package.json');
const { clientFolder, homeOf, makeFolder } = require('./client/folders.js');
const outbox = require('./client/outbox.js');
const { Sessions } = require('./client/sessions.js');
const { States, servers } = require('./client/states.js');
const { UPLOAD_OPTIONS, serverOf } = require('./client/upload.js');
const { DONE, FAILED, Misuse, WRONG } = require('./failures.js');
const { complain, print, printableJson, tableLines, columnsOfOutput } = require('./terminal.js');

const DEFAULT_EVERY_S = 3;

// In flushes. With a flush every 3 s: 0.5 s between bodies, a sweep each minute, and after failures the delays of
// git-ai's own client, which are 5 min, 30 min, 2 h, 6 h and 12 h.
const GAP = 1 / 6;
const SWEEP = 20;
const BACK_OFF = [100, 600, 2400, 7200, 14_400];

async function run([action, ...more], options) {
  if (more.length > 0 || (action !== undefined && action !== 'status')) {
    throw new Misuse(`watch: expected status or nothing, found ${[action, ...more].join(' ')}`);
  }
  const home = homeOf(options);
  if (action === 'status') return status(home, options);
  const timing = timingOf(options);
  const server = options.print ? new Printer() : serverOf(options, home);
  if (server === undefined) throw new Misuse('watch: give the --server to upload to, or --print');
  const { FileLock } = require('../lib/native.js');
  const folder = makeFolder(clientFolder(home));
  const lock = options.print ? undefined : FileLock.take(join(folder, 'watch.lock'));
  if (lock?.isHeld === false) {
    log(`another watcher runs in ${home}${ownerOf(folder)}`);
    return WRONG;
  }
  if (lock !== undefined) writeFileSync(join(folder, 'watch.pid'), `${process.pid}\n`, { mode: 0o600 });
  if (server.isExposed) log(`${server.name}: the key crosses the network unencrypted; use https`);
  try {
    return await watch(home, server, timing, options);
  } finally {
    // Until here something must refer to the lock: garbage collection would release it.
    lock?.release();
  }
}

async function watch(home, server, timing, options) {
  const { Watcher } = require('./client/watcher.js');
  const sessions = new Sessions({ ...options, poll: options.poll || options.once });
  for (const obstacle of sessions.obstacles()) log(obstacle);
  const watcher = new Watcher({
    home,
    server,
    timing,
    log,
    sessions,
    states: options.print ? undefined : new States(home, server),
    capture: { homeDir: home, gitAiVersion: version, redact: !options['no-redact'], followLinks: false },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      // A body that isn't acknowledged yet is uploaded again by the next watcher, since its state isn't stored.
      watcher.close();
      process.exit(DONE);
    });
  }
  await watcher.flush();
  while (!options.once) {
    await pause(timing.everyMs);
    await watcher.flush();
  }
  watcher.close();
  return watcher.isFailing ? FAILED : DONE;
}

function timingOf({ every = String(DEFAULT_EVERY_S) }) {
  const seconds = Number(every);
  if (!/^\d+(?:\.\d+)?$/.test(every) || seconds < 0.001 || seconds > 3600) {
    throw new Misuse(`--every: expected seconds from 0.001 to 3600, found ${JSON.stringify(every)}`);
  }
  const ms = (flushes) => flushes * seconds * 1000;
  return { everyMs: ms(1), gapMs: ms(GAP), sweepMs: ms(SWEEP), backOffMs: BACK_OFF.map(ms) };
}

/** Takes the place of a server and prints the bodies. */
class Printer {
  name = 'standard output';
  isExposed = false;

  async upload(body) {
    await print(`${printableJson(body.toString())}\n`);
    return [];
  }
}

async function status(home, options) {
  const { FileLock } = require('../lib/native.js');
  const folder = makeFolder(clientFolder(home));
  const lock = FileLock.take(join(folder, 'watch.lock'));
  const isRunning = !lock.isHeld;
  lock.release();
  const sessions = new Sessions({ ...options, poll: true }).changed();
  const rows = servers(home).map(({ name, known }) => {
    const byPath = new Map(known.map((session) => [session.path, session]));
    const behind = sessions.filter(({ path, look }) => byPath.get(path)?.look !== look);
    const bytes = behind.reduce((sum, { path, size }) => sum + Math.max(0, size - (byPath.get(path)?.offset ?? 0)), 0);
    const last = Math.max(0, ...known.map(({ acknowledgedAt }) => acknowledgedAt));
    return { cells: [name, String(behind.length), String(bytes), last === 0 ? 'never' : new Date(last).toISOString()] };
  });
  const waiting = outbox.list(home).length;
  await print(
    `${[
      isRunning ? `a watcher runs${ownerOf(folder)}` : 'no watcher runs',
      `${sessions.length} ${sessions.length === 1 ? 'session' : 'sessions'}; ${waiting} ${waiting === 1 ? 'body' : 'bodies'} of hooks and wrappers to upload`,
      ...(rows.length > 0
        ? [
            '',
            ...tableLines(['server', 'sessions behind', 'bytes behind', 'last acknowledged'], rows, columnsOfOutput()),
          ]
        : []),
    ].join('\n')}\n`,
  );
  return isRunning ? DONE : WRONG;
}

function ownerOf(folder) {
  try {
    return `: process ${Number.parseInt(readFileSync(join(folder, 'watch.pid'), 'utf8'), 10)}`;
  } catch {
    return '';
  }
}

const log = (text) => complain(`git-ai-metrics: ${text}`);

module.exports = {
  usage: 'watch [status] [options]',
  summary: 'Uploads what the agents on this machine do, as it happens',
  details: [
    'Finds the sessions of all agents, follows them as they grow, and uploads their events every 3 s. A session’s state is',
    'stored only after the server has acknowledged its events. So nothing is lost when the server is down or the watcher is',
    'killed. A session without activity for 30 minutes gets an end event (idle_timeout). The watcher reads only session',
    'files and masks secrets in texts. Only one watcher can run per home directory.',
    '',
    '`watch status` shows whether a watcher runs and what isn’t uploaded yet. It exits with status 1 if none runs.',
    '',
    'Options:',
    '  --server <url>      the server; /worker/metrics/upload is appended to its path',
    '  --key-file <file>   the file that holds the key for the server; only its owner may read it',
    '  --author <author>   the author of the events, as “Name <mail>”; default: from git',
    '  --once              upload everything new, then exit; the status is 2 if that fails',
    '  --print             print the bodies instead of uploading them; nothing is stored',
    '  --no-redact         do not mask secrets in texts',
    '  --poll              check every file at each flush; default: only files that the system reports as changed',
    '  --every <seconds>   the time between flushes; other delays are multiples of it; default: 3',
    '  --home <folder>     use the sessions and states in this home directory; default: what the agents’ variables name,',
    '                      such as $CLAUDE_CONFIG_DIR, else your own',
    '  -h, --help          this help',
  ],
  options: {
    ...UPLOAD_OPTIONS,
    author: { type: 'string' },
    once: { type: 'boolean' },
    print: { type: 'boolean' },
    'no-redact': { type: 'boolean' },
    poll: { type: 'boolean' },
    every: { type: 'string' },
    home: { type: 'string' },
  },
  run,
};
