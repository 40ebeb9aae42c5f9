'use strict';

const { version } = require('../package.json');
const { flushOutbox } = require('./client/flush.js');
const { homeOf } = require('./client/folders.js');
const outbox = require('./client/outbox.js');
const { UPLOAD_OPTIONS, serverOf } = require('./client/upload.js');
const { DONE, Misuse } = require('./failures.js');
const { complain } = require('./terminal.js');

/** Payloads hold a tool's whole output. */
const LONGEST_PAYLOAD = 64 << 20;

/** The agent waits for its hooks. */
const LONGEST_UPLOAD_MS = 2000;

async function run(args, options) {
  if (args.length > 0) throw new Misuse(`hook: unexpected argument ${args[0]}`);
  const { agent = 'claude', 'no-redact': unmasked = false } = options;
  try {
    const home = homeOf(options);
    const server = serverOf(options, home);
    const settings = { homeDir: home, gitAiVersion: version, redact: !unmasked };
    const { captureStoredHook } = require('../index.js');
    captureStoredHook(agent, await readPayload(), settings, (events) => outbox.put(home, events));
    if (server !== undefined) await flushOutbox(server, home, LONGEST_UPLOAD_MS);
  } catch (error) {
    // Whatever it is, the agent's work goes on: what was not delivered comes with the next hook.
    complain(`git-ai-metrics: ${error.message}`);
  }
  return DONE;
}

async function readPayload() {
  const chunks = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LONGEST_PAYLOAD) throw new Error(`the hook's payload has more than ${LONGEST_PAYLOAD} bytes`);
  }
  return Buffer.concat(chunks).toString();
}

module.exports = {
  usage: 'hook [options]',
  summary: 'Takes the payload of an agent’s hook from standard input',
  details: [
    'This is what `hooks install` makes the agent run. It leaves the events for the watcher, which uploads them; with',
    '--server it uploads them itself, within 2 s. Its exit code is 0 whatever happens, so that the agent’s work goes on.',
    '',
    'Options:',
    '  --agent <name>      whose hook it is; default: claude',
    '  --server <url>      upload what waits, too',
    '  --key-file <file>   the file that holds the key for the server; only its owner may read it',
    '  --no-redact         do not mask secrets in texts',
    '  --home <folder>     keep states there; default: the home directory',
    '  -h, --help          this help',
  ],
  options: {
    agent: { type: 'string' },
    'no-redact': { type: 'boolean' },
    home: { type: 'string' },
    ...UPLOAD_OPTIONS,
  },
  run,
};
