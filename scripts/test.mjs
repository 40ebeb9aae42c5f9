#!/usr/bin/env node
// `npm test`: sets up what is missing, then runs every test, also after one has failed. With arguments (`npm test --
// cli`) it runs only jest, with them, on a debug build if that is what is there or what is built fastest.

import { spawnSync } from 'node:child_process';
import { runAll, setUp } from './setup.mjs';

const jestArgs = process.argv.slice(2);
const everything = jestArgs.length === 0;
const sessions = everything || jestArgs.some((arg) => arg.includes('sessions'));
setUp({ release: everything, sessions, browser: sessions });

const jest = { name: 'jest', command: 'npx', args: ['jest', ...jestArgs] };
// First, since the tests that build the addon unoptimised then find its dependencies built. napi names the target, and
// cargo keeps what is built for a named one apart, so all builds name it.
const host = spawnSync('rustc', ['-vV'], { encoding: 'utf8' }).stdout?.match(/^host: (.*)$/m)?.[1];
if (host !== undefined) process.env.CARGO_BUILD_TARGET ??= host;
const rust = { name: 'cargo test', command: 'cargo', args: ['test', '--quiet'] };
const types = { name: 'types', command: process.execPath, args: ['scripts/typecheck.mjs'] };
const stages = everything ? [rust, jest, types] : [jest];
runAll(
  stages.map(({ name, ...stage }, index) => {
    const title = `(${index + 1}/${stages.length}) ${name} `;
    return { title: `\n── ${title}${'─'.repeat(70 - title.length)}`, ...stage };
  }),
);
