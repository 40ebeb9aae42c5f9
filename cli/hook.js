'use strict';

const { version } = require('../package.json');
const { flushOutbox } = require('./client/flush.js');
const { homeOf } = require('./client/folders.js');
const outbox = require('./client/outbox.js');
const { UPLOAD_OPTIONS, serverOf } = require('./client/upload.js');
const { DONE, Misuse } = require('./failures.js');
const { complain } = require('./terminal.js');

/** A payload holds a tool's whole output, so it may be large. */
const LONGEST_PAYLOAD = 64 << 20;

/** Short, because the agent waits for its hooks. */
const LONGEST_UPLOAD_MS = 2000;

async function run(args, options) {
  if (args.length > 0) throw new Misuse(`hook: unexpected argument ${args[0]}`);
  const { agent = 'claude', event, 'no-redact': unmasked = false } = options;
  try {
    const home = homeOf(options);
    const server = serverOf(options, home);
    const settings = { event, homeDir: home, gitAiVersion: version, redact: !unmasked };
    const { captureStoredHook } = require('../index.js');
    captureStoredHook(agent, await readPayload(), settings, (events, sources) => outbox.put(home, events, sources));
    if (server !== undefined) await flushOutbox(server, home, LONGEST_UPLOAD_MS);
  } catch (error) {
    // A failure must not stop the agent. The next hook delivers these events again.
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
    'After `hooks install` the agent runs this command. It stores the events for the watcher, which uploads them. With',
    '--server it uploads them itself, within 2 s. It always exits with status 0, so it never stops the agent.',
    '',
    'Options:',
    '  --agent <name>      the agent that runs the hook; default: claude',
    '  --event <name>      the hook’s event, for agents whose payloads don’t name it',
    '  --server <url>      also upload all stored events',
    '  --key-file <file>   the file that holds the key for the server; only its owner may read it',
    '  --no-redact         do not mask secrets in texts',
    '  --home <folder>     keep states there; default: the home directory',
    '  -h, --help          this help',
  ],
  options: {
    agent: { type: 'string' },
    event: { type: 'string' },
    'no-redact': { type: 'boolean' },
    home: { type: 'string' },
    ...UPLOAD_OPTIONS,
  },
  run,
};
