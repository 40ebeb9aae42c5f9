import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MetricEvent, parseClaudeTranscript, parseMetricsBatch } from '../../index.js';
import { onUnix } from '../support';
import { FIXTURES, fixture, SESSION, temporaryFolder, writeSkill } from './transcripts';

const MAIN = join(__dirname, '../../cli/main.js');
const folder = temporaryFolder();

const fixturePath = (name: string) => join(__dirname, '../fixtures/transcripts', `${name}.jsonl`);
const capture = (...args: string[]) =>
  spawnSync(process.execPath, [MAIN, 'capture', '--home', folder.path, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });

function eventsOf(stdout: string): MetricEvent[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((body) => {
      const { events, errors } = parseMetricsBatch(body);
      expect(errors).toEqual([]);
      expect(events.length).toBeLessThanOrEqual(250);
      return events;
    });
}

const line = (text: string) =>
  `${JSON.stringify({ type: 'user', sessionId: SESSION, timestamp: '2026-01-05T09:00:00.000Z', message: { content: text } })}\n`;

test('shows a transcript’s events as a table', () => {
  const { stdout, stderr, status } = capture(fixturePath('results-out-of-order'));
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(stdout.split('\n').map((row) => row.trimEnd())).toEqual([
    'time (UTC)           kind             tool                        outcome         text or skill',
    expect.stringMatching(/^─/),
    '2026-01-05 09:00:00  HumanMessage                                                 go',
    '2026-01-05 09:00:01  ToolCall         Bash                        failed, 4.0 s',
    '2026-01-05 09:00:02  ToolCall         Read                        ok, 4.0 s',
    '2026-01-05 09:00:03  ToolCall         Grep                        ok, 1.0 s',
    '',
  ]);
});

test('several transcripts, each under its name', () => {
  const { stdout } = capture(fixturePath('known-answers'), fixturePath('bash-input'));
  expect(stdout).toMatch(/known-answers\.jsonl\n\n[\s\S]*\n\n.*bash-input\.jsonl\n\n[\s\S]*!git status/);
});

test('control characters are shown as escapes', () => {
  const path = folder.write('hostile.jsonl', line('\u001b[2J\u202eabc'));
  expect(capture(path).stdout).toContain('\\u{001b}[2J\\u{202e}abc');
});

test('the first line of a text with CRLF is shown without the CR', () => {
  const { stdout } = capture(folder.write('crlf.jsonl', line('first\r\nsecond')));
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/ first *$/);
});

test('a skill is shown with its file', () => {
  const path = writeSkill(folder, '.', 'review.md', 'text');
  expect(capture(fixturePath('skill-invocations')).stdout).toContain(path.slice(0, 20));
});

test('and in JSON too, which stays equal', () => {
  const text = '\u009b31m\u202e\u007f\u2028\ufeffabc';
  const { stdout } = capture('--json', folder.write('hostile-json.jsonl', line(text)));
  expect(stdout).toContain('\\u009b31m\\u202e\\u007f\\u2028\\ufeffabc');
  expect(eventsOf(stdout)).toMatchObject([{ values: { inputText: text } }]);
});

describe('--json', () => {
  // At this one's end a prompt still waits, of which a reader says nothing yet.
  const settled = FIXTURES.filter((name) => name !== 'queued-prompts-of-older-versions');

  test.each(settled)('%s as uploads', (name) => {
    const { stdout, stderr, status } = capture('--json', '--session', SESSION, fixturePath(name));
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const options = { sessionId: SESSION, homeDir: folder.path };
    const values = parseClaudeTranscript(fixture(name), options).map((event) => event.values);
    expect(eventsOf(stdout).map((event) => event.values)).toEqual(values);
  });

  test('the version comes only from --git-ai-version', () => {
    const versions = (...args: string[]) =>
      eventsOf(capture('--json', ...args, fixturePath('known-answers')).stdout).map(
        ({ attributes }) => attributes.gitAiVersion,
      );
    const without = versions();
    expect(without.length).toBeGreaterThan(0);
    expect(new Set(without)).toEqual(new Set([undefined]));
    expect(new Set(versions('--git-ai-version', '1.1.23'))).toEqual(new Set(['1.1.23']));
  });

  test('at most 250 events a body, all of them full but the last', () => {
    const path = folder.write('many.jsonl', Array.from({ length: 600 }, (_, n) => line(`${n}`)).join(''));
    const bodies = capture('--json', path).stdout.trimEnd().split('\n');
    expect(bodies.map((body) => parseMetricsBatch(body).events.length)).toEqual([250, 250, 100]);
  });

  test('a long transcript: progress on standard error, every event once', () => {
    const text = 'x'.repeat(10_000);
    const path = folder.write('long.jsonl', Array.from({ length: 4000 }, (_, n) => line(`${n} ${text}`)).join(''));
    const { stdout, stderr } = capture('--json', path);
    expect(stderr).toMatch(/long\.jsonl: \d+ of 40 MB read, \d+ events\n/);
    expect(new Set(eventsOf(stdout).map(({ values }) => (values as { eventId: string }).eventId)).size).toBe(4000);
  });
});

test('--redact masks secrets in texts', () => {
  const path = join(folder.path, 'secret.jsonl');
  writeFileSync(path, line('password: "Tr0ub4dor&3"'));
  expect(capture(path).stdout).toContain('password: "Tr0ub4dor&3"');
  expect(capture('--redact', path).stdout).toContain('password: "********"');
});

describe('the session', () => {
  const sessionOf = (...args: string[]) => eventsOf(capture('--json', ...args).stdout)[0]?.attributes.externalPromptId;

  test('comes from the transcript', () => expect(sessionOf(fixturePath('known-answers'))).toBe(SESSION));

  test('else its name', () => {
    const path = folder.write('by-name.jsonl', line('x').replace('sessionId', 'other'));
    expect(sessionOf(path)).toBe('by-name');
  });

  test('even after long lines without it', () => {
    const summary = `${JSON.stringify({ type: 'summary', summary: 'x'.repeat(1_000_000) })}\n`;
    const long = line('x'.repeat(1_500_000));
    expect(sessionOf(folder.write('summary-first.jsonl', summary + long))).toBe(SESSION);
  });

  test('or from the option', () => expect(sessionOf('--session', 's', fixturePath('known-answers'))).toBe('s'));
});

describe('misuse is one line and exit 2', () => {
  test.each<[string, string[], RegExp]>([
    ['no transcript', [], /^git-ai-metrics: capture: give the transcript to read\n$/],
    [
      'one that is not there',
      [join(folder.path, 'gone')],
      /^git-ai-metrics: cannot read .*gone: there is no such file\n$/,
    ],
    ['a folder', [folder.path], /^git-ai-metrics: cannot read .*: EISDIR: is a directory\n$/],
    ['an unknown option', ['--jsn', 'x'], /^git-ai-metrics: capture: unknown option '--jsn' \(capture --help .*\)\n$/],
    ['standard input', ['-'], /^git-ai-metrics: capture: give files, it does not read standard input\n$/],
    ['an empty session', ['--session', '', 'a'], /^git-ai-metrics: capture: give a --session that is not empty\n$/],
    ['a session for two', ['--session', 's', 'a', 'b'], /^git-ai-metrics: capture: one --session .*\n$/],
  ])('%s', (_, args, message) => {
    expect(capture(...args)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(message) });
  });

  onUnix('a FIFO does not block', () => {
    const path = join(folder.path, 'fifo');
    spawnSync('mkfifo', [path]);
    expect(capture(path)).toMatchObject({ status: 2, stderr: expect.stringContaining('not a regular file') });
  });
});

test('one that can’t be read doesn’t keep the others from their turn', () => {
  const gone = join(folder.path, 'gone');
  const { stdout, stderr, status } = capture(fixturePath('known-answers'), gone, fixturePath('bash-input'));
  expect(stdout).toMatch(/known-answers[\s\S]*bash-input[\s\S]*!git status/);
  expect(stderr).toBe(`git-ai-metrics: cannot read ${gone}: there is no such file\n`);
  expect(status).toBe(2);
});

test('one without prompt events is named', () => {
  const path = folder.write('empty.jsonl', '');
  expect(capture(path)).toMatchObject({ stdout: '', stderr: `git-ai-metrics: ${path}: no prompt events\n`, status: 0 });
});

test.each([
  ['gzip', Buffer.from('1f8b0800', 'hex'), 'compressed with gzip: decompress it first, with gzip -d'],
  [
    'UTF-16',
    Buffer.from('\ufeff{"type":"user"}\n', 'utf16le'),
    'UTF-16, as its byte order mark (BOM) says: convert it to UTF-8',
  ],
])('one that can’t be read, because of %s, is named with the reason', (_, bytes, why) => {
  const path = join(folder.path, 'rollout.jsonl.zst');
  writeFileSync(path, bytes);
  const stderr = `git-ai-metrics: cannot read ${path}: the input is ${why}\n`;
  expect(capture(path)).toMatchObject({ stdout: '', stderr, status: 2 });
  expect(capture(path, '--agent', 'codex')).toMatchObject({ stdout: '', stderr, status: 2 });
});

test('one that is compressed with zstd says so in its name', () => {
  const bytes = Buffer.from('28b52ffd', 'hex');
  const named = join(folder.path, 'cut.jsonl.zst');
  writeFileSync(named, bytes);
  expect(capture(named).stderr).toBe(`git-ai-metrics: cannot read ${named}: the zstd data is cut off\n`);
  const unnamed = join(folder.path, 'unnamed.jsonl');
  writeFileSync(unnamed, bytes);
  const problem = 'the input is compressed with zstd: decompress it first, with zstd -d';
  expect(capture(unnamed)).toMatchObject({
    stdout: '',
    stderr: `git-ai-metrics: cannot read ${unnamed}: ${problem}\n`,
    status: 2,
  });
});

test('--help lists the options', () => {
  const { stdout, status } = capture('--help');
  expect(status).toBe(0);
  for (const option of ['--json', '--git-ai-version', '--follow', '--session', '--home'])
    expect(stdout).toContain(option);
});

describe('--follow', () => {
  let follower: ChildProcess;
  let output = '';
  let errors = '';

  function follow(...args: string[]) {
    output = '';
    errors = '';
    follower = spawn(process.execPath, [MAIN, 'capture', '--follow', '--home', folder.path, ...args]);
    follower.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    follower.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
  }

  /** Waits until the output holds this: how long that takes is the machine's business. */
  async function until(isThere: () => boolean) {
    while (!isThere()) await new Promise((wait) => setTimeout(wait, 20));
  }

  afterEach(async () => {
    const gone = new Promise((done) => follower.on('exit', done));
    follower.kill();
    await gone;
  });

  test('goes on as the file grows, and when it is gone for a while', async () => {
    const lines = fixture('results-out-of-order').trimEnd().split('\n');
    const path = folder.write('followed.jsonl', `${lines.slice(0, 4).join('\n')}\n`);
    follow(path);
    await until(() => output.includes('Grep'));
    expect(output).not.toContain('ok, ');
    appendFileSync(path, `${lines[4]}\n`);
    await until(() => /Grep +ok, 1\.0 s/.test(output));
    rmSync(path);
    await until(() => /ENOENT|no such file/.test(errors));
    mkdirSync(path);
    await until(() => errors.includes('EISDIR'));
    rmSync(path, { recursive: true });
    writeFileSync(path, `${lines.join('\n')}\n${line('back again')}`);
    await until(() => output.includes('back again'));
    // The heading stands once, and so does every event that was known.
    expect(output.match(/time \(UTC\)/g)).toHaveLength(1);
    expect(output.match(/ go\n/g)).toHaveLength(1);
  });

  test('waits for one that is not there yet, or says nothing yet', async () => {
    const path = join(folder.path, 'agent-1.jsonl');
    follow('--json', path);
    await until(() => errors.includes('there is no such file'));
    writeFileSync(path, '');
    await new Promise((wait) => setTimeout(wait, 600));
    appendFileSync(path, line('first'));
    await until(() => output.includes('\n'));
    const sessionId = JSON.parse(line('first')).sessionId;
    expect(eventsOf(output)).toMatchObject([{ attributes: { externalPromptId: sessionId } }]);
  });

  test('finds the session once the first line is complete, and again if the file is replaced', async () => {
    const path = folder.write('agent-2.jsonl', '{"type":"summary"}\n');
    follow('--json', path);
    const first = line('first');
    appendFileSync(path, first.slice(0, 20));
    await new Promise((wait) => setTimeout(wait, 600));
    appendFileSync(path, first.slice(20));
    await until(() => output.includes('first'));
    const other = line('other').replace(SESSION, 'another');
    rmSync(path);
    writeFileSync(path, other.repeat(2));
    await until(() => output.includes('other'));
    expect(eventsOf(output).map(({ attributes }) => attributes.externalPromptId)).toEqual([
      SESSION,
      'another',
      'another',
    ]);
  });

  test('as uploads, each when there is news', async () => {
    const path = folder.write('followed-json.jsonl', line('one'));
    follow('--json', path);
    await until(() => output.includes('\n'));
    appendFileSync(path, line('two'));
    await until(() => output.split('\n').length > 2);
    expect(eventsOf(output).map(({ values }) => (values as { inputText: string }).inputText)).toEqual(['one', 'two']);
  });
});
