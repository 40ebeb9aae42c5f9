#!/usr/bin/env node
// Adds the other platforms' binary packages to package-lock.json if npm left them out.
//
// npm records an optional package only if the registry serves it. A lock written against a mirror without the macOS and
// Windows binaries is refused by `npm ci` on those systems. The missing entries follow from the lock itself: the parent
// names the package and pins its version, and the package's name contains the platform. Run this after you add a
// dependency. It changes nothing if the lock is complete.

import { readFileSync, writeFileSync } from 'node:fs';

const OS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'wasm32',
  'win32',
];
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** Turns the `linux-x64-musl` in a package's name into the fields by which npm decides whether to install it. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const start = words.findIndex((word, at) => at > 0 && OS.includes(word));
  if (start < 0) return undefined;
  const [os, cpu, abi] = words.slice(start);
  if (os === 'wasm32') return { cpu: ['wasm32'] };
  return { cpu: [cpu], ...(os === 'linux' && LIBC[abi] && { libc: [LIBC[abi]] }), os: [os] };
}

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = [];
for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(optionalDependencies)) {
    const hoisted = `node_modules/${name}`;
    if (!path || lock.packages[`${path}/${hoisted}`] || lock.packages[hoisted]) continue;
    const platform = platformOf(name);
    if (!platform)
      throw new Error(`${path} needs ${name}, whose name does not contain its platform: complete it by hand`);
    const version = range.replace(/^[\^~=v]+/, '');
    lock.packages[hoisted] = { version, ...platform, ...(dev && { dev }), optional: true };
    added.push(`${name}@${version}`);
  }
}

if (added.length > 0) {
  const [root, ...rest] = Object.entries(lock.packages);
  lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => a.localeCompare(b, 'en'))]);
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
}
console.log(
  added.length > 0 ? `Added to package-lock.json:\n  ${added.join('\n  ')}` : 'package-lock.json is complete.',
);
