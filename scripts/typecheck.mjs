#!/usr/bin/env node
// Checks the types of the tests and of all JavaScript, and under each way in which TypeScript finds a package the consumers of __test__/types, which
// import this package by its name.

import { runAll } from './setup.mjs';

const PROJECTS = [
  'tsconfig.json',
  'tsconfig.js.json',
  'sessions/tsconfig.json',
  'sessions/test/tsconfig.json',
  ...['node16', 'nodenext', 'bundler'].map((way) => `__test__/types/tsconfig.${way}.json`),
];

runAll(
  PROJECTS.map((project) => ({
    title: `• tsc --strict, ${project}`,
    command: 'npx',
    args: ['tsc', '--noEmit', '--project', project],
  })),
);
