#!/usr/bin/env node
// `npm test`: sets up what is missing, then runs every test there is. With arguments (`npm test -- cli`), only jest, with them.

import { run, setUp } from './setup.mjs';

setUp();
const jestArgs = process.argv.slice(2);
heading('jest');
run('npx', ['jest', ...jestArgs]);
if (jestArgs.length === 0) {
  heading('cargo test');
  run('cargo', ['test', '--quiet']);
  heading('types');
  run(process.execPath, ['scripts/typecheck.mjs']);
}

function heading(text) {
  console.log(`\n── ${text} ${'─'.repeat(70 - text.length)}`);
}
