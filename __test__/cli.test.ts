import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseMetricsBatch } from '../index.js';

const MAIN = join(__dirname, '../cli/main.js');
const UPLOAD = join(__dirname, '../examples/upload.json');

const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function cli(args: string[], input?: string | Buffer): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', ...(input !== undefined && { input }) });
}

function file(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, body);
  return path;
}

const upload = (...events: unknown[]): string => JSON.stringify({ v: 1, events });
const message = (text: string): unknown => ({
  t: 1775587555,
  e: 5,
  v: { 0: 'HumanMessage', 11: text },
  a: { 0: '1.1.23' },
});
const agentUsage = { t: 1775587555, e: 2, v: {}, a: { 20: 'claude' } };

/** Three events that can't be taken, each for a reason of its own, among two that can. */
const faulty = upload(agentUsage, { ...agentUsage, t: 'yesterday' }, { t: 1, e: 2, v: {} }, agentUsage, {
  ...agentUsage,
  e: 70_000,
});

describe('decode', () => {
  test('shows every event of the sample upload as a row of a table', () => {
    const { stdout, stderr, status } = cli(['decode', UPLOAD]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const { events } = parseMetricsBatch(readFileSync(UPLOAD));
    const rows = stdout.split('\n').filter((line) => /^\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}/.test(line));
    expect(rows.map((row) => Number(row.split(' ')[0]))).toEqual(events.map((_, index) => index));
    for (const [index, event] of events.entries()) expect(rows[index]).toContain(event.metric);
    expect(stdout).toMatch(/^# {2,}time \(UTC\) +metric +with +event$/m);
    expect(stdout).toContain('2026-04-07 18:45:55');
    expect(stdout).toContain('unknown (9)');
    expect(stdout).toContain('values[40] {"hunks":2}');
    expect(stdout).toContain('parentId null');
  });

  test('keeps the columns in line and the lines within the width of a page', () => {
    const lines = cli(['decode', UPLOAD]).stdout.trimEnd().split('\n');
    const heading = lines.findIndex((line) => line.startsWith('#'));
    const event = lines[heading]?.indexOf('event') ?? 0;
    const rows = lines.slice(heading + 2, lines.indexOf('', heading)).filter((line) => /^\d/.test(line));
    // Double-width characters stand in the last column only, so a column's place is an index until there.
    for (const row of rows.filter((row) => row.length >= event)) expect(row.slice(event - 2, event)).toBe('  ');
    expect(rows.filter((row) => row.length > event).length).toBeGreaterThan(10);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(120);
  });

  test('lists each set of attributes once, and what all events share apart', () => {
    const by = (author: string) => ({ ...agentUsage, a: { 2: author, 20: 'claude' } });
    const { stdout } = cli(['decode'], upload(by('Ada'), by('Zoe'), by('Ada')));
    expect(stdout.match(/^\d.*\ba\d/gm)?.map((row) => row.slice(-2))).toEqual(['a1', 'a2', 'a1']);
    expect(stdout).toMatch(/\nall {3}tool claude\na1 {4}author Ada\na2 {4}author Zoe\n$/);
  });

  test('names the events that were refused on standard error, and numbers the others as in the request', () => {
    const { stdout, stderr, status } = cli(['decode', '-'], faulty);
    expect(status).toBe(0);
    expect(stdout).toContain('standard input: 2 events, 3 refused');
    expect(stdout.match(/^\d+(?= +2026)/gm)).toEqual(['0', '3']);
    expect(stderr).toMatch(/^standard input: event 1 refused: ERR_WRONG_TYPE: events\[1\]\.t: .*yesterday.*\n/);
    expect(stderr).toContain('event 2 refused: ERR_MISSING_KEY');
    expect(stderr).toContain('event 4 refused: ERR_OUT_OF_RANGE');
  });

  test('--json prints each event as one line of JSON, as parseMetricsBatch gives it', () => {
    const { stdout, status } = cli(['decode', '--json', UPLOAD]);
    expect(status).toBe(0);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toEqual(parseMetricsBatch(readFileSync(UPLOAD)).events);
  });

  test('takes several files, and goes on after one that is no upload', () => {
    const bad = file('bad.json', '{"v":1,');
    const one = file('one.json', upload(message('first')));
    const { stdout, stderr, status } = cli(['decode', one, bad, one]);
    expect(status).toBe(1);
    expect(stdout.match(/one\.json: 1 event$/gm)).toHaveLength(2);
    expect(stderr).toMatch(/bad\.json: ERR_INVALID_JSON: .*\n$/);
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });

  test('reads standard input where no file is given, and for - among files', () => {
    const one = file('one.json', upload(message('of the file')));
    expect(cli(['decode'], upload(message('piped'))).stdout).toContain('piped');
    const { stdout } = cli(['decode', '--json', one, '-'], upload(message('piped')));
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      expect.stringContaining('of the file'),
      expect.stringContaining('piped'),
    ]);
  });

  test('shows an empty upload as no events', () => {
    expect(cli(['decode'], upload())).toMatchObject({ stdout: 'standard input: 0 events\n', stderr: '', status: 0 });
  });

  test('lets nothing through to the terminal that could steer it', () => {
    const hostile = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202Egpj.exe\u2028\u0000\r\n\ud800end';
    const events = [
      message(hostile),
      { t: 1, e: 4, v: { 1: hostile, 2: hostile, 40: [`raw \u009b ${hostile}`] }, a: { 1: hostile } },
      { t: hostile, e: 1, v: {}, a: {} },
      { t: 1, e: 1, v: { [hostile]: 1 }, a: { [hostile]: null } },
    ];
    for (const command of ['decode', 'check']) {
      const { stdout, stderr } = cli([command], upload(...events));
      for (const output of [stdout, stderr]) {
        expect(output.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        expect(output).not.toContain('\ufffd');
      }
      expect(stdout + stderr).toContain('owned');
    }
    expect(cli(['decode'], upload(...events)).stdout).toContain('\\u{001b}');
    // The name of a file comes from outside too, as does a body that is no JSON.
    expect(cli(['decode', 'no\u001b[2Jfile']).stderr).toContain('no\\u{001b}[2Jfile');
    expect(cli(['decode'], '{"v":\u001b[2J').stderr).not.toContain('\u001b');
  });
});

describe('check', () => {
  test('is content with the sample upload, and counts what it kept unnamed', () => {
    const { stdout, stderr, status } = cli(['check', UPLOAD]);
    const { events, errors } = parseMetricsBatch(readFileSync(UPLOAD));
    const kept = events.reduce((sum, { unknown }) => sum + (unknown?.length ?? 0), 0);
    expect({ errors, stderr, status }).toEqual({ errors: [], stderr: '', status: 0 });
    expect(stdout).toBe(
      `${UPLOAD}: ${events.length} events, nothing wrong; ${kept} values kept under positions unknown to this version\n`,
    );
  });

  test('lists each event that is wrong with its index and code, and exits with 1', () => {
    const { stdout, status } = cli(['check', '-'], faulty);
    expect(status).toBe(1);
    const [wrongType, missingKey, outOfRange, total] = stdout.split('\n');
    expect(wrongType).toMatch(/^standard input: event 1: ERR_WRONG_TYPE: events\[1\]\.t: /);
    expect(missingKey).toMatch(/^standard input: event 2: ERR_MISSING_KEY: /);
    expect(outOfRange).toMatch(/^standard input: event 4: ERR_OUT_OF_RANGE: /);
    expect(total).toBe('standard input: 5 events, 3 wrong');
  });

  test.each([
    ['ERR_INVALID_JSON', '{'],
    ['ERR_INVALID_BATCH', '[]'],
    ['ERR_UNSUPPORTED_VERSION', '{"v":2,"events":[]}'],
    ['ERR_TOO_MANY_EVENTS', upload(...Array.from({ length: 1001 }, () => agentUsage))],
  ])('names what is wrong with a whole upload: %s', (code, body) => {
    const { stdout, status } = cli(['check'], body);
    expect(status).toBe(1);
    expect(stdout).toMatch(new RegExp(`^standard input: ${code}: .+\\n$`));
  });

  test('of several files, one that is wrong is enough', () => {
    const good = file('good.json', upload(agentUsage));
    expect(cli(['check', good, good]).status).toBe(0);
    const { stdout, status } = cli(['check', good, file('faulty.json', faulty), good]);
    expect(status).toBe(1);
    expect(stdout.match(/good\.json: 1 event, nothing wrong$/gm)).toHaveLength(2);
  });
});

describe('the command itself', () => {
  test.each([[['--help']], [['-h']], [['help']]])('%j lists the commands', (args) => {
    const { stdout, stderr, status } = cli(args);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toContain('decode [--json] [file|-]…');
    expect(stdout).toContain('check [file|-]…');
  });

  test('each command has help of its own', () => {
    for (const command of ['decode', 'check']) {
      const { stdout, status } = cli([command, '--help']);
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: git-ai-metrics ${command}`));
    }
  });

  test('--version is that of the package', () => {
    const { version } = require('../package.json');
    expect(cli(['--version'])).toMatchObject({ stdout: `${version}\n`, stderr: '', status: 0 });
  });

  test.each([
    [[], 'give a command'],
    [['decrypt'], 'unknown command decrypt'],
    [['toString'], 'unknown command toString'],
    [['__proto__'], 'unknown command __proto__'],
    [['--jsn'], 'unknown option --jsn'],
    [['decode', '--jsn'], '--jsn'],
    [['decode', '--json=yes'], '--json'],
    [['check', '--json'], '--json'],
    [['decode', '-', '-'], 'standard input can be read only once'],
    [['decode', join('no', 'such', 'file.json')], 'there is no such file'],
    [['check', __dirname], 'it is a folder'],
    [['two\nlines'], 'unknown command two\\nlines'],
  ])('%j fails with one clear line and exit 2', (args, text) => {
    const { stdout, stderr, status } = cli(args, '');
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
    expect(stderr).toMatch(/^git-ai-metrics: .+\n$/);
    expect(stderr).toContain(text);
  });

  test('a reader that closes the pipe early is no error', async () => {
    const large = file('large.json', upload(...Array.from({ length: 1000 }, () => message('x'.repeat(1000)))));
    const child = spawn(process.execPath, [MAIN, 'decode', '--json', ...Array(20).fill(large)]);
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code, signal] = await once(child, 'close');
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });
});
