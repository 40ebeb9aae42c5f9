'use strict';

module.exports = {
  testMatch: ['<rootDir>/__test__/**/*.test.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // Folders that hold other packages, under names that jest's module map would take for duplicates.
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/npm/', '<rootDir>/data/'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/target/'],
};
