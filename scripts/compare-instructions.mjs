// Compares two commits by the instructions that the native part executes, and names what became slower by more than 3 %.
// Counts don't depend on what else the machine does, so this finds what times hide. It takes some minutes, enough for a
// nightly run: node scripts/compare-instructions.mjs <commit> [<newer commit>]. Without the second it takes the files as
// they are. Needs valgrind. Exits with status 1 if something became slower.

import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AGENTS } from '../benchmark/records.js';
import { ROOT } from './addon.mjs';

const MOST_PERCENT = 3;
const INPUTS = ['ascii', 'non-ascii', 'unknown', 'own-attributes', 'one-event', 'sessions'];
const SCENARIOS = ['skip', 'decode', 'encode', 'RowBinaryWithNames', 'JSONEachRow'];

const UPLOADS = join(ROOT, 'target', 'uploads');
const FOLDER = join(ROOT, 'target', 'compare');

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exit(2);
}

/**
 * Builds the benchmark of the sources in `folder` and returns the path of its executable.
 *
 * @param {string} folder
 * @param {string} name
 */
function build(folder, name) {
  const args = ['bench', '--no-run', '--no-default-features', '--bench', 'instructions', '--message-format=json'];
  const { status, stdout, stderr } = spawnSync('cargo', [...args, '--target-dir', join(FOLDER, 'build')], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) fail(`cargo could not build ${name}:\n${stderr}`);
  const built = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .find(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'instructions');
  const executable = join(FOLDER, `instructions-${name}`);
  copyFileSync(built.executable, executable);
  return executable;
}

/**
 * Checks out a commit, builds it and removes the files again.
 *
 * @param {string} commit
 */
function buildCommit(commit) {
  const git = (/** @type {string[]} */ ...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const sha = git('rev-parse', '--verify', '--short', `${commit}^{commit}`);
  if (git('ls-tree', '--name-only', sha, 'benchmark/instructions.rs') === '') {
    fail(`commit ${sha} has no benchmark/instructions.rs; only commits that have it can be compared`);
  }
  const folder = join(FOLDER, 'sources', sha);
  rmSync(folder, { recursive: true, force: true });
  git('worktree', 'prune');
  git('worktree', 'add', '--quiet', '--detach', folder, sha);
  try {
    return { name: sha, executable: build(folder, sha) };
  } finally {
    git('worktree', 'remove', '--force', folder);
  }
}

/**
 * Counts the instructions of one run. Two counts are subtracted, so the start of the process and first allocations don't
 * matter.
 *
 * @param {string} executable
 * @param {string} scenario
 * @param {string} input
 */
function instructions(executable, scenario, input) {
  const count = (/** @type {number} */ runs) => {
    const flags = ['--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null'];
    const { stderr } = spawnSync('valgrind', [...flags, executable, scenario, input, String(runs)], {
      encoding: 'utf8',
    });
    const [, refs] = /I\s+refs:\s+([\d,]+)/.exec(stderr) ?? fail(`valgrind did not count:\n${stderr}`) ?? [];
    return Number(String(refs).replaceAll(',', ''));
  };
  return (count(8) - count(3)) / 5;
}

const [base, newer] = process.argv.slice(2);
if (base === undefined) fail('usage: node scripts/compare-instructions.mjs <commit> [<newer commit>]');
if (spawnSync('valgrind', ['--version']).status !== 0) fail('valgrind was not found: install it');
mkdirSync(FOLDER, { recursive: true });
execFileSync(process.execPath, [join(ROOT, 'benchmark', 'write-uploads.js')]);

const before = buildCommit(String(base));
const after = newer === undefined ? { name: 'these files', executable: build(ROOT, 'now') } : buildCommit(newer);
console.log(`Instructions of one run: ${before.name}, ${after.name}`);
const slower = [];
const cases = INPUTS.flatMap((input) => SCENARIOS.map((scenario) => ({ scenario, input: `${input}.json` })));
const records = AGENTS.map((agent) => ({ scenario: 'RowBinaryWithNames', input: `records-${agent}.json` }));
for (const { scenario, input } of [...cases, ...records, { scenario: 'transcript', input: 'transcript.jsonl' }]) {
  const [old, now] = [before, after].map(({ executable }) => instructions(executable, scenario, join(UPLOADS, input)));
  const percent = (now / old - 1) * 100;
  const what = `${scenario} of ${input}`;
  const change = `${percent < 0 ? '' : '+'}${percent.toFixed(1)} %`;
  console.log(`  ${what.padEnd(44)} ${old.toFixed(0).padStart(10)} ${now.toFixed(0).padStart(10)}  ${change}`);
  if (percent > MOST_PERCENT) slower.push(`${what} (${change})`);
}
if (slower.length > 0) {
  console.error(`slower by more than ${MOST_PERCENT} %: ${slower.join(', ')}`);
  process.exit(1);
}
