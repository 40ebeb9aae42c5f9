import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promptId } from '../index.js';
import { ROOT } from './support';

// The errors that a user sees when the addon can't be loaded. Each cause is made for real, in a process of its own.

const { version, napi, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const ADDON = join(ROOT, readdirSync(ROOT).find((name) => /^git-ai-metrics\..*\.node$/.test(name)) ?? '');
const PLATFORM = /git-ai-metrics\.(.*)\.node$/.exec(ADDON)?.[1] ?? '';
const onLinux = process.platform === 'linux' ? test : test.skip;
const onGlibc = PLATFORM.endsWith('-gnu') ? test : test.skip;

const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-load-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A project with the package installed and, if given, this file as the addon of this platform. */
function project(name: string, addon?: string): string {
  const path = join(folder, name);
  const installed = join(path, 'node_modules', 'git-ai-metrics');
  for (const part of ['package.json', 'index.js', 'lib', 'generated', 'cli']) {
    cpSync(join(ROOT, part), join(installed, part), { recursive: true });
  }
  for (const dependency of Object.keys(dependencies)) {
    symlinkSync(join(ROOT, 'node_modules', dependency), join(path, 'node_modules', dependency), 'junction');
  }
  if (addon !== undefined) {
    const platformPackage = join(path, 'node_modules', `git-ai-metrics-${PLATFORM}`);
    mkdirSync(platformPackage);
    writeFileSync(join(platformPackage, 'package.json'), '{ "main": "addon.node" }');
    // Copy an existing file, since Windows may refuse links. A link can lead to a file that doesn't exist yet.
    const place = join(platformPackage, 'addon.node');
    if (existsSync(addon)) copyFileSync(addon, place);
    else symlinkSync(addon, place);
  }
  return path;
}

/** A file in place of an addon. */
function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const REQUIRE = `
  try {
    console.log(JSON.stringify({ loaded: require('git-ai-metrics').promptId('a', 'b') }));
  } catch (error) {
    const { name, code, message, cause } = error;
    console.log(JSON.stringify({ name, code, message, isError: error instanceof Error, cause: cause?.code }));
  }
`;

interface Setting {
  flags?: string[];
  env?: Record<string, string>;
  command?: string[];
}

function load(cwd: string, { flags = [], env = {}, command = [] }: Setting = {}): Record<string, unknown> {
  const [program = process.execPath, ...args] = [...command, process.execPath];
  const { stdout, stderr } = spawnSync(program, [...args, ...flags, '-e', REQUIRE], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: '', NODE_OPTIONS: '', ...env },
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

const LOADED = { loaded: promptId('a', 'b') };
const missing = (...texts: string[]) => ({
  name: 'GitAiMetricsError',
  code: 'ERR_BINDING_MISSING',
  isError: true,
  // One line with all of these texts.
  message: expect.stringMatching(new RegExp(`^(?=.*${texts.map(escaped).join(')(?=.*')})[^\\n]*$`)),
});
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const at = (path: string) => ({ env: { NAPI_RS_NATIVE_LIBRARY_PATH: path } });

describe('ERR_BINDING_MISSING', () => {
  test('the platform’s package is not installed', () => {
    const found = load(project('not-installed'));
    expect(found).toMatchObject(missing(`git-ai-metrics-${PLATFORM}`, 'not installed', '--omit=optional'));
    expect(found.cause).toBe('MODULE_NOT_FOUND');
  });

  test('a platform without a binary: the message lists the targets', () => {
    const pretend = file('pretend.cjs', `Object.defineProperty(process, 'platform', { value: 'sunos' });`);
    const found = load(project('no-platform'), { flags: ['--require', pretend] });
    expect(found).toMatchObject(missing(`no binary for sunos-${process.arch}`, ...napi.targets));
    expect(found.message).not.toMatch(/install|npm/);
  });

  test('--no-addons', () => {
    const cwd = project('no-addons', ADDON);
    expect(load(cwd)).toEqual(LOADED);
    expect(load(cwd, { flags: ['--no-addons'] })).toMatchObject(missing('--no-addons'));
    expect(load(cwd, { env: { NODE_OPTIONS: '--no-addons' } })).toMatchObject(missing('--no-addons'));
  });

  test('the permission model', () => {
    const cwd = project('permission', ADDON);
    const [major = 0] = process.versions.node.split('.').map(Number);
    const permission = major >= 24 ? '--permission' : '--experimental-permission';
    const readAll = [permission, '--allow-fs-read=*'];
    expect(load(cwd, { flags: readAll })).toMatchObject(missing('permission model', '--allow-addons'));
    expect(load(cwd, { flags: [...readAll, '--allow-addons'] })).toEqual(LOADED);
  });

  onLinux('a file system that is mounted with noexec', () => {
    const cwd = project('noexec', join(folder, 'mounted', 'addon.node'));
    mkdirSync(join(folder, 'mounted'));
    const mount = `mount -t tmpfs -o noexec,size=200m none ${folder}/mounted`;
    const shell = ['unshare', '--mount', 'sh', '-c'];
    // Only root can mount, and not in every container.
    if (spawnSync(shell[0] ?? '', [...shell.slice(1), mount]).status !== 0) return;
    const command = [...shell, `${mount} && cp ${ADDON} ${folder}/mounted/addon.node && exec "$0" "$@"`];
    expect(load(cwd, { command })).toMatchObject(missing(`git-ai-metrics-${PLATFORM}`, 'noexec'));
  });

  test('NAPI_RS_NATIVE_LIBRARY_PATH names no file', () => {
    const path = join(folder, 'none.node');
    expect(load(project('no-file', ADDON), at(path))).toMatchObject(
      missing(path, 'from NAPI_RS_NATIVE_LIBRARY_PATH', 'no such file'),
    );
  });

  test('NAPI_RS_NATIVE_LIBRARY_PATH names a file that is no addon', () => {
    for (const [name, content] of [
      ['text.node', 'This is no addon, however long it may be. '.repeat(100)],
      ['empty.node', ''],
      ['cut-off.node', readFileSync(ADDON).subarray(0, 40)],
    ] as const) {
      const path = file(name, content);
      expect(load(project(`not-${name}`, ADDON), at(path))).toMatchObject(missing(path, `no addon for ${PLATFORM}`));
    }
  });

  test('NAPI_RS_NATIVE_LIBRARY_PATH names the addon of another package', () => {
    const swc = readdirSync(join(ROOT, 'node_modules', '@swc')).find((name) => name.startsWith('core-')) ?? '';
    const addon = readdirSync(join(ROOT, 'node_modules', '@swc', swc)).find((name) => name.endsWith('.node')) ?? '';
    const path = join(ROOT, 'node_modules', '@swc', swc, addon);
    expect(load(project('foreign', ADDON), at(path))).toMatchObject(missing(path, 'not the addon of git-ai-metrics'));
  });

  test('NAPI_RS_NATIVE_LIBRARY_PATH may be relative to where the program runs', () => {
    const cwd = project('relative');
    copyFileSync(ADDON, join(cwd, 'built.node'));
    expect(load(cwd, at('built.node'))).toEqual(LOADED);
  });

  onGlibc('the system’s glibc is older than the binary’s', () => {
    // The dynamic linker compares names, so it also refuses a version that no system has.
    const binary = readFileSync(ADDON);
    const place = binary.lastIndexOf('\0GLIBC_2.');
    expect(place).toBeGreaterThan(0);
    const end = binary.indexOf(0, place + 1);
    const wanted = 'GLIBC_2.'.padEnd(end - place - 1, '9');
    binary.write(wanted, place + 1);
    const found = load(project('glibc', file('glibc.node', binary)));
    expect(found).toMatchObject(
      missing(`git-ai-metrics-${PLATFORM}`, wanted.replace('_', ' '), 'this system has GLIBC'),
    );
  });
});

describe('ERR_BINDING_MISMATCH', () => {
  const mismatch = (found: string) => ({
    name: 'GitAiMetricsError',
    code: 'ERR_BINDING_MISMATCH',
    isError: true,
    message: expect.stringMatching(new RegExp(`JavaScript.*${escaped(version)}.*binary.*${escaped(found)}.*install`)),
  });

  test('a binary of another version under this JavaScript', () => {
    const newer = file(
      'newer.js',
      `module.exports = { BatchDecoder: class {}, bindingInfo: () => ({ version: '9.0.0', layout: '0' }) };`,
    );
    expect(load(project('newer'), at(newer))).toMatchObject(mismatch('9.0.0'));
  });

  test('this binary under a JavaScript of another version', () => {
    const cwd = project('older', ADDON);
    const path = join(cwd, 'node_modules', 'git-ai-metrics', 'package.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(`"version": "${version}"`, '"version": "0.0.9"'));
    const { code, message } = load(cwd);
    expect(code).toBe('ERR_BINDING_MISMATCH');
    expect(message).toMatch(new RegExp(`is 0\\.0\\.9 .* is ${escaped(version)} `));
  });

  test('a binary of the same version that was built from other sources', () => {
    const { LAYOUT } = require('../generated/protocol.js');
    const other = file(
      'other.js',
      `module.exports = { BatchDecoder: class {}, bindingInfo: () => ({ version: '${version}', layout: 'other' }) };`,
    );
    const found = load(project('other'), at(other));
    expect(found).toMatchObject(mismatch(`${version} (layout other)`));
    expect(found.message).toContain(`${version} (layout ${LAYOUT})`);
  });

  test('a binary without bindingInfo', () => {
    const old = file('old.js', 'module.exports = { BatchDecoder: class {} };');
    expect(load(project('old'), at(old))).toMatchObject(mismatch('of an earlier version'));
  });
});

describe('the command without a binary', () => {
  let main: string;
  beforeAll(() => {
    main = join(project('cli'), 'node_modules', 'git-ai-metrics', 'cli', 'main.js');
  });
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', input: '{"v":1,"events":[]}' });

  test('--version and every --help work', () => {
    expect(cli('--version')).toMatchObject({ stdout: `${version}\n`, stderr: '', status: 0 });
    const { stdout, stderr, status } = cli('--help');
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const list = stdout.slice(stdout.indexOf('Commands:'), stdout.indexOf('Options:'));
    const commands = list.match(/^ {2}[a-z]+/gm)?.map((name) => name.trim()) ?? [];
    expect(commands).toEqual(expect.arrayContaining(['decode', 'check', 'capture']));
    for (const command of commands) {
      const help = cli(command, '--help');
      expect(help).toMatchObject({ stderr: '', status: 0 });
      expect(help.stdout).toContain(`Usage: git-ai-metrics ${command}`);
    }
  });

  test('anything else prints one line and exits with 2', () => {
    for (const args of [['decode'], ['check'], ['capture', join(ROOT, 'examples', 'transcript.jsonl')]]) {
      const { stdout, stderr, status } = cli(...args);
      expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
      expect(stderr).toMatch(/^git-ai-metrics: cannot load the package git-ai-metrics-.* not installed.*\n$/);
    }
  });
});

test('the loader requires the package of each target in package.json by its full name', () => {
  const release = join(folder, 'release');
  mkdirSync(release);
  copyFileSync(join(ROOT, 'package.json'), join(release, 'package.json'));
  const { status } = spawnSync(join(ROOT, 'node_modules', '.bin', 'napi'), ['create-npm-dirs'], {
    cwd: release,
    shell: process.platform === 'win32',
  });
  expect(status).toBe(0);
  const platforms = readdirSync(join(release, 'npm')).sort();
  const loader = readFileSync(join(ROOT, 'lib', 'load.js'), 'utf8');
  expect(napi.targets).toHaveLength(platforms.length);
  expect(loader.match(/(?<=require\('git-ai-metrics-)[^']+/g)?.sort()).toEqual(platforms);
  rmSync(dirname(join(release, 'npm')), { recursive: true });
});
