'use strict';

// Finds and loads the addon, and refuses one that was not built together with this JavaScript. Loading fails on users'
// machines, before anything else runs. So each error names the real cause and says how to fix it.

const { existsSync, readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join, resolve } = require('node:path');
const { LAYOUT } = require('../generated/protocol.js');
const { napi, version } = require('../package.json');
const { GitAiMetricsError } = require('./errors.js');

/** Set this variable to load an addon from elsewhere. It replaces all other places, as in every napi-rs package. */
const PATH_VARIABLE = 'NAPI_RS_NATIVE_LIBRARY_PATH';

/**
 * Requires a platform's package. Returns `undefined` for a platform without one. Each name is written in full and
 * inside `try`, because bundlers and file tracers read the names from the source and find only one of the packages
 * installed.
 *
 * @param {string} platform
 */
function requirePackage(platform) {
  try {
    switch (platform) {
      case 'linux-x64-gnu':
        return require('git-ai-metrics-linux-x64-gnu');
      case 'linux-arm64-gnu':
        return require('git-ai-metrics-linux-arm64-gnu');
      case 'linux-x64-musl':
        return require('git-ai-metrics-linux-x64-musl');
      case 'linux-arm64-musl':
        return require('git-ai-metrics-linux-arm64-musl');
      case 'darwin-x64':
        return require('git-ai-metrics-darwin-x64');
      case 'darwin-arm64':
        return require('git-ai-metrics-darwin-arm64');
      case 'win32-x64-msvc':
        return require('git-ai-metrics-win32-x64-msvc');
    }
  } catch (error) {
    throw unloadable(`the package git-ai-metrics-${platform}`, error, platform);
  }
}

/** @returns {typeof import('../binding')} */
function loadBinding() {
  const path = process.env[PATH_VARIABLE];
  if (path) return checked(requireFile(path, `${path} (from ${PATH_VARIABLE})`), `${path} (from ${PATH_VARIABLE})`);
  const platform = platformName();
  // In a checkout of this package, the addon is built beside package.json.
  const built = join(__dirname, '..', `git-ai-metrics.${platform}.node`);
  if (existsSync(built)) return checked(requireFile(built, built), built);
  const binding = requirePackage(platform);
  if (binding === undefined) {
    const message = `git-ai-metrics has no binary for ${platform}; it has binaries for ${napi.targets.join(', ')}`;
    throw new GitAiMetricsError('ERR_BINDING_MISSING', message);
  }
  return checked(binding, `the package git-ai-metrics-${platform}`);
}

/**
 * @param {string} path
 * @param {string} place for messages
 */
function requireFile(path, place) {
  try {
    // A plain `require` would make bundlers look for the file.
    return createRequire(__filename)(resolve(path));
  } catch (error) {
    throw unloadable(place, error, platformName());
  }
}

/**
 * Refuses an addon of another version, or one built from other sources. Its cells would be misread without any error. A
 * package manager can install such a pair, and so can an edit without a build.
 */
function checked(binding, place) {
  if (typeof binding?.BatchDecoder !== 'function') {
    const message = `${place} was loaded, but it is not the addon of git-ai-metrics`;
    throw new GitAiMetricsError('ERR_BINDING_MISSING', message);
  }
  const found = binding.bindingInfo?.() ?? {};
  if (found.version === version && found.layout === LAYOUT) return binding;
  const named = (version, layout) => (version && layout ? `${version} (layout ${layout})` : 'of an earlier version');
  throw new GitAiMetricsError(
    'ERR_BINDING_MISMATCH',
    `the JavaScript of git-ai-metrics is ${named(version, LAYOUT)}, but its binary, ${place}, is ` +
      `${named(found.version, found.layout)}: install both at the same version, or build the binary again`,
  );
}

/** Returns the platform as in the packages' names, such as `linux-x64-gnu`. */
function platformName() {
  const { platform, arch } = process;
  if (platform === 'linux') return `linux-${arch}-${libcName()}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

function libcName() {
  try {
    // The C library installs this script. Reading it is faster than making a report.
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl') ? 'musl' : 'gnu';
  } catch {
    // Slim images don't have it.
    const { sharedObjects } = processReport();
    return sharedObjects.some((path) => path.includes('ld-musl-') || path.includes('libc.musl-')) ? 'musl' : 'gnu';
  }
}

/** @returns {{ glibcVersionRuntime?: string, sharedObjects: string[] }} */
function processReport() {
  const report = /** @type {any} */ (process.report);
  if (typeof report?.getReport !== 'function') return { sharedObjects: [] };
  // Without this, the report looks up the host names of open connections, which can take seconds.
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  const { header, sharedObjects = [] } = report.getReport() ?? {};
  report.excludeNetwork = excludeNetwork;
  return { glibcVersionRuntime: header?.glibcVersionRuntime, sharedObjects };
}

/**
 * @param {string} place the file or package, for the message
 * @param {any} error Node's error
 * @param {string} platform
 */
function unloadable(place, error, platform) {
  return new GitAiMetricsError('ERR_BINDING_MISSING', `cannot load ${place}: ${reasonFor(error, platform)}`, {
    cause: error,
  });
}

/** Says in one line why Node could not load an addon and how to fix it. */
function reasonFor({ code, message }, platform) {
  const text = String(message);
  if (/** @type {any} */ (process).permission !== undefined && /^ERR_(DLOPEN_DISABLED|ACCESS_DENIED)$/.test(code)) {
    return code === 'ERR_ACCESS_DENIED'
      ? 'Node’s permission model forbids reading it; allow that with --allow-fs-read'
      : 'Node’s permission model forbids addons; allow them with --allow-addons';
  }
  if (code === 'ERR_DLOPEN_DISABLED') return 'Node runs with --no-addons; start it without';
  if (code === 'MODULE_NOT_FOUND') {
    return process.env[PATH_VARIABLE]
      ? 'there is no such file'
      : 'it is not installed. It is an optional dependency: install without --omit=optional, on the platform where the ' +
          'program runs (this is ' +
          `${platform})`;
  }
  if (/failed to map segment|Operation not permitted/.test(text)) {
    return 'the system refuses to run code from there; is it on a file system mounted with noexec?';
  }
  const glibc = /version [`'"]?(GLIBC_[\d.]+)/.exec(text);
  if (glibc) {
    const found = processReport().glibcVersionRuntime;
    return `it needs ${glibc[1]?.replace('_', ' ')}, and this system has ${found ? `GLIBC ${found}` : 'none'}; use a newer system`;
  }
  if (
    /invalid ELF header|file too short|wrong ELF class|not a mach-o|not a valid Win32|slice is not valid/i.test(text)
  ) {
    return `it is no addon for ${platform}, or the file is damaged`;
  }
  if (/did not self-register/.test(text)) return 'it is not an addon of Node';
  return text.split('\n', 1)[0] ?? text;
}

module.exports = { loadBinding, platformName };
