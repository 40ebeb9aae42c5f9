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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');
const { version, napi, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-package-'));
const release = join(folder, 'package');
const installed = join(folder, 'consumer');
afterAll(() => rmSync(folder, { recursive: true }));

const windows = process.platform === 'win32';

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: windows && command !== process.execPath,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? `exit ${status}`}\n${stdout}${stderr}`);
  return stdout;
}

const node = (...args: string[]): string => run(installed, process.execPath, ...args);
const ofDevelopment = (name: string): string => join(ROOT, 'node_modules', '.bin', name);

/** Packs the package in a folder. Returns the path of its tarball and the files in it. */
function pack(cwd: string): { tarball: string; files: string[] } {
  const [{ filename, files }] = JSON.parse(
    run(cwd, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder),
  );
  return { tarball: join(folder, filename), files: files.map(({ path }: { path: string }) => path) };
}

let packed: string[];
let platformFiles: string[];

// Does everything of a release except publishing. Makes the packages of all platforms, moves this platform's addon into
// its package, adds all of them to the main package, then packs both and installs them in an empty folder.
beforeAll(() => {
  run(folder, 'tar', '-xf', pack(ROOT).tarball);
  run(release, ofDevelopment('napi'), 'create-npm-dirs');
  const platforms = readdirSync(join(release, 'npm'));
  const addon = (platform: string) => `${napi.binaryName}.${platform}.node`;
  const built = platforms.filter((platform) => existsSync(join(ROOT, addon(platform))));
  mkdirSync(join(release, 'artifacts'));
  for (const platform of platforms) {
    const path = join(release, 'artifacts', addon(platform));
    // napi requires the addons of all platforms. The others get a stand-in, which isn't installed.
    if (built.includes(platform)) copyFileSync(join(ROOT, addon(platform)), path);
    else writeFileSync(path, `stand-in for the addon of ${platform}`);
  }
  run(release, ofDevelopment('napi'), 'artifacts');
  run(release, ofDevelopment('napi'), 'prepublish', '--tag-style', 'npm', '--skip-optional-publish', '--no-gh-release');
  rmSync(join(release, 'artifacts'), { recursive: true });

  const addons = built.map((platform) => pack(join(release, 'npm', platform)));
  platformFiles = addons.flatMap(({ files }) => files);
  const main = pack(release);
  packed = main.files;

  mkdirSync(installed);
  writeFileSync(join(installed, 'package.json'), '{ "private": true }\n');
  // Installing from a lock file leaves a dependency's files in npm's cache, but not the list of its versions, without
  // which npm doesn't find it offline. As a tarball it needs no list.
  const needed = Object.keys(dependencies).map((name) => pack(join(ROOT, 'node_modules', name)));
  const tarballs = [main, ...addons, ...needed].map(({ tarball }) => tarball);
  // Offline, the other platforms' packages are unavailable. npm leaves them out, as on a user's machine.
  run(installed, 'npm', 'install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', ...tarballs);
});

test('the main package has no addon; the platform package has only the addon', () => {
  for (const name of [
    'index.js',
    'index.d.ts',
    'lib/load.js',
    'cli/main.js',
    'README.md',
    'LICENSE-MIT',
    'LICENSE-APACHE',
  ]) {
    expect(packed).toContain(name);
  }
  expect(
    packed.filter((name) => /\.node$|\.rs$|\.tgz$|^(__test__|scripts|target|fuzz|benchmark|npm)\//.test(name)),
  ).toEqual([]);
  expect(platformFiles.filter((name) => name.endsWith('.node'))).not.toEqual([]);
});

test('the main package names one optional package of its own version for each target', () => {
  const manifest = JSON.parse(readFileSync(join(release, 'package.json'), 'utf8'));
  expect(Object.keys(manifest.optionalDependencies).sort()).toEqual([
    'git-ai-metrics-darwin-arm64',
    'git-ai-metrics-darwin-x64',
    'git-ai-metrics-linux-arm64-gnu',
    'git-ai-metrics-linux-arm64-musl',
    'git-ai-metrics-linux-x64-gnu',
    'git-ai-metrics-linux-x64-musl',
    'git-ai-metrics-win32-x64-msvc',
  ]);
  expect(napi.targets).toHaveLength(7);
  expect(new Set(Object.values(manifest.optionalDependencies))).toEqual(new Set([version]));
});

const PROGRAM = `
  const body = '{"v":1,"events":[{"t":1,"e":5,"v":{"11":"null → “nichts”"},"a":{}}]}';
  const [event] = parseMetricsBatch(Buffer.from(body)).events;
  console.log(event.values.inputText, encodeMetricsBatch([event]).toString() === body, new PromptEventBuilder().kind('ToolCall').build({}, 1).values.kind);
`;
const PROGRAM_PRINTS = 'null → “nichts” true ToolCall\n';

test('CommonJS requires it', () => {
  writeFileSync(
    join(installed, 'program.cjs'),
    `const { parseMetricsBatch, encodeMetricsBatch, PromptEventBuilder } = require('git-ai-metrics');${PROGRAM}`,
  );
  expect(node('program.cjs')).toBe(PROGRAM_PRINTS);
});

test('an ES module imports it by names', () => {
  writeFileSync(
    join(installed, 'program.mjs'),
    `import { parseMetricsBatch, encodeMetricsBatch, PromptEventBuilder } from 'git-ai-metrics';${PROGRAM}`,
  );
  expect(node('program.mjs')).toBe(PROGRAM_PRINTS);
});

test('ES modules see every name that CommonJS sees', () => {
  writeFileSync(
    join(installed, 'names.mjs'),
    `import { createRequire } from 'node:module';
     import * as names from 'git-ai-metrics';
     const required = Object.keys(createRequire(import.meta.url)('git-ai-metrics'));
     console.log(JSON.stringify({ required, missing: required.filter((name) => !Object.hasOwn(names, name)) }));`,
  );
  const { required, missing } = JSON.parse(node('names.mjs'));
  expect(required).toEqual(expect.arrayContaining(['parseMetricsBatch', 'PromptEventBuilder', 'WIRE_VERSION']));
  expect(missing).toEqual([]);
});

test('its files are found by name', () => {
  const resolve = (name: string) => node('-p', `require.resolve('git-ai-metrics/${name}')`).trim();
  expect(JSON.parse(readFileSync(resolve('package.json'), 'utf8')).version).toBe(version);
  for (const file of [
    'examples/upload.json',
    'examples/transcript.jsonl',
    'sql/insert.sql',
    'sql/single/0001_tables.sql',
  ]) {
    expect(readFileSync(resolve(file))).toEqual(readFileSync(join(ROOT, file)));
  }
});

test('the command runs', () => {
  const upload = join(ROOT, 'examples', 'upload.json');
  const command = join('node_modules', '.bin', 'git-ai-metrics');
  expect(run(installed, command, '--version')).toBe(`${version}\n`);
  expect(run(installed, command, 'check', upload)).toContain('nothing wrong');
});

test.each(['node16', 'nodenext', 'bundler'])('its types are right for a strict consumer under %s resolution', (way) => {
  cpSync(join(ROOT, '__test__', 'types'), join(installed, 'types'), { recursive: true });
  mkdirSync(join(installed, 'node_modules', '@types'), { recursive: true });
  for (const dependency of ['@types/node', 'undici-types']) {
    cpSync(join(ROOT, 'node_modules', dependency), join(installed, 'node_modules', dependency), { recursive: true });
  }
  run(installed, ofDevelopment('tsc'), '--project', join('types', `tsconfig.${way}.json`));
});

test('publint and are-the-types-wrong find no fault', () => {
  const [tarball] = readdirSync(folder).filter((name) => name === `git-ai-metrics-${version}.tgz`);
  const path = join(folder, tarball ?? '');
  run(folder, ofDevelopment('publint'), path, '--strict');
  run(folder, ofDevelopment('attw'), path, '--exclude-entrypoints', './examples/*', './package.json', './sql/*');
});
