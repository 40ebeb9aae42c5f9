// Finds the built addon and says whether it is an optimised build and up to date with its sources.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The files and folders from which the addon is built. */
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'build.rs', 'src'];

/** The name of an export that only debug builds have; see src/node/error.rs. */
const DEBUG_EXPORT = 'provokePanic';

/** The loader's name for this platform. It needs no npm packages. */
export const { platformName } = createRequire(import.meta.url)('../lib/load.js');

export const addonPath = () => join(ROOT, `git-ai-metrics.${platformName()}.node`);

/**
 * Searches the file's bytes, so it can check an addon of another platform too.
 * @param {string} path
 */
export const isDebugBuild = (path) => readFileSync(path).includes(DEBUG_EXPORT);

/** @returns {'missing' | 'stale' | 'debug' | 'release'} */
export function addonState() {
  const path = addonPath();
  if (!existsSync(path)) return 'missing';
  const changedAt = Math.max(...SOURCES.map((source) => modifiedAt(join(ROOT, source))));
  if (modifiedAt(path) <= changedAt) return 'stale';
  return isDebugBuild(path) ? 'debug' : 'release';
}

/** Throws unless the addon is optimised and up to date, as measuring and releasing require. */
export function requireReleaseAddon() {
  const state = addonState();
  if (state === 'release') return;
  const found = { missing: 'it is not built', stale: 'its sources have changed since', debug: 'it is a debug build' };
  throw new Error(`expected an optimised build of the addon, but ${found[state]}: run npm run build`);
}

/**
 * Returns when the file, or the newest file in the folder, was last written; 0 if there is none.
 * @param {string} path
 * @returns {number}
 */
export function modifiedAt(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  // The folder's own time counts too, because it changes when a file is deleted.
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => modifiedAt(join(path, name))));
}
