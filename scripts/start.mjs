#!/usr/bin/env node
// `npm start`: sets up and builds what is missing, then stores uploads in embedded ClickHouse and shows what they hold.

import { parseCommandLine, USAGE } from './command-line.mjs';
import { run, setUp } from './setup.mjs';

const args = process.argv.slice(2);
const { help, misuse } = parseCommandLine(args);
if (misuse) {
  console.error(`npm start: ${misuse} (npm start -- --help lists what there is)`);
  process.exit(2);
}
if (help) {
  console.log(USAGE);
} else {
  setUp();
  run(process.execPath, ['scripts/dashboard.mjs', ...args]);
}
