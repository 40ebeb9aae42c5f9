/** `npm start`, once all is built. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithClickHouse } from '../sessions/test/support/clickhouse.ts';
import { bodyOf, ROOT } from './support';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-start-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function script(name: string, ...args: string[]) {
  // Paths are meant from where npm was called.
  const env = { ...process.env, INIT_CWD: folder };
  return spawnSync(process.execPath, [join('scripts', name), ...args], { cwd: ROOT, env, encoding: 'utf8' });
}

/** Runs the text of an ES module as if it were a file at the root. */
function module(text: string) {
  return spawnSync(process.execPath, ['--input-type=module', '--eval', text], { cwd: ROOT, encoding: 'utf8' });
}

const dashboard = (...args: string[]) => script('dashboard.mjs', '--data', 'data', ...args);
const figures = (output: string) => output.slice(output.indexOf('\nSessions'));

test.each([[['--help']], [['-h', 'no-such-file.json', '--limit', '0']]])(
  '%j tells what there is, before anything is built',
  (args) => {
    const { status, stdout } = script('start.mjs', ...args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: npm start/);
    for (const option of ['--data', '--org', '--limit', '--help']) expect(stdout).toContain(option);
  },
);

test.each([
  [['--nonsense'], "Unknown option '--nonsense'"],
  [['--data'], "Option '--data <value>' argument missing"],
  [['--limit', '0'], '--limit takes a number of at least 1'],
  [['--limit', 'many'], '--limit takes a number of at least 1'],
  [['--org', ''], '--org takes an id that is not empty'],
  [['no-such-file.json'], 'there is no '],
])('misuse, %j, is one clear line', (args, line) => {
  const { status, stdout, stderr } = script('start.mjs', ...args);
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^npm start: .*\n$/);
  expect(stderr).toContain(line);
});

test.each(['abc', '0', '1.5'])('%j rounds of kills are refused in one line', (rounds) => {
  const { status, stdout, stderr } = script('kill-rounds.mjs', rounds);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toBe(`kill-rounds takes a number of rounds of at least 1, found "${rounds}"\n`);
});

describeWithClickHouse('the dashboard of npm start', () => {
  test('shows the sample uploads, and the same figures a second time', () => {
    const first = dashboard();
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toMatch(/Stored 5 uploads in [\d.]+ s: 697 rows of prompt events; 10 events of other metrics/);
    const shown = figures(first.stdout);
    expect(shown).toMatch(/ended \(user_quit\) +6 +21 +2 +27 min +7 min +Ibrahim Khan +Add a dark mode/);
    expect(shown).toMatch(/^32 +9 +28\.1 % .* Bash$/m);
    expect(shown).toMatch(/^12 +7 +3 +2 .*review\/SKILL\.md$/m);
    expect(shown).toMatch(/unresolved$/m);
    const second = dashboard();
    expect(second.status).toBe(0);
    expect(figures(second.stdout)).toBe(shown);
  }, 60_000);

  test('takes files and folders, one upload a file or one a line, each org for itself', () => {
    const event = (session: string) =>
      `{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"${session}:1","11":"Title of ${session}"},"a":{"22":"${session}"}}`;
    mkdirSync(join(folder, 'uploads', 'deeper'), { recursive: true });
    writeFileSync(join(folder, 'uploads', 'deeper', 'one.json'), bodyOf(event('one')));
    writeFileSync(join(folder, 'uploads', 'lines.jsonl'), `${bodyOf(event('two'))}\n\n${bodyOf(event('three'))}`);
    writeFileSync(join(folder, 'uploads', 'README.txt'), 'not an upload');
    writeFileSync(join(folder, 'four'), bodyOf(event('four')));
    const { status, stdout, stderr } = dashboard('--org', 'acme', 'uploads', 'four');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Stored 4 uploads');
    for (const session of ['one', 'two', 'three', 'four']) expect(stdout).toContain(`Title of ${session}`);

    const other = dashboard('--org', 'another', 'four');
    expect(other.stdout).toContain('Title of four');
    expect(other.stdout).not.toContain('Title of one');
    expect(dashboard('--org', 'acme', '--limit', '1', 'four').stdout.match(/Title of/g)).toHaveLength(1);
  }, 60_000);

  test('says what it could not take, takes the rest, and exits with 1', () => {
    writeFileSync(join(folder, 'broken.json'), '{"v":1,');
    writeFileSync(
      join(folder, 'partly.json'),
      bodyOf('{"t":-1,"e":5,"v":{},"a":{}}', '{"t":1,"e":5,"v":{"1":"p:1"},"a":{}}'),
    );
    cpSync(join(ROOT, 'examples', 'upload.json'), join(folder, 'good.json'));
    const { status, stdout, stderr } = dashboard('broken.json', 'partly.json', 'good.json');
    expect(status).toBe(1);
    expect(stderr).toMatch(/✗ .*broken\.json: the body is not JSON: .* line 1 column 8\n/);
    expect(stderr).toMatch(/✗ .*partly\.json: events\[0\]\.t: expected a u32 of unix seconds, found -1\n/);
    expect(stdout).toContain('Stored 2 uploads');
    expect(stdout).toContain('Please review the parser');
  }, 60_000);

  test('says which paths it could not read, and takes the rest', () => {
    const uploads = join(folder, 'uploads');
    mkdirSync(uploads);
    cpSync(join(ROOT, 'examples', 'upload.json'), join(uploads, 'upload.json'));
    symlinkSync('gone', join(uploads, 'a-dangling.json'));
    symlinkSync('.', join(uploads, 'b-loop.json'));
    symlinkSync('c-self.json', join(uploads, 'c-self.json'));
    symlinkSync('upload.json', join(uploads, 'd-link.json'));
    execFileSync('mkfifo', [join(uploads, 'e-pipe.json')]);
    writeFileSync(join(uploads, 'f-huge.jsonl'), '');
    // Takes no space: it is one hole.
    truncateSync(join(uploads, 'f-huge.jsonl'), 2 ** 31);
    const { status, stdout, stderr } = dashboard('uploads');
    expect(status).toBe(1);
    const told = stderr.split('\n').map((line) => line.replace(`✗ ${uploads}/`, '').replace(/(E[A-Z]+): .*/, '$1'));
    expect(told).toEqual([
      'a-dangling.json: ENOENT',
      'b-loop.json: not a regular file',
      'c-self.json: ELOOP',
      'e-pipe.json: not a regular file',
      expect.stringMatching(/^f-huge\.jsonl: File size .* is greater than 2 GiB$/),
      '',
    ]);
    expect(stdout).toContain('Stored 2 uploads');
    expect(stdout).toContain('Please review the parser');
  }, 60_000);

  test('an upload cannot steer the terminal', () => {
    const hostile = '\\u001b[2J\\u202eevil';
    writeFileSync(
      join(folder, 'hostile.json'),
      bodyOf(`{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"p:1","11":"${hostile}"},"a":{"2":"${hostile}"}}`),
    );
    const { stdout } = dashboard('hostile.json');
    expect(stdout).toContain('evil');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
    expect(stdout).not.toMatch(/[\u001b\u202e]/);
  }, 60_000);

  test('a time that no calendar has is shown as the number that it is', () => {
    const skill = (session: string, mtime: number) =>
      `{"t":1775587555,"e":5,"v":{"0":"SkillInvocation","1":"${session}:1","12":"/${session}/SKILL.md","13":${mtime}},"a":{"22":"${session}"}}`;
    writeFileSync(join(folder, 'skills.json'), bodyOf(skill('beyond', 2 ** 53 - 1), skill('last', 8.64e15)));
    const { status, stdout, stderr } = dashboard('skills.json');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/ 9007199254740991 ms +\/beyond\/SKILL\.md$/m);
    expect(stdout).toMatch(/ \+275760-09-13 +\/last\/SKILL\.md$/m);
  }, 60_000);

  test('a folder without uploads shows an empty dashboard', () => {
    mkdirSync(join(folder, 'empty'));
    const { status, stdout } = dashboard('empty');
    expect(status).toBe(0);
    expect(stdout).toContain('Stored 0 uploads');
    expect(figures(stdout).match(/ {2}none/g)).toHaveLength(3);
  }, 60_000);

  test('a data directory that another process has open is one clear line', async () => {
    mkdirSync(join(folder, 'data'));
    const holder = spawn(process.execPath, [join(__dirname, 'chdb-child.cjs'), join(folder, 'data', 'clickhouse')], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    await new Promise((resolve) => holder.once('message', resolve));
    const { status, stderr } = dashboard();
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    holder.disconnect();
    await ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/✗ cannot open .*: is another process using it\?\n$/);
  }, 60_000);

  test.each(['d{1,2}', 'd*', 'd?'])('a data directory %s, a pattern to ClickHouse, is refused in one line', (data) => {
    const { status, stdout, stderr } = script('dashboard.mjs', '--data', data);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toBe(`✗ cannot open ${join(folder, data)}: its path may not hold *, ?, { or }\n`);
    expect(existsSync(join(folder, data))).toBe(false);
  });

  test('an insert of which ClickHouse stored fewer rows than it was given is an error', () => {
    const { status, stderr } = module(`
      import metrics from './index.js';
      import { Store } from './scripts/store.mjs';
      const { rows, rowCount } = metrics.encodePromptEventRows(
        ${JSON.stringify(bodyOf('{"t":1,"e":5,"v":{"1":"p:1"},"a":{}}'))}, { orgId: 'acme' });
      const store = new Store(${JSON.stringify(join(folder, 'data'))});
      store.insert(rows, rowCount);
      store.insert(rows, rowCount + 1);
    `);
    expect(status).toBe(1);
    expect(stderr).toContain('ClickHouse stored 1 rows of the 2 in ');
  }, 60_000);

  test('what a killed run left behind is removed, and nothing else', () => {
    mkdirSync(join(folder, 'data'));
    for (const name of ['insert-1.rows', 'insert-123456.rows', 'insert-mine.rows', 'my-insert-1.rows']) {
      writeFileSync(join(folder, 'data', name), '');
    }
    expect(dashboard().status).toBe(0);
    expect(readdirSync(join(folder, 'data')).sort()).toEqual(['clickhouse', 'insert-mine.rows', 'my-insert-1.rows']);
  }, 60_000);

  test('a data directory that is a file is one clear line', () => {
    writeFileSync(join(folder, 'data'), '');
    const { status, stdout, stderr } = dashboard();
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^✗ cannot open .*: E(EXIST|NOTDIR): .*\n$/);
  });

  test('a data directory without the rights to it is said to be just that', () => {
    mkdirSync(join(folder, 'data'));
    chmodSync(join(folder, 'data'), 0o500);
    chmodSync(folder, 0o755);
    // The rights of a file say nothing to root, and a mere user may not see this repository.
    const { stderr } = module(`
      import 'chdb';
      import { Store } from './scripts/store.mjs';
      if (process.getuid() === 0) process.setuid(65534);
      new Store(${JSON.stringify(join(folder, 'data'))});
    `);
    expect(stderr).toMatch(/cannot open .*: EACCES: permission denied, /);
    expect(stderr).not.toContain('another process');
  });

  test('killed at random moments, it loses nothing that it reported stored', () => {
    const { status, stdout, stderr } = script('kill-rounds.mjs', '2');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/✓ 2 rounds, \d of them killed in the middle: nothing lost, nothing twice/);
  }, 120_000);
});

test('large uploads are stored before all of them are in memory', () => {
  const { stdout, stderr } = module(`
    import { ingest } from './scripts/ingest.mjs';
    const body = Buffer.from(JSON.stringify(
      { v: 1, events: [{ t: 1, e: 5, v: { 1: 'p:1', 11: 'x'.repeat(2 ** 20) }, a: {} }] }));
    const uploads = Array.from({ length: 100 }, (_, n) => ({ name: String(n), body }));
    const inserts = [];
    let bytes = 0;
    const store = { insert: (rows, count) => inserts.push(count) };
    ingest(store, uploads, { orgId: 'acme', onStored: (names, size) => { bytes += size; } });
    console.log(JSON.stringify({ inserts, complete: bytes === 100 * body.length }));
  `);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ inserts: [64, 36], complete: true });
});

test('the sample uploads are what their script writes', () => {
  const committed = [1, 2, 3, 4].map((n) => readFileSync(join(ROOT, 'examples', 'sessions', `upload-${n}.json`)));
  const copy = join(folder, 'examples');
  cpSync(join(ROOT, 'examples', 'make-sessions.mjs'), join(copy, 'make-sessions.mjs'));
  writeFileSync(join(folder, 'index.js'), `module.exports = require(${JSON.stringify(ROOT)});`);
  const { status, stderr } = spawnSync(process.execPath, [join(copy, 'make-sessions.mjs')], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect([1, 2, 3, 4].map((n) => readFileSync(join(copy, 'sessions', `upload-${n}.json`)))).toEqual(committed);
});
