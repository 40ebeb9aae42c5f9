#!/usr/bin/env node
// Completes package-lock.json with the other platforms' binary packages that npm left out of it.
//
// npm records an optional package only if the registry at hand serves it, so a lock written against a mirror without the
// macOS and Windows binaries is one that `npm ci` refuses, there and on those systems. What is missing follows from the
// lock itself: the parent names the package and pins its version, and the package's name says which platform it is for.
// Run it after adding a dependency; where nothing is missing it changes nothing.

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

/** `linux-x64-musl` at the end of a package's name, as the fields by which npm decides whether to install it. */
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
    if (!platform) throw new Error(`${path} needs ${name}, whose name does not tell its platform: complete it by hand`);
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
