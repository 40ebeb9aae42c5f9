'use strict';

const { posix, relative, sep } = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

/**
 * Seconds that the longest test files take. Jest remembers how long each took, but on a fresh clone it knows only their
 * sizes, and then a file of few lines that builds the addon three times is the last one to start.
 */
const SECONDS = {
  '__test__/one-line-field.test.ts': 110,
  'sessions/test/web/use.test.ts': 110,
  'sessions/test/queries.test.ts': 100,
  'sessions/test/api.test.ts': 85,
  '__test__/scaling.test.ts': 60,
  'sessions/test/cli.test.ts': 70,
  'sessions/test/convergence.test.ts': 60,
  'sessions/test/web/pages.test.ts': 60,
  'sessions/test/faults.test.ts': 50,
  'sessions/test/web/numbers.test.ts': 50,
  '__test__/client/watch.test.ts': 50,
  '__test__/package.test.ts': 50,
};
const SECONDS_OF_OTHERS = 20;

/** Starts the longest test files first, so that no core is idle while the last one runs. */
module.exports = class LongestFirst extends Sequencer {
  /** @override */
  sort(tests) {
    const sorted = super.sort(tests);
    if (tests.some(({ duration }) => duration !== undefined)) return sorted;
    const secondsOf = ({ context, path }) =>
      SECONDS[relative(context.config.rootDir, path).replaceAll(sep, posix.sep)] ?? SECONDS_OF_OTHERS;
    return [...tests].sort((a, b) => secondsOf(b) - secondsOf(a));
  }
};
