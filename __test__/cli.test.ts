import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
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

/** Two valid events, and three that are refused for different reasons. */
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
    // Only the last column has double-width characters, so the others begin at fixed indexes.
    for (const row of rows.filter((row) => row.length >= event)) expect(row.slice(event - 2, event)).toBe('  ');
    expect(rows.filter((row) => row.length > event).length).toBeGreaterThan(10);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(120);
  });

  test('lists each set of attributes once, and shared attributes separately', () => {
    const by = (author: string) => ({ ...agentUsage, a: { 2: author, 20: 'claude' } });
    const { stdout } = cli(['decode'], upload(by('Ada'), by('Zoe'), by('Ada')));
    expect(stdout.match(/^\d.*\ba\d/gm)?.map((row) => row.slice(-2))).toEqual(['a1', 'a2', 'a1']);
    expect(stdout).toMatch(/\nall {3}tool claude\na1 {4}author Ada\na2 {4}author Zoe\n$/);
  });

  test('names the events that were refused on standard error, and numbers the others as in the request', () => {
    const { stdout, stderr, status } = cli(['decode', '-'], faulty);
    expect(status).toBe(1);
    expect(stdout).toContain('standard input: 2 events, 3 refused');
    expect(stdout.match(/^\d+(?= +2026)/gm)).toEqual(['0', '3']);
    expect(stderr).toMatch(/^standard input: event 1 refused: ERR_WRONG_TYPE: events\[1\]\.t: .*yesterday.*\n/);
    expect(stderr).toContain('event 2 refused: ERR_MISSING_KEY');
    expect(stderr).toContain('event 4 refused: ERR_OUT_OF_RANGE');
  });

  test('--json prints each event as one line of JSON, as parseMetricsBatch returns it', () => {
    const { stdout, status } = cli(['decode', '--json', UPLOAD]);
    expect(status).toBe(0);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toEqual(parseMetricsBatch(readFileSync(UPLOAD)).events);
  });

  test('reads several files, and continues after one that isn’t an upload', () => {
    const bad = file('bad.json', '{"v":1,');
    const one = file('one.json', upload(message('first')));
    const { stdout, stderr, status } = cli(['decode', one, bad, one]);
    expect(status).toBe(1);
    expect(stdout.match(/one\.json: 1 event$/gm)).toHaveLength(2);
    expect(stderr).toMatch(/bad\.json: ERR_INVALID_JSON: .*\n$/);
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });

  test('reads standard input if no file is named, and for - among files', () => {
    const one = file('one.json', upload(message('of the file')));
    expect(cli(['decode'], upload(message('piped'))).stdout).toContain('piped');
    const { stdout } = cli(['decode', '--json', one, '-'], upload(message('piped')));
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      expect.stringContaining('of the file'),
      expect.stringContaining('piped'),
    ]);
  });

  test('shows some of 1,024 unknown positions, and their number', () => {
    const positions = Array.from({ length: 1_024 }, (_, at) => `"${at + 100}":1`);
    const path = file('unknown.json', `{"v":1,"events":[{"t":1,"e":5,"v":{${positions.join(',')}},"a":{}}]}`);
    const { stdout, stderr, status } = cli(['decode', path]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toContain('unknown.json: 1 event\n');
    expect(stdout.match(/values\[\d+\] 1/g)).toHaveLength(100);
    expect(stdout).toContain('… and 924 more\n');
  });

  test('cuts short a position of a hundred thousand characters', () => {
    const { stdout } = cli(['decode'], upload({ t: 1, e: 1, v: { ['x'.repeat(100_000)]: 1 }, a: {} }));
    expect(stdout.length).toBeLessThan(1000);
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
    // File names and invalid bodies are hostile input too.
    expect(cli(['decode', 'no\u001b[2Jfile']).stderr).toContain('no\\u{001b}[2Jfile');
    expect(cli(['decode'], '{"v":\u001b[2J').stderr).not.toContain('\u001b');
  });

  test('--json lets nothing through either, and stays equal', () => {
    const hostile = '\u009b31m\u007f\u202Egpj.exe\u2028\u2029\u0000\u00ad\u{e0041}\ud800end \\u009b ü 😀';
    const body = upload(message(hostile), { t: 1, e: 9, v: { [hostile]: [hostile] }, a: { 1: hostile } });
    const { stdout } = cli(['decode', '--json'], body);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]/u);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(parseMetricsBatch(body).events);
    expect(stdout).toContain('ü 😀');
  });
});

describe('check', () => {
  test('accepts the sample upload, and counts its unknown fields', () => {
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

  test('one wrong file among several is enough', () => {
    const good = file('good.json', upload(agentUsage));
    expect(cli(['check', good, good]).status).toBe(0);
    const { stdout, status } = cli(['check', good, file('faulty.json', faulty), good]);
    expect(status).toBe(1);
    expect(stdout.match(/good\.json: 1 event, nothing wrong$/gm)).toHaveLength(2);
  });
});

describe('several uploads, one a line', () => {
  const captured = (...files: string[]) => cli(['capture', '--json', ...files]).stdout;

  test.each(['decode', 'check'])('%s reads what capture --json writes', (command) => {
    const transcript = file('long.jsonl', '');
    const line = (n: number) => JSON.stringify({ type: 'user', sessionId: 'x', message: { content: `Prompt ${n}` } });
    writeFileSync(transcript, Array.from({ length: 600 }, (_, n) => `${line(n)}\n`).join(''));
    const bodies = captured(transcript);
    expect(bodies.match(/\n/g)).toHaveLength(3);
    const { stdout, stderr, status } = cli([command], bodies);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout.match(/^standard input, line \d: \d+ events/gm)).toEqual([
      'standard input, line 1: 250 events',
      'standard input, line 2: 250 events',
      'standard input, line 3: 100 events',
    ]);
  });

  test('a single one has no line of its own', () => {
    const body = captured(join(__dirname, '../examples/transcript.jsonl'));
    expect(cli(['check'], body).stdout).toBe('standard input: 11 events, nothing wrong\n');
  });

  test('errors name the line, and the others are still read', () => {
    const { stdout, status } = cli(['check'], [upload(), '', faulty, '{"v":', upload(agentUsage)].join('\r\n'));
    expect(status).toBe(1);
    expect(stdout).toContain('standard input, line 1: 0 events, nothing wrong\n');
    expect(stdout).toContain('standard input, line 3: 5 events, 3 wrong\n');
    expect(stdout).toMatch(/^standard input, line 4: ERR_INVALID_JSON: /m);
    expect(stdout).toContain('standard input, line 5: 1 event, nothing wrong\n');
  });

  test('limits apply to each upload', () => {
    const body = upload(agentUsage);
    const three = `${body}\n${body}\n${body}\n`;
    const checked = (bytes: number) => cli(['check', '--max-bytes', `${bytes}`], three);
    expect(checked(body.length).status).toBe(0);
    expect(checked(body.length - 1).stdout).toMatch(/^standard input: ERR_BODY_TOO_LARGE: .*\n$/);
  });

  test('an upload over many lines is one', () => {
    expect(cli(['check'], JSON.stringify(JSON.parse(faulty), null, 2)).stdout).toContain('standard input: 5 events');
    const events = `{"v":1,"events":[\n${JSON.stringify(agentUsage)},\n${JSON.stringify(agentUsage)}\n]}\n`;
    expect(cli(['check'], events).stdout).toBe('standard input: 2 events, nothing wrong\n');
  });
});

describe('known formats other than JSON', () => {
  test.each([
    ['gzip', gzipSync(upload()), 'gzip'],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x00]), 'zstd'],
    ['a byte order mark', `\ufeff${upload()}`, 'byte order mark (BOM)'],
    ['UTF-16', Buffer.from(`\ufeff${upload()}`, 'utf16le'), 'UTF-16'],
  ])('%s is named', (_, body, named) => {
    for (const command of ['decode', 'check']) {
      const { stdout, stderr, status } = cli([command], body);
      expect(status).toBe(1);
      expect(stdout + stderr).toMatch(/^standard input: ERR_INVALID_JSON: the input .*\n$/);
      expect(stdout + stderr).toContain(named);
    }
  });
});

describe('limits of an upload', () => {
  test.each(['decode', 'check'])('%s accepts --max-events and --max-bytes', (command) => {
    const two = file('two.json', upload(agentUsage, agentUsage));
    const size = readFileSync(two).length;
    expect(cli([command, '--max-events', '2', '--max-bytes', `${size}`, two]).status).toBe(0);
    const many = cli([command, '--max-events', '1', two]);
    expect(many.status).toBe(1);
    expect(many.stdout + many.stderr).toMatch(/two\.json: ERR_TOO_MANY_EVENTS: .*\n$/);
    for (const input of [two, '-']) {
      const large = cli([command, '--max-bytes', `${size - 1}`, input], readFileSync(two));
      expect(large.status).toBe(1);
      expect(large.stdout + large.stderr).toMatch(/: ERR_BODY_TOO_LARGE: .*\n$/);
      expect(large.stdout + large.stderr).toContain(`more than ${size - 1} bytes`);
    }
  });

  test('more than 1,000 events and more than 64 MiB, if asked for', () => {
    const many = file('many.json', upload(...Array.from({ length: 1001 }, () => agentUsage)));
    expect(cli(['check', '--max-events', '1001', many])).toMatchObject({ status: 0 });
    const large = file('large.json', upload(message('x'.repeat(65 << 20))));
    expect(cli(['check', large])).toMatchObject({ status: 1 });
    expect(cli(['check', '--max-bytes', `${66 << 20}`, large])).toMatchObject({ status: 0 });
  });

  test.each(['', '-1', '1.5', '16MiB', '1e3', '9007199254740993'])('%j is no limit', (text) => {
    for (const option of ['--max-bytes', '--max-events']) {
      const { stderr, status } = cli(['check', `${option}=${text}`], upload());
      expect(status).toBe(2);
      expect(stderr).toBe(`git-ai-metrics: ${option}: expected a whole number, found "${text}"\n`);
    }
  });

  test('reading stops at the limit, so that an input without end has one', async () => {
    const child = spawn(process.execPath, [MAIN, 'check', '-']);
    const feed = () => {
      while (child.stdin.write(' '.repeat(1 << 16)));
    };
    child.stdin.on('drain', feed).on('error', () => undefined);
    feed();
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    if (existsSync('/dev/zero')) expect(cli(['check', '/dev/zero']).stdout).toContain('ERR_BODY_TOO_LARGE');
  });
});

describe('unreadable inputs', () => {
  test.each(['decode', 'check'])('does not keep %s from the other files, and ends with exit 2', (command) => {
    const good = file('good.json', upload(agentUsage));
    const bad = file('bad.json', '{');
    const { stdout, stderr, status } = cli([command, good, join(folder, 'nope'), bad, good]);
    expect(status).toBe(2);
    expect(stdout.match(/good\.json: 1 event/g)).toHaveLength(2);
    expect(stderr).toContain(`git-ai-metrics: cannot read ${join(folder, 'nope')}: there is no such file\n`);
  });

  test('is named once, with the reason', () => {
    const good = file('good.json', upload());
    const cannotRead = (path: string) => cli(['check', path]).stderr;
    expect(cannotRead('')).toBe('git-ai-metrics: cannot read "": there is no such file\n');
    const long = join(folder, 'x'.repeat(300));
    if (process.platform === 'win32') return;
    expect(cannotRead(long)).toBe(`git-ai-metrics: cannot read ${long}: name too long\n`);
    expect(cannotRead(join(good, 'x'))).toBe(
      `git-ai-metrics: cannot read ${join(good, 'x')}: a part of its path is no folder\n`,
    );
  });

  // Windows can't open a folder as a file, and doesn't have /dev.
  const withDevices = existsSync('/dev/full') ? test : test.skip;

  withDevices.each([
    ['a folder', '/', 'it is a folder'],
    ['nothing', '/dev/null', 'there is none'],
  ])('as standard input: %s', (_, path, reason) => {
    const input = openSync(path, 'r');
    const { stderr, status } = spawnSync(process.execPath, [MAIN, 'decode'], {
      stdio: [input, 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    closeSync(input);
    expect({ stderr, status }).toEqual({
      stderr: `git-ai-metrics: cannot read standard input: ${reason}\n`,
      status: 2,
    });
  });

  withDevices('standard input that is closed', () => {
    const { stderr, status } = spawnSync('sh', ['-c', `"${process.execPath}" "${MAIN}" decode <&-`], {
      encoding: 'utf8',
    });
    expect({ stderr, status }).toEqual({
      stderr: 'git-ai-metrics: cannot read standard input: there is none\n',
      status: 2,
    });
  });

  withDevices.each([['decode'], ['decode', '--json'], ['check'], ['--help']])('output that fails: %s', (...args) => {
    const output = openSync('/dev/full', 'w');
    const { stderr, status } = spawnSync(process.execPath, [MAIN, ...args], {
      stdio: ['pipe', output, 'pipe'],
      input: upload(agentUsage),
      encoding: 'utf8',
    });
    closeSync(output);
    expect({ stderr, status }).toEqual({
      stderr: 'git-ai-metrics: cannot write: no space left on device\n',
      status: 2,
    });
  });
});

describe('the command itself', () => {
  test.each([[['--help']], [['-h']], [['help']]])('%j lists the commands', (args) => {
    const { stdout, stderr, status } = cli(args);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toContain('decode [options] [file|-]…');
    expect(stdout).toContain('check [options] [file|-]…');
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
