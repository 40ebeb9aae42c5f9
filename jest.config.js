'use strict';

module.exports = {
  testMatch: ['<rootDir>/__test__/**/*.test.ts', '<rootDir>/sessions/test/**/*.test.ts'],
  globalSetup: '<rootDir>/sessions/test/support/build.cjs',
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // Jest leaves one core free, which on two cores means that no two tests run at once.
  maxWorkers: '100%',
  // Several tests build with cargo at once: on a busy machine the others wait for a core longer than jest's five seconds.
  testTimeout: 120_000,
  // Folders that hold other packages, under names that jest's module map would take for duplicates.
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/npm/', '<rootDir>/data/', '<rootDir>/sessions/dist/'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/target/'],
};
