// What `npm start` and `npm test` need before they can do anything: npm's packages, cargo, and the built addon. Each is
// looked at, and only what is missing or stale is made, so that a second run starts at once.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What the build of the addon reads. */
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'src'];

const say = (text) => console.log(`• ${text}`);

export function setUp() {
  installPackages();
  requireCargo();
  buildAddon();
}

/** Runs a command in the repository, its output going to the terminal, and ends this process if it fails. */
export function run(command, args, options) {
  const failure = attempt(command, args, options);
  if (failure) fail(failure);
}

/** The same, but for the end: it tells in a line how the command failed, or `undefined` if it didn't. */
export function attempt(command, args, { env = {} } = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: 'inherit',
    // npm and what it installs are scripts on Windows, which only a shell can start; node itself is none.
    shell: process.platform === 'win32' && command !== process.execPath,
  });
  if (status === 0) return undefined;
  return `${[command, ...args].join(' ')} failed: ${error?.message ?? (signal ? `ended by ${signal}` : `exit ${status}`)}`;
}

/** Runs all commands, whichever of them fail, and then ends this process if any did. */
export function runAll(commands) {
  const failures = [];
  for (const { title, command, args } of commands) {
    console.log(title);
    const failure = attempt(command, args);
    if (failure) failures.push(failure);
  }
  if (failures.length > 0) fail(failures.join('\n✗ '));
}

export function fail(message) {
  console.error(`✗ ${message}`);
  process.exit(1);
}

function installPackages() {
  if (packagesAreCurrent()) return;
  say('Installing the npm packages of package-lock.json (half a minute or so) …');
  // NODE_ENV=production would leave out what builds and tests the addon.
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Whether node_modules holds just the versions that the lock names, which npm notes in a lock of its own. */
function packagesAreCurrent() {
  const wanted = readLock('package-lock.json');
  const installed = readLock('node_modules/.package-lock.json');
  if (!installed) return false;
  return Object.entries(wanted).every(
    ([path, { version, optional, link }]) => path === '' || optional || link || installed[path]?.version === version,
  );
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function requireCargo() {
  const { error } = /** @type {{ error?: NodeJS.ErrnoException }} */ (spawnSync('cargo', ['--version'], { cwd: ROOT }));
  if (!error) return;
  fail(
    error.code === 'ENOENT'
      ? 'cargo was not found: the addon is built from Rust. Install Rust from https://rustup.rs, then run this again.'
      : `cargo does not run: ${error.message}`,
  );
}

function buildAddon() {
  const built = modifiedAt(join(ROOT, addonFile()));
  const changed = Math.max(...SOURCES.map((source) => modifiedAt(join(ROOT, source))));
  if (built > changed) return;
  say(
    built === 0
      ? 'Building the addon, optimised (a minute or two the first time) …'
      : 'Building the addon, since its sources have changed …',
  );
  run('npm', ['run', '--silent', 'build']);
}

/** The loader's name for this platform. It needs no npm packages. */
export const { platformName } = createRequire(import.meta.url)('../lib/load.js');

export const addonFile = () => `git-ai-metrics.${platformName()}.node`;

/** When the file, or the newest file in the folder, was last written; 0 if there is none. */
function modifiedAt(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  // The folder's own time tells of files that were deleted.
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => modifiedAt(join(path, name))));
}
