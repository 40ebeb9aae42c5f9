#!/usr/bin/env node
// Compiles the tests, and under each way in which TypeScript finds a package the consumers of __test__/types, which
// import this package by its name.

import { run } from './setup.mjs';

const PROJECTS = [
  'tsconfig.json',
  ...['node16', 'nodenext', 'bundler'].map((way) => `__test__/types/tsconfig.${way}.json`),
];

for (const project of PROJECTS) {
  console.log(`• tsc --strict, ${project}`);
  run('npx', ['tsc', '--project', project]);
}
