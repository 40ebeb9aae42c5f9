'use strict';

// Before all tests: some run the command, and a process of its own can't run TypeScript.

const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const SESSIONS = join(__dirname, '..', '..');

module.exports = () => {
  // The addon can be set up and tested without the backend, whose packages this one is among.
  if (!existsSync(join(SESSIONS, '..', 'node_modules', 'preact'))) return;
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--project', SESSIONS], { encoding: 'utf8' });
  const web = spawnSync(process.execPath, [join(SESSIONS, 'web', 'build.mjs')], { encoding: 'utf8' });
  if (web.status !== 0) throw new Error(`the dashboard does not build:\n${web.stdout}${web.stderr}`);
  // What has wrong types is written all the same; `npm run typecheck` is what fails then.
  if (status !== 0) console.error(`sessions/ does not compile:\n${stdout}`);
};
