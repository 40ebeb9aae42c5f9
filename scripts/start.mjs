#!/usr/bin/env node
// `npm start`: sets up and builds what is missing, then runs the Sessions backend with embedded ClickHouse in ./data.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, run, setUp } from './setup.mjs';

const USAGE = `Usage: npm start [-- [options]]

Sets up and builds what is missing, then runs the Sessions backend on http://127.0.0.1:7423 until Ctrl-C: it takes the
uploads of git-ai clients and keeps them in embedded ClickHouse in ./data. The sample sessions of examples/sessions go
into an org of their own, demo.

Options:
  --no-demo   without the sample sessions
  --once      store the sample sessions, show them, and end
  -h, --help  print this

All options of git-ai-sessions serve work too: sessions/README.md lists them.`;

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
  run('npm', ['run', '--silent', 'build', '--workspace', 'sessions']);
  const { main } = createRequire(import.meta.url)('../sessions/dist/cli/main.js');
  await main([
    'serve',
    // A later one of the same name counts, so these are defaults.
    ...['--data', join(ROOT, 'data'), '--log-level', 'warn'],
    ...(values['no-demo'] ? [] : ['--demo', join(ROOT, 'examples', 'sessions')]),
    ...(values.once ? ['--once'] : []),
    ...others,
  ]);
}

/** Those of a list that stand in another one, and those that don't. */
function partition(list, wanted) {
  return [list.filter((each) => wanted.includes(each)), list.filter((each) => !wanted.includes(each))];
}
