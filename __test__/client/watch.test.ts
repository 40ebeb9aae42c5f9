import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { encodeMetricsBatch, eventId, type PromptEvent, parseClaudeTranscript, promptId } from '../../index.js';
import { onUnix } from '../support';
import { environment, Home, MAIN, transcript } from './client';
import { Backend, FAULTS, until } from './server';

const PROJECT = '.claude/projects/-home-dev-app';
const KEY = 'k3y-of-the-tests-0123456789';
const HALF_AN_HOUR = 30 * 60_000;

let backend: Backend;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  backend = await Backend.start();
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  backend.close();
});

const session = (n: number) => `${String(n).padStart(8, '0')}-0c1d-4f7a-9a1e-2f6d1c0b7e55`;
const file = (n: number, project = PROJECT) => `${project}/${session(n)}.jsonl`;

interface Ended {
  status: number | null;
  stderr: string;
  stdout: string;
}

class Watch {
  stderr = '';
  stdout = '';
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(home: Home, args: string[], nodeOptions: string[] = []) {
    this.child = spawn(process.execPath, [...nodeOptions, MAIN, 'watch', ...args], { env: environment(home.path) });
    running.add(this.child);
    this.child.stderr?.on('data', (text) => {
      this.stderr += text;
    });
    this.child.stdout?.on('data', (text) => {
      this.stdout += text;
    });
    this.ended = new Promise((resolve) =>
      this.child.on('close', (status) => {
        running.delete(this.child);
        resolve({ status, stderr: this.stderr, stdout: this.stdout });
      }),
    );
  }
}

const args = (...more: string[]) => ['--server', backend.url, '--every', '0.03', ...more];
const watch = (home: Home, ...more: string[]) => new Watch(home, args(...more));
const once = (home: Home, ...more: string[]) => watch(home, '--once', ...more).ended;

const capture = (home: Home, n: number, project = PROJECT) =>
  parseClaudeTranscript(home.read(file(n, project)), {
    sessionId: session(n),
    gitAiVersion: '0.1.0',
    homeDir: home.path,
  });
const isEnd = ({ values }: PromptEvent) => values.kind === 'SessionEnd';
const withoutEnds = (events: PromptEvent[]) => events.filter((event) => !isEnd(event));

/** Recent enough that no sweep ends it. */
const recent = () => Date.now() - 60_000;

describe('uploading', () => {
  test('uploads everything once, in bodies of at most 250 events', async () => {
    const home = new Home();
    for (const n of [1, 2, 3])
      home.write(file(n), transcript(session(n), Array(n * 100).fill('hello'), recent() - 600_000));
    expect(await once(home)).toEqual({ status: 0, stderr: '', stdout: '' });
    expect(backend.bodies.every((events) => events.length <= 250)).toBe(true);
    expect(backend.events).toEqual([1, 2, 3].flatMap((n) => capture(home, n)));
    const { headers, url, method } = backend.requests[0];
    expect({ url, method }).toEqual({ url: '/worker/metrics/upload', method: 'POST' });
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', 'content-type': 'application/json' });
    expect(headers['x-distinct-id']).toMatch(/^[0-9a-f-]{36}$/);

    const before = backend.bodies.length;
    expect(await once(home)).toEqual({ status: 0, stderr: '', stdout: '' });
    expect(backend.bodies).toHaveLength(before);
    appendFileSync(join(home.path, file(2)), transcript(session(2), ['more'], recent()));
    await once(home);
    expect(backend.bodies.slice(before)).toEqual([capture(home, 2).slice(-2)]);
    expect(backend.requests.at(-1)?.headers['x-distinct-id']).toBe(headers['x-distinct-id']);
  });

  test("puts many sessions into one body and stores each one's state", async () => {
    const home = new Home();
    for (let n = 0; n < 60; n++) home.write(file(n), transcript(session(n), ['hello'], recent()));
    await once(home);
    expect(backend.events).toHaveLength(120);
    await once(home);
    expect(backend.events).toHaveLength(120);
  });

  test('keeps separate acknowledgements per server', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    await once(home);
    const other = await Backend.start();
    await new Watch(home, ['--server', other.url, '--once']).ended;
    other.close();
    expect(other.events).toEqual(backend.events);
  });

  test.each(Object.keys(FAULTS).filter((name) => name !== 'no answer'))(
    '%s is no acknowledgement: everything comes again',
    async (name) => {
      const home = new Home();
      home.write(file(1), transcript(session(1), ['hello', 'world'], recent()));
      for (const store of [true, false]) {
        backend.fault = () => ({ name, store });
        expect(await once(home)).toEqual({
          status: 2,
          stdout: '',
          stderr: expect.stringMatching(/^git-ai-metrics: (uploads fail: |session ).*; next try in \d+ s\n$/),
        });
      }
      backend.fault = () => undefined;
      backend.bodies.length = 0;
      await once(home);
      expect(backend.events).toEqual(capture(home, 1));
    },
  );

  test('names permanently refused events once and continues', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello', 'world'], recent()));
    backend.refuses = () => [{ index: 1, error: 'bad\u001b[31m event' }];
    const { status, stderr } = await once(home);
    const refused = capture(home, 1)[1].values.eventId;
    expect(status).toBe(0);
    expect(stderr).toBe(
      `git-ai-metrics: ${backend.url} refused event ${refused} of session ${session(1)}: bad\\u{001b}[31m event\n`,
    );
    expect(await once(home)).toEqual({ status: 0, stderr: '', stdout: '' });
    expect(backend.bodies).toHaveLength(1);
  });

  test("a session that is always refused doesn't block the others", async () => {
    const home = new Home();
    for (const n of [1, 2, 3, 4]) home.write(file(n), transcript(session(n), ['hello'], recent()));
    const poison = promptId('claude', session(2));
    backend.fault = (events) =>
      events.some(({ attributes }) => attributes.promptId === poison) ? { name: '500', store: false } : undefined;
    const { stderr, child } = watch(home, '--every', '0.005');
    await until(() => backend.events.length === 6, 'three sessions');
    child.kill();
    expect(stderr).toBe('');
    expect(new Set(backend.events.map(({ attributes }) => attributes.promptId))).not.toContain(poison);
    backend.fault = () => undefined;
    await once(home);
    expect(
      withoutEnds(backend.events)
        .map(({ values }) => values.eventId)
        .sort(),
    ).toEqual([1, 2, 3, 4].flatMap((n) => capture(home, n).map(({ values }) => values.eventId)).sort());
  });

  test('stores nothing about a body in flight when it is told to stop', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), Array(300).fill('hello'), recent() - 600_000));
    let tries = 0;
    backend.fault = () => {
      tries += 1;
      return tries === 2 ? { name: 'no answer', store: false } : undefined;
    };
    const { child, ended } = watch(home);
    await until(() => tries === 2, 'the second body');
    child.kill('SIGTERM');
    expect((await ended).status).toBe(0);
    await once(home);
    expect(new Set(backend.events.map(({ values }) => values.eventId))).toEqual(
      new Set(capture(home, 1).map(({ values }) => values.eventId)),
    );
  });

  const asUser = process.geteuid?.() === 0 ? test.skip : onUnix;
  asUser('a session that cannot be read is named once, and read as soon as it can be', async () => {
    const home = new Home();
    chmodSync(home.write(file(1), transcript(session(1), ['hello'], recent())), 0);
    const watched = watch(home);
    await until(() => watched.stderr.includes('cannot read'), 'the complaint');
    chmodSync(join(home.path, file(1)), 0o600);
    await until(() => backend.events.length === 2, 'the session');
    watched.child.kill();
    expect(watched.stderr.split('\n')).toHaveLength(2);
  });

  test('logs one line per change of health', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    backend.fault = () => ({ name: '401', store: false });
    const watched = watch(home, '--every', '0.001');
    await until(() => backend.requests.length >= 3, 'three tries');
    backend.fault = () => undefined;
    await until(() => watched.stderr.includes('again'), 'health');
    watched.child.kill();
    expect(watched.stderr.split('\n')).toEqual([
      `git-ai-metrics: uploads fail: ${backend.url} answered 401: it does not know the key; next try in 0 s`,
      expect.stringMatching(/^git-ai-metrics: uploads work again, after \d+ s$/),
      '',
    ]);
  });

  test('uploads bodies that hooks and wrappers left', async () => {
    const home = new Home();
    const input = JSON.stringify({ session_id: 's', hook_event_name: 'UserPromptSubmit', prompt: 'hello' });
    home.run(['hook', '--agent', 'cursor'], { input });
    const [left] = home.outbox();
    home.write('.git-ai/internal/client/outbox/1777636800000-1-0000abcd.json', 'no body');
    const { status, stderr } = await once(home);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/abcd\.json: .*; it is dropped\n$/),
    });
    expect(backend.events).toEqual([left]);
    expect(readdirSync(join(home.path, '.git-ai/internal/client/outbox'))).toEqual([]);
  });
});

describe.each([['with the system’s news of changes'], ['polling', '--poll']])('following %s', (_, ...more) => {
  test('follows sessions, new sessions and new projects', async () => {
    const home = new Home();
    const { child } = watch(home, ...more);
    const arrived = (n: number, texts: number, project?: string) => async () => {
      const id = promptId('claude', session(n));
      await until(
        () => withoutEnds(backend.events).filter(({ attributes }) => attributes.promptId === id).length >= 2 * texts,
        `${texts} of session ${n} ${project}`,
      );
    };
    home.write(file(1), transcript(session(1), ['one'], recent()));
    await arrived(1, 1)();
    appendFileSync(join(home.path, file(1)), transcript(session(1), ['two'], recent()));
    await arrived(1, 2)();
    home.write(file(2), transcript(session(2), ['new'], recent()));
    await arrived(2, 1)();
    home.write(file(3, '.claude/projects/-new'), transcript(session(3), ['new'], recent()));
    await arrived(3, 1)();
    rmSync(join(home.path, '.claude/projects/-new'), { recursive: true });
    home.write(file(4, '.claude/projects/-new'), transcript(session(4), ['again'], recent()));
    await arrived(4, 1)();
    child.kill();
    expect(backend.events).toHaveLength(10);
  });
});

/** Preloaded into a process: it sets the clock of all but the files back by a day when it gets SIGUSR2. */
const CLOCK = `
  const now = Date.now;
  let backMs = 0;
  Date.now = () => now() - backMs;
  process.on('SIGUSR2', () => { backMs = 86_400_000; });`;

onUnix('a clock that is set back stops nothing', async () => {
  const home = new Home();
  const clock = home.write('clock.cjs', CLOCK);
  home.write(file(1), transcript(session(1), ['one'], recent()));
  const watcher = new Watch(home, args(), ['--require', clock]);
  await until(() => backend.events.length === 2, 'the first events');
  watcher.child.kill('SIGUSR2');
  for (const [n, text] of ['two', 'three'].entries()) {
    appendFileSync(join(home.path, file(1)), transcript(session(1), [text], recent() + n));
    await until(() => backend.events.length === 4 + 2 * n, `the events after ${text}`);
  }
  backend.fault = () => ({ name: '500', store: false });
  appendFileSync(join(home.path, file(1)), transcript(session(1), ['four'], recent()));
  await until(() => watcher.stderr.includes('500'), 'a failure');
  watcher.child.kill('SIGKILL');
  await watcher.ended;
  backend.fault = () => undefined;
  await once(home);
  // What was acknowledged after the clock was set back was stored, too.
  expect(backend.events.slice(6).map(({ values }) => values.inputText)).toEqual(['four', 're: four']);
});

test('a session that is being written is followed even if the system reports no change', async () => {
  const home = new Home();
  const silent = home.write('silent.cjs', "require('fs').watch = () => new (require('events'))();");
  home.write(file(1), transcript(session(1), ['one'], recent()));
  const watcher = new Watch(home, args(), ['--require', silent]);
  await until(() => backend.events.length === 2, 'the first events');
  const appendedAt = Date.now();
  appendFileSync(join(home.path, file(1)), transcript(session(1), ['two'], recent()));
  await until(() => backend.events.length === 4, 'more events');
  // Without that, everything is checked once a minute.
  expect(Date.now() - appendedAt).toBeLessThan(30_000);
  watcher.child.kill('SIGKILL');
});

describe('several files of one session, and one line in several sessions', () => {
  const subagent = (n: number, id: string, text: string) =>
    `${JSON.stringify({
      type: 'assistant',
      isSidechain: true,
      agentId: id,
      uuid: `${id}-${text}`,
      sessionId: session(n),
      timestamp: new Date(recent()).toISOString(),
      message: { role: 'assistant', model: 'claude-opus-4-6', content: [{ type: 'text', text }] },
    })}\n`;

  test.each([
    ['agent-a1', []],
    ['agent-a1', ['--poll']],
    ['workflows/wf_1/agent-a1', []],
    ['workflows/wf_1/agent-a1', ['--poll']],
  ])('the subagent %s is followed beside its session %j', async (name, more) => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    const { child } = watch(home, ...more);
    await until(() => backend.events.length === 2, 'the session');
    const path = home.write(file(1).replace('.jsonl', `/subagents/${name}.jsonl`), subagent(1, 'a1', 'one'));
    await until(() => backend.events.length === 3, 'the first of the subagent');
    appendFileSync(path, subagent(1, 'a1', 'two'));
    await until(() => backend.events.length === 4, 'the second of the subagent');
    child.kill();
    expect(new Set(backend.events.map(({ attributes }) => attributes.promptId))).toEqual(
      new Set([promptId('claude', session(1))]),
    );
    expect(backend.events.slice(2).map(({ values }) => values.inputText)).toEqual(['one', 'two']);
  });

  const textsOf = (n: number) =>
    backend.events
      .filter(({ attributes }) => attributes.promptId === promptId('claude', session(n)))
      .map(({ values }) => values.inputText);

  test('skips lines that resume or fork copied from another session, even after a restart', async () => {
    const home = new Home();
    const original = transcript(session(1), ['one', 'two'], recent());
    const more = (n: number) => transcript(session(n), ['three'], recent() + 5000);
    home.write(file(1), original);
    await once(home);
    home.write(file(2), original.replaceAll(`"sessionId":"${session(1)}"`, `"sessionId":"${session(2)}"`) + more(2));
    await once(home);
    expect(textsOf(1)).toEqual(['one', 're: one', 'two', 're: two']);
    expect(textsOf(2)).toEqual(['three', 're: three']);
    appendFileSync(join(home.path, file(1)), more(1));
    await once(home);
    expect(textsOf(1).slice(4)).toEqual(['three', 're: three']);
  });

  test('skips such lines in what hooks have left, too, and only these', async () => {
    const home = new Home();
    const original = transcript(session(1), ['one', 'two'], recent());
    home.write(file(1), original);
    const stop = (n: number) => {
      const payload = { session_id: session(n), transcript_path: join(home.path, file(n)), hook_event_name: 'Stop' };
      home.run(['hook'], { input: JSON.stringify(payload) });
    };
    stop(1);
    await once(home);
    const own = transcript(session(2), ['three'], recent() + 5000);
    home.write(file(2), original.replaceAll(`"sessionId":"${session(1)}"`, `"sessionId":"${session(2)}"`) + own);
    stop(2);
    expect(home.outbox()).toHaveLength(6);
    await once(home);
    expect(textsOf(1)).toEqual(['one', 're: one', 'two', 're: two', 'one', 're: one', 'two', 're: two']);
    expect(textsOf(2)).toEqual(['three', 're: three', 'three', 're: three']);
    expect(home.outbox()).toEqual([]);
  });

  test('takes lines of another time for no copies, even if their ids are equal', async () => {
    const home = new Home();
    const original = transcript(session(1), ['one'], recent());
    home.write(file(1), original);
    const later = (time: string) => new Date(Date.parse(time) + 7000).toISOString();
    home.write(
      file(2),
      original
        .replaceAll(`"sessionId":"${session(1)}"`, `"sessionId":"${session(2)}"`)
        .replaceAll(/(?<="timestamp":")[^"]+/g, later),
    );
    await once(home);
    expect(backend.events).toHaveLength(4);
  });
});

describe('the end of an abandoned session', () => {
  test('comes once, after the last act', async () => {
    const home = new Home();
    const start = Date.now() - HALF_AN_HOUR - 10_000;
    home.write(file(1), transcript(session(1), ['hello'], start));
    home.write(file(2), transcript(session(2), ['hello'], recent()));
    await once(home);
    const [act] = capture(home, 1);
    const ends = () => backend.events.filter(isEnd);
    expect(ends().map(({ values }) => values)).toEqual([
      {
        kind: 'SessionEnd',
        eventId: eventId(act.attributes.promptId as string, 'SessionEnd', `idle_timeout:${act.values.eventId}`, 0),
        parentId: act.values.eventId,
        parentIdEstimated: false,
        startTs: start,
        endReason: 'idle_timeout',
      },
    ]);
    expect(ends()[0].attributes).toEqual(act.attributes);
    await once(home);
    expect(ends()).toHaveLength(1);
  });

  test("is made again with the same id if the server didn't acknowledge it", async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], Date.now() - 2 * HALF_AN_HOUR));
    backend.fault = (events) => (events.some(isEnd) ? { name: 'a reset', store: true } : undefined);
    expect((await once(home)).status).toBe(2);
    backend.fault = () => undefined;
    expect((await once(home)).status).toBe(0);
    const ends = backend.events.filter(isEnd);
    expect(ends).toHaveLength(2);
    expect(ends[1].values).toEqual(ends[0].values);
  });

  test("doesn't come if the wrapper saw the end", async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], Date.now() - 2 * HALF_AN_HOUR));
    const [act] = capture(home, 1);
    const quit: PromptEvent = {
      ...act,
      timestamp: Math.floor(Date.now() / 1000),
      values: {
        kind: 'SessionEnd',
        eventId: `${act.attributes.promptId}:0123456789ab`,
        startTs: Date.now(),
        endReason: 'user_quit',
      },
    };
    home.write('.git-ai/internal/client/outbox/1777636800000-1-0000abcd.json', encodeMetricsBatch([quit]));
    await once(home);
    expect(backend.events.filter(isEnd).map(({ values }) => values.endReason)).toEqual(['user_quit']);
  });

  test('comes if the wrapper had no time to find the last event', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    const [act] = capture(home, 1);
    const quit: PromptEvent = {
      ...act,
      timestamp: Math.floor(Date.now() / 1000),
      values: {
        kind: 'SessionEnd',
        eventId: `${act.attributes.promptId}:0123456789ab`,
        parentId: act.values.eventId as string,
        parentIdEstimated: true,
        startTs: Date.now(),
        endReason: 'user_quit',
      },
    };
    home.write('.git-ai/internal/client/outbox/1777636800000-1-0000abcd.json', encodeMetricsBatch([quit]));
    await once(home);
    expect(backend.events.filter(isEnd).map(({ values }) => values)).toEqual([quit.values]);
  });

  test.each([
    ['uploaded if its line never came', false],
    ['uploaded once if its line came after the end', true],
  ])('the last answer that hooks told of is %s', async (_, hasLine) => {
    const home = new Home();
    const all = transcript(session(1), ['hello', 'bye'], recent());
    const lines = all.trimEnd().split('\n');
    const path = home.write(file(1), `${lines.slice(0, -1).join('\n')}\n`);
    const hook = (event: object) =>
      home.run(['hook'], { input: JSON.stringify({ session_id: session(1), transcript_path: path, ...event }) });
    hook({ hook_event_name: 'Stop', last_assistant_message: 're: bye' });
    hook({ hook_event_name: 'SessionEnd', reason: 'prompt_input_exit' });
    expect(home.outbox().map(({ values }) => values.kind)).toContain('SessionEnd');
    if (hasLine) appendFileSync(path, `${lines.at(-1)}\n`);
    await once(home);
    const uploaded = new Map(backend.events.map(({ values }) => [values.eventId, values]));
    const texts = [...uploaded.values()].filter(({ kind }) => kind !== 'SessionEnd').map(({ inputText }) => inputText);
    expect(texts.sort()).toEqual(['bye', 'hello', 're: bye', 're: hello']);
    expect(backend.events.filter(isEnd)).toHaveLength(1);
  });

  test('comes even if no watcher ran meanwhile', async () => {
    const home = new Home();
    const start = Date.now() - HALF_AN_HOUR + 6000;
    home.write(file(1), transcript(session(1), ['hello'], start));
    await once(home);
    expect(backend.events.filter(isEnd)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, start + HALF_AN_HOUR - Date.now() + 10));
    await once(home);
    expect(backend.events.filter(isEnd)).toHaveLength(1);
  });
});

describe('privacy', () => {
  const secret = 'password="Tr0ub4dor&3"';

  test('secrets are masked unless --no-redact is given', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), [secret], recent()));
    await once(home);
    expect(backend.events[0].values.inputText).toBe('password="********"');
    const other = new Home();
    other.write(file(1), transcript(session(1), [secret], recent()));
    await once(other, '--no-redact');
    expect(backend.events.at(-2)?.values.inputText).toBe(secret);
    expect(backend.events.at(-2)?.values.eventId).toBe(backend.events[0].values.eventId);
  });

  test('no file of the watcher contains texts', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['very private words'], recent()));
    await once(home);
    const folder = join(home.path, '.git-ai/internal/client');
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(2);
    for (const { parentPath, name } of files) {
      expect(readFileSync(join(parentPath, name), 'utf8')).not.toContain('private words');
    }
  });

  onUnix('the key comes from a file that its owner alone can read, and stands nowhere else', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    const key = home.write('key', `${KEY}\n`);
    chmodSync(key, 0o640);
    const refused = await once(home, '--key-file', key);
    expect(refused).toEqual({
      status: 2,
      stdout: '',
      stderr: `git-ai-metrics: --key-file: others can read ${key} (its mode is 640): run chmod 600 on it\n`,
    });
    chmodSync(key, 0o600);
    backend.fault = () => ({ name: '401', store: false });
    const { stderr } = await once(home, '--key-file', key);
    expect(backend.requests.at(-1)?.headers['x-api-key']).toBe(KEY);
    expect(stderr).not.toContain(KEY);
    const folder = join(home.path, '.git-ai');
    for (const { parentPath, name } of readdirSync(folder, { recursive: true, withFileTypes: true }).filter((e) =>
      e.isFile(),
    )) {
      expect(readFileSync(join(parentPath, name), 'utf8')).not.toContain(KEY);
    }
  });

  onUnix('links lead nowhere', async () => {
    const home = new Home();
    const outside = home.write('outside/secret.jsonl', transcript('secret', ['hello'], recent()));
    mkdirSync(join(home.path, PROJECT), { recursive: true });
    symlinkSync(outside, join(home.path, PROJECT, 'link.jsonl'));
    symlinkSync(join(home.path, 'outside'), join(home.path, '.claude/projects/linked'));
    expect(await once(home)).toEqual({ status: 0, stderr: '', stdout: '' });
    expect(backend.requests).toEqual([]);
  });

  onUnix('a session file that becomes a link while it waits to be uploaded leads nowhere', async () => {
    const home = new Home();
    const path = home.write(file(1), transcript(session(1), ['hello'], recent()));
    const outside = home.write('outside/secret.jsonl', transcript(session(1), ['secret'], recent()));
    let failures = 0;
    backend.fault = () => {
      failures++;
      return { name: '401', store: false };
    };
    const { child, ended } = watch(home);
    await until(() => failures > 0, 'an upload that fails');
    symlinkSync(outside, `${path}.new`);
    renameSync(`${path}.new`, path);
    home.write(file(2), transcript(session(2), ['another'], recent()));
    backend.fault = () => undefined;
    await until(() => backend.events.length === 2, 'the other session');
    child.kill();
    expect((await ended).stderr).toMatch(/cannot read .*ELOOP/);
    expect(backend.events.map(({ values }) => values.inputText)).toEqual(['another', 're: another']);
  });

  onUnix('the folder of a session’s subagents may not be a link either', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    const line = {
      type: 'assistant',
      isSidechain: true,
      agentId: 'a1',
      message: { content: [{ type: 'text', text: 'x' }] },
    };
    home.write('outside/agent-a1.jsonl', `${JSON.stringify(line)}\n`);
    home.write(file(1).replace('.jsonl', '/notes'), '');
    symlinkSync(join(home.path, 'outside'), join(home.path, file(1).replace('.jsonl', '/subagents')));
    await once(home);
    expect(backend.events.map(({ values }) => values.inputText)).toEqual(['hello', 're: hello']);
  });

  onUnix('what it keeps is the user’s alone', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    await once(home);
    const { statSync } = await import('node:fs');
    for (const { parentPath, name } of readdirSync(join(home.path, '.git-ai/internal'), {
      recursive: true,
      withFileTypes: true,
    })) {
      expect(statSync(join(parentPath, name)).mode & 0o077).toBe(0);
    }
  });
});

describe('one watcher per home directory', () => {
  test('a second watcher says so and exits; a killed one leaves no lock', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    const first = watch(home);
    await until(() => backend.events.length === 2, 'the first');
    expect(await watch(home).ended).toEqual({
      status: 1,
      stdout: '',
      stderr: `git-ai-metrics: another watcher runs in ${home.path}: process ${first.child.pid}\n`,
    });
    expect(home.run(['watch', 'status'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`process ${first.child.pid}`),
    });
    first.child.kill('SIGKILL');
    await first.ended;
    expect(await once(home)).toMatchObject({ status: 0, stderr: '' });
    expect(home.run(['watch', 'status'])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('no watcher runs'),
    });
  });

  test('garbage collection does not release the lock', async () => {
    const home = new Home();
    const collect = home.write('collect.cjs', 'setInterval(gc, 10).unref()');
    const first = new Watch(home, args(), ['--expose-gc', '--require', collect]);
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    await until(() => backend.events.length === 2, 'the first');
    appendFileSync(join(home.path, file(1)), transcript(session(1), ['more'], recent()));
    await until(() => backend.events.length === 4, 'what comes later');
    expect(await once(home)).toMatchObject({ status: 1, stderr: expect.stringContaining('another watcher') });
    first.child.kill();
  });

  test('it stops on a signal', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    const { child, ended } = watch(home);
    await until(() => backend.events.length === 2, 'the events');
    child.kill('SIGTERM');
    expect(await ended).toEqual({ status: 0, stderr: '', stdout: '' });
  });
});

describe('the command', () => {
  test('--print shows bodies without storing anything', async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hel\u202elo'], recent()));
    const { stdout } = home.run(['watch', '--print', '--once']);
    expect(stdout).toContain('hel\\u202elo');
    expect((JSON.parse(stdout) as { events: unknown[] }).events).toHaveLength(2);
    expect(existsSync(join(home.path, '.git-ai/internal/client/servers'))).toBe(false);
  });

  test('--print shows bodies that hooks left and keeps them for an uploading watcher', async () => {
    const home = new Home();
    const input = JSON.stringify({ session_id: 's', hook_event_name: 'UserPromptSubmit', prompt: 'hello' });
    home.run(['hook', '--agent', 'cursor'], { input });
    const left = home.outbox();
    const { stdout } = home.run(['watch', '--print', '--once']);
    expect(JSON.parse(stdout)).toMatchObject({ events: [{ v: { '0': 'HumanMessage' } }] });
    expect(home.outbox()).toEqual(left);
    await once(home);
    expect(backend.events).toEqual(left);
  });

  test("status shows what hasn't been uploaded", async () => {
    const home = new Home();
    home.write(file(1), transcript(session(1), ['hello'], recent()));
    home.write(file(2), transcript(session(2), ['hello'], recent()));
    await once(home);
    const more = transcript(session(2), ['more'], recent());
    appendFileSync(join(home.path, file(2)), more);
    const { stdout } = home.run(['watch', 'status']);
    expect(stdout).toContain('2 sessions; 0 bodies');
    expect(stdout).toMatch(new RegExp(`${backend.url} +1 +${more.length} +\\d{4}-`));
  });

  test.each([
    [['watch'], 'watch: give the --server'],
    [['watch', 'stop'], 'watch: expected status'],
    [['watch', '--server', 'x'], '--server: expected an http or https URL, found "x"'],
    [['watch', '--server', 'http://x', '--every', '-1'], 'option'],
    [['watch', '--server', 'http://x', '--every', '0'], '--every: expected seconds'],
    [
      ['watch', '--server', 'http://x', '--key-file', '/nowhere'],
      '--key-file: cannot read /nowhere: there is no such file',
    ],
  ])('%j is misuse', (args, message) => {
    const { status, stderr } = new Home().run(args);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
  });
});
