#!/usr/bin/env node
// `npm test`: sets up what is missing, then runs every test there is, so that one run tells all that fails. With arguments
// (`npm test -- cli`), only jest, with them.

import { runAll, setUp } from './setup.mjs';

setUp();
const jestArgs = process.argv.slice(2);
const everything = jestArgs.length === 0;
const stages = [
  { name: 'jest', command: 'npx', args: ['jest', ...jestArgs] },
  ...(everything
    ? [
        { name: 'cargo test', command: 'cargo', args: ['test', '--quiet'] },
        { name: 'types', command: process.execPath, args: ['scripts/typecheck.mjs'] },
      ]
    : []),
];
runAll(stages.map(({ name, ...stage }) => ({ title: `\n── ${name} ${'─'.repeat(70 - name.length)}`, ...stage })));
