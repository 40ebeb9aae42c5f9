'use strict';

const { deepStrictEqual } = require('node:assert');
const { cpus, loadavg } = require('node:os');

/**
 * @typedef {object} Ratio
 * @property {string} what
 * @property {number} ratio
 * @property {number} [target] the least that is aimed at
 * @property {number} [atMost] the most that is aimed at
 * @property {string} [page] the block of the documentation that shows it; by default that of its benchmark
 */

/**
 * How long each contestant is measured. They take turns, so a slow moment of the machine affects all of them. Of each
 * one's medians the least counts: whatever else the machine does can only add time. The shorter the turns, the likelier
 * one of them is undisturbed. But a turn has at least twelve runs, so the slow ones get fewer turns.
 */
const TOTAL_NS = 1_800_000_000;
const TURNS = { fast: 36, slow: 9 };
const SLOW_NS = TOTAL_NS / TURNS.fast / 12;

/** Whether only the answers are compared. */
let isCheck = false;

/** From now on contestants aren't measured, and inputs that take long to make may be smaller. */
function checkOnly() {
  isCheck = true;
}

const isCheckOnly = () => isCheck;

/** Removes properties that are `undefined`, since to users they are absent. */
function withoutUndefined(value) {
  return JSON.parse(JSON.stringify(value));
}

/**
 * Checks that all contestants give the same answer, measures them in turns, and prints their times. Resolves to the
 * time of each in microseconds, NaN if it wasn't measured.
 *
 * @param {string} title
 * @param {Record<string, () => unknown>} contestants
 * @param {{ answers?: (result: unknown) => unknown, unchecked?: string[] }} [options] `answers` makes results comparable;
 *   `unchecked` names contestants that do only part of the work, so their results can't be compared
 */
async function compare(title, contestants, { answers = withoutUndefined, unchecked = [] } = {}) {
  const checked = Object.entries(contestants).filter(([name]) => !unchecked.includes(name));
  const [[firstName, first], ...others] = checked;
  const start = process.hrtime.bigint();
  const result = first();
  const turns = process.hrtime.bigint() - start < SLOW_NS ? TURNS.fast : TURNS.slow;
  const expected = answers(result);
  for (const [name, run] of others) {
    deepStrictEqual(answers(run()), expected, `${title}: ${name} and ${firstName} give different answers`);
  }
  if (isCheck) {
    console.log(title);
    return Object.fromEntries(Object.keys(contestants).map((name) => [name, Number.NaN]));
  }
  const { requireReleaseAddon } = await import('../scripts/addon.mjs');
  requireReleaseAddon();
  const { measure } = await import('mitata');
  /** @type {Record<string, number[]>} */
  const medians = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, run] of Object.entries(contestants)) {
      // Don't batch fast runs. A batch's mean would include garbage collections that a single run's median doesn't, so
      // figures of small and large inputs would not be comparable.
      const { p50 } = await measure(run, { batch_threshold: 0, min_cpu_time: TOTAL_NS / turns });
      medians[name].push(p50 / 1000);
    }
  }
  console.log(`\n${title}`);
  const times = {};
  for (const [name, figures] of Object.entries(medians)) {
    times[name] = Math.min(...figures);
    console.log(`  ${name.padEnd(36)} ${times[name].toFixed(1).padStart(10)} µs`);
  }
  return times;
}

/** Names what the figures depend on. A load above 1 means that other work ran. */
function machine() {
  const processors = cpus();
  const [load = 0] = loadavg();
  return [
    `${processors.length} × ${processors[0]?.model}`,
    `${process.platform} ${process.arch}`,
    `Node ${process.versions.node}`,
    `load ${load.toFixed(1)}`,
  ].join(', ');
}

/** @param {Ratio[]} ratios */
function printRatios(ratios) {
  console.log(`\nRatios (${machine()})`);
  for (const { what, ratio, target = 0, atMost = Number.POSITIVE_INFINITY } of ratios) {
    const aim = target > 0 ? `at least ${target}` : atMost < Number.POSITIVE_INFINITY ? `at most ${atMost}` : '';
    const missed = ratio < target || ratio > atMost ? '  ✗ missed' : '';
    console.log(`  ${what.padEnd(84)} ${ratio.toFixed(2).padStart(6)}  ${aim}${missed}`);
  }
}

module.exports = { checkOnly, compare, isCheckOnly, machine, printRatios };
