'use strict';

const { availableParallelism } = require('node:os');

module.exports = {
  testMatch: ['<rootDir>/__test__/**/*.test.ts', '<rootDir>/sessions/test/**/*.test.ts'],
  globalSetup: '<rootDir>/sessions/test/support/build.cjs',
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // Jest leaves one core free. One more than there are cores, since some tests mostly wait: for a timeout, or a restart.
  maxWorkers: availableParallelism() + 1,
  testSequencer: '<rootDir>/scripts/longest-first.cjs',
  // For tests that hang. How long the others take is not for a test to judge: on a busy machine they wait for a core.
  testTimeout: 300_000,
  // Folders that hold other packages, under names that jest's module map would take for duplicates.
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/npm/', '<rootDir>/data/', '<rootDir>/sessions/dist/'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/target/'],
};
