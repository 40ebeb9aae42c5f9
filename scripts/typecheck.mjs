#!/usr/bin/env node
// Checks the types of the tests and of all JavaScript. Also checks the consumers in __test__/types, which import this
// package by name, with each of TypeScript's ways to resolve a package.

import { runAll } from './setup.mjs';

const PROJECTS = [
  'tsconfig.json',
  'tsconfig.js.json',
  'sessions/tsconfig.json',
  'sessions/web/tsconfig.json',
  'sessions/test/tsconfig.json',
  ...['node16', 'nodenext', 'bundler'].map((way) => `__test__/types/tsconfig.${way}.json`),
];

runAll(
  PROJECTS.map((project) => ({
    title: `• tsc --strict, ${project}`,
    command: process.execPath,
    args: ['node_modules/typescript/bin/tsc', '--noEmit', '--project', project],
  })),
);
