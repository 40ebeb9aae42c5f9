#!/usr/bin/env node
// `npm start`: sets up and builds what is missing, then runs the Sessions backend with embedded ClickHouse in ./data.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSessions, ROOT, setUp } from './setup.mjs';

const USAGE = `Usage: npm start [-- [options]]

Sets up and builds what is missing. Then runs the Sessions backend on http://127.0.0.1:7423 until you press Ctrl-C. The
backend receives uploads of git-ai clients and stores them in embedded ClickHouse in ./data. It adds the sample sessions
of examples/sessions as an org named demo.

Options:
  --no-demo   don't add the sample sessions
  --once      store the sample sessions, show them, and exit
  -h, --help  print this

You can also use all options of git-ai-sessions serve; sessions/README.md lists them.`;

const [own, others] = partition(process.argv.slice(2), ['--no-demo', '--once', '--help', '-h']);
const { values } = parseArgs({
  args: own,
  options: { 'no-demo': { type: 'boolean' }, once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});

if (values.help) {
  console.log(USAGE);
} else if (values.once && values['no-demo']) {
  console.error('npm start: --once shows the sample sessions, so it takes no --no-demo');
  process.exitCode = 2;
} else {
  setUp();
  buildSessions();
  endWithParent();
  const { main } = createRequire(import.meta.url)('../sessions/dist/cli/main.js');
  await main([
    'serve',
    // These are defaults: if an option is given twice, the later one counts.
    ...['--data', join(ROOT, 'data'), '--log-level', 'warn'],
    ...(values['no-demo'] ? [] : ['--demo', join(ROOT, 'examples', 'sessions')]),
    ...(values.once ? ['--once'] : []),
    ...others,
  ]);
}

/** Splits a list into the items that are in another list and those that aren't. */
function partition(list, wanted) {
  return [list.filter((each) => wanted.includes(each)), list.filter((each) => !wanted.includes(each))];
}

/** npm doesn't pass SIGTERM on. A server that it leaves behind would keep the port and the data folder. */
function endWithParent() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}
