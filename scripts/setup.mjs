// Sets up what `npm start` and `npm test` need: cargo, npm's packages, the built addon, and for tests a browser. It makes
// only what is missing or stale, so a second run starts at once.

import { spawnSync } from 'node:child_process';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addonPath, addonState, modifiedAt, ROOT } from './addon.mjs';
import { findChromium } from './chromium.cjs';

export { ROOT };

/**
 * @param {object} [needs]
 * @param {boolean} [needs.sessions] also install the packages of the workspace `sessions`
 * @param {boolean} [needs.release] replace a debug build of the addon by an optimised one
 * @param {boolean} [needs.browser] also install a browser, where a package manager can
 */
export function setUp({ sessions = true, release = true, browser = false } = {}) {
  const steps = [];
  if (!packagesAreCurrent(sessions)) steps.push(installPackages(sessions));
  const state = addonState();
  if (!(state === 'release' || (state === 'debug' && !release))) steps.push(buildAddon(state, release));
  // Before the downloads, so you learn at once that cargo is missing.
  if (steps.length > 0) requireCargo();
  if (browser && findChromium() === undefined) {
    if (canInstallChromium()) steps.push(installChromium());
    else console.log(WITHOUT_CHROMIUM);
  }
  for (const [index, { title, make }] of steps.entries()) {
    console.log(`(${index + 1}/${steps.length}) ${title} …`);
    make();
  }
}

/** Everything in `sessions` that isn't made by its build. */
const SESSIONS_SOURCES = ['package.json', 'tsconfig.json', 'src', 'web'].map((name) => join(ROOT, 'sessions', name));

/** Builds the backend unless its build is newer than all that it is built from. */
export function buildSessions() {
  const built = join(ROOT, 'sessions', 'dist', '.built');
  const sources = [...SESSIONS_SOURCES, join(ROOT, 'index.d.ts'), join(ROOT, 'package-lock.json')];
  const startedAt = new Date();
  if (Math.max(...sources.map(modifiedAt)) < modifiedAt(built)) return;
  run('npm', ['run', '--silent', 'build', '--workspace', 'sessions']);
  writeFileSync(built, '');
  utimesSync(built, startedAt, startedAt);
}

/** Runs a command in the repository, with its output on the terminal. Ends this process if the command fails. */
export function run(command, args, options) {
  const failure = attempt(command, args, options);
  if (failure) fail(failure);
}

/** Runs a command like `run`. Returns one line about its failure, or `undefined`. */
export function attempt(command, args, { env = {} } = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: 'inherit',
    // On Windows, npm and the commands that it installs are scripts, which only a shell can start.
    shell: process.platform === 'win32' && command !== process.execPath,
  });
  if (status === 0) return undefined;
  return `${[command, ...args].join(' ')} failed: ${error?.message ?? (signal ? `ended by ${signal}` : `exit ${status}`)}`;
}

/** Runs all commands, even after a failure. Ends this process if any failed. */
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

// ---- npm's packages -------------------------------------------------------------------------------------------------

/** Sizes as npm's cache and `du` show them after an install on Linux. */
const PACKAGES = {
  addon: { size: '144 MB to download, 315 MB on disk', ci: ['--workspaces=false'] },
  sessions: { size: '323 MB to download, 880 MB on disk, most of it ClickHouse', ci: [] },
};

function installPackages(sessions) {
  const { size, ci } = sessions ? PACKAGES.sessions : PACKAGES.addon;
  return {
    title: `Installing npm packages (${size})`,
    // NODE_ENV=production would leave out the packages that build and test the addon.
    make: () => run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error', ...ci]),
  };
}

/**
 * Whether node_modules holds the versions of package-lock.json. npm records the installed versions in a lock of its
 * own.
 */
function packagesAreCurrent(sessions) {
  const wanted = readLock('package-lock.json');
  const installed = readLock('node_modules/.package-lock.json');
  if (!installed) return false;
  // npm installs a package together with its dependencies, so checking those in the addon's package.json is enough.
  const needed = sessions
    ? Object.keys(wanted).filter((path) => path.includes('node_modules/'))
    : Object.keys({ ...wanted[''].dependencies, ...wanted[''].devDependencies }).map((name) => `node_modules/${name}`);
  const isMissing = (path) => !wanted[path].optional && !installed[path];
  const isAnother = (path) => installed[path].version !== wanted[path]?.version;
  return !needed.some(isMissing) && !Object.keys(installed).some(isAnother);
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

// ---- a browser ------------------------------------------------------------------------------------------------------

const WITHOUT_CHROMIUM =
  'There is no Chromium here, so the tests of the dashboard that need a browser are skipped. Install Chromium or Chrome, or set CHROMIUM to its path.';

/** Whether this is root on a system with apt-get, such as a container of Debian. */
function canInstallChromium() {
  return process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0;
}

function installChromium() {
  return {
    title: 'Installing Chromium for the tests of the dashboard (65 MB to download and more for its libraries)',
    make() {
      const install = ['install', '--yes', '--quiet', '--no-install-recommends'];
      // The list of packages of a fresh image is empty or old.
      attempt('apt-get', ['update', '--quiet']);
      // Without windows it takes a fifth less time, but not every distribution has it.
      for (const name of ['chromium-headless-shell', 'chromium']) {
        if (findChromium() === undefined) attempt('apt-get', [...install, name], { env: UNATTENDED });
      }
      if (findChromium() === undefined) console.log(WITHOUT_CHROMIUM);
    },
  };
}

const UNATTENDED = { DEBIAN_FRONTEND: 'noninteractive' };

// ---- the addon ------------------------------------------------------------------------------------------------------

function requireCargo() {
  const { error, stdout } = spawnSync('cargo', ['--version'], { cwd: ROOT, encoding: 'utf8' });
  if (/** @type {NodeJS.ErrnoException | undefined} */ (error)?.code === 'ENOENT') {
    fail(
      'cargo was not found: the addon is built from Rust. Install Rust from https://rustup.rs, then run this again.',
    );
  }
  if (error) fail(`cargo does not run: ${error.message}`);
  const needed = readFileSync(join(ROOT, 'Cargo.toml'), 'utf8').match(/^rust-version = "(.*)"$/m)?.[1];
  const found = stdout.match(/^cargo (\d+\.\d+)/)?.[1];
  if (needed && found && isOlder(found, needed)) {
    fail(`Rust ${found} is too old: the addon needs ${needed} or later. Run rustup update, then run this again.`);
  }
}

function isOlder(version, than) {
  const [[major, minor], [thanMajor, thanMinor]] = [version, than].map((text) => text.split('.').map(Number));
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

function buildAddon(state, release) {
  const reason = {
    missing: '2 to 5 minutes the first time on two cores; 22 MB of crates to download',
    stale: 'its sources have changed: half a minute, or more if its dependencies have too',
    debug: 'a debug build is there: half a minute, or 2 to 5 minutes if this is the first optimised one',
  }[state];
  return {
    title: release ? `Building the addon, optimised (${reason})` : 'Building the addon, unoptimised',
    make() {
      const startedAt = new Date();
      run('npm', ['run', '--silent', release ? 'build' : 'build:debug']);
      // Date the addon from the start, so a source edited during the build counts as newer.
      utimesSync(addonPath(), startedAt, startedAt);
    },
  };
}
