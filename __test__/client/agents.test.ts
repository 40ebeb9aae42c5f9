import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identifyTranscript, type PromptEvent, parseTranscript } from '../../index.js';
import { fixtureOf, summary } from '../capture/agents';
import { compressed } from '../capture/zstd';
import { environment, Home, MAIN } from './client';
import { Backend, until } from './server';

// Where the sessions of each agent are, and what shows whose a file is.

const CODEX = '019a0000-0000-7000-8000-000000000010';
const SUBAGENT = '019a0000-0000-7000-8000-000000000020';
const rollout = (id: string) => `.codex/sessions/2026/01/05/rollout-2026-01-05T09-00-00-${id}.jsonl`;
const code = process.platform === 'darwin' ? 'Library/Application Support/Code' : '.config/Code';

/** The path in a home directory, the agent, the fixture, and the id of the session. */
const SESSIONS: [string, string, string, string][] = [
  [rollout(CODEX), 'codex', 'newest', CODEX],
  [rollout(SUBAGENT), 'codex', 'subagent', CODEX],
  [`.codex/archived_sessions/rollout-2026-01-05T09-00-00-${CODEX}.jsonl`, 'codex', 'older', CODEX],
  ['.copilot/session-state/s-1/events.jsonl', 'github-copilot-cli', 'newest', 's-1'],
  [`${code}/User/workspaceStorage/0a/GitHub.copilot-chat/transcripts/v-1.jsonl`, 'github-copilot', 'vs-code', 'v-1'],
  ['.gemini/tmp/proj/chats/session-2026-01-05T09-00-g-1.jsonl', 'gemini', 'messages-written-again', 'g-1'],
  ['.gemini/tmp/0a/chats/session-2026-01-05T09-00-g-1.json', 'gemini', 'document', 'g-1'],
  ['.qwen/projects/-home-dev-proj/chats/qs-1.jsonl', 'qwen', 'known-answers', 'qs-1'],
  ['.kimi-code/sessions/wd_proj_51cf/session_u1/agents/main/wire.jsonl', 'kimi', 'known-answers', 'session_u1'],
  ['.factory/sessions/-home-dev-proj/d-1.jsonl', 'droid', 'known-answers', 'd-1'],
  ['.factory/sessions/d-1.jsonl', 'droid', 'known-answers', 'd-1'],
  ['.pi/agent/sessions/--home-dev-proj--/2026-01-05T09-00_p-1.jsonl', 'pi', 'known-answers', 'p-1'],
];

/** A session's file. Earlier versions of Gemini wrote one document. */
const textOf = (path: string, agent: string, name: string) =>
  fixtureOf(agent, name, path.slice(path.lastIndexOf('.') + 1));

const ids = (events: PromptEvent[]) => new Set(events.map(({ values }) => values.eventId));
const eventsOf = (agent: string, name: string, sessionId: string, path = '.jsonl') =>
  parseTranscript(agent, textOf(path, agent, name), { sessionId, homeDir: '' });

describe('whose transcript it is', () => {
  test.each(SESSIONS)('%s', (path, agent, name, sessionId) => {
    const head = textOf(path, agent, name);
    // Only the folder of a session of Kimi names it.
    const expected = agent === 'kimi' ? { agent } : { agent, sessionId };
    expect(identifyTranscript(head)).toEqual(expected);
    const before = path.endsWith('.json') ? '\ufeff\n' : '\ufeff\n{}\nno JSON\n';
    expect(identifyTranscript(Buffer.from(`${before}${head}`))).toEqual(expected);
  });

  test.each(['known-answers', 'tables', 'data-as-text', 'export'])('rows of OpenCode: %s', (name) => {
    const head = fixtureOf('opencode', name, name === 'export' ? 'json' : 'jsonl');
    expect(identifyTranscript(head)).toEqual({ agent: 'opencode', sessionId: expect.stringMatching(/^ses_/) });
  });

  test.each<[string, unknown]>([
    ['{"type":"user","sessionId":"c-1"}', { agent: 'claude', sessionId: 'c-1' }],
    ['{"type":"summary"}\n{"type":"user","message":{}}\n{"sessionId":"late"}', { agent: 'claude' }],
    ['{"type":"event_msg","payload":{}}', { agent: 'codex' }],
    ['{"type":"session_meta","payload":{"id":""}}', { agent: 'codex' }],
    ['{"type":"user.message","data":{"content":"x"}}', { agent: 'github-copilot-cli' }],
    ['{"type":"session_meta"}', null],
    // The index of Kimi's sessions.
    ['{"sessionId":"session_u1","sessionDir":"/home/dev/.kimi-code/sessions/wd/session_u1","workDir":"/w"}', null],
    ['{"type":"summary"}\n{"sessionId":"cut', null],
    ['', null],
    ['null\n7\n[]', null],
  ])('%s', (head, expected) => {
    expect(identifyTranscript(head)).toEqual(expected);
  });
});

describe('capture', () => {
  const bodies = (stdout: string) =>
    stdout
      .split('\n')
      .filter(Boolean)
      .flatMap((body) => JSON.parse(body).events);

  test.each(SESSIONS)('takes %s for what it is', (path, agent, name, sessionId) => {
    const home = new Home();
    const result = home.run(['capture', '--json', home.write(path, textOf(path, agent, name))]);
    expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: '' });
    const [first] = bodies(result.stdout);
    const [expected] = eventsOf(agent, name, sessionId, path);
    expect(first.v['0']).toBe(expected?.values.kind);
    expect(first.v['1']).toBe(expected?.values.eventId);
  });

  test('takes a compressed file, also under the name that it had before', () => {
    const home = new Home();
    const text = fixtureOf('codex', 'newest');
    const path = home.write(`${rollout(CODEX)}.zst`, compressed(text));
    const plain = home.run(['capture', '--json', home.write(rollout(SUBAGENT), text)]);
    for (const name of [path, path.slice(0, -'.zst'.length)]) {
      expect(home.run(['capture', '--json', name])).toMatchObject({ status: 0, stderr: '', stdout: plain.stdout });
    }
    const unnamed = home.write('c-1.jsonl.zst', compressed('{"type":"user","message":{"content":"Hi"},"uuid":"u"}\n'));
    expect(Object.values(bodies(home.run(['capture', '--json', unnamed]).stdout)[0].a)).toContain('c-1');
  });

  test('the name of the file counts if no line names the session, and options before both', () => {
    const home = new Home();
    const lines = fixtureOf('codex', 'newest').split('\n').slice(1).join('\n');
    const path = home.write(rollout(CODEX), lines);
    const id = (...args: string[]) => bodies(home.run(['capture', '--json', ...args]).stdout)[0]?.v['1'];
    expect(id(path)).toBe(eventsOf('codex', 'newest', CODEX)[0]?.values.eventId);
    expect(id('--session', 's', path)).toBe(eventsOf('codex', 'newest', 's')[0]?.values.eventId);
    expect(id('--agent', 'claude', path)).toBeUndefined();
  });

  test('an unknown agent is misuse', () => {
    const { status, stderr } = new Home().run(['capture', '--agent', 'clod', 'x']);
    expect(stderr).toMatch(/^git-ai-metrics: capture: expected --agent to be one of claude, codex, .*, found clod\n$/);
    expect(status).toBe(2);
  });
});

describe('watch', () => {
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
  const watch = (home: Home, ...more: string[]) => {
    const args = [MAIN, 'watch', '--server', backend.url, '--every', '0.03', ...more];
    const child = spawn(process.execPath, args, { env: environment(home.path), stdio: 'ignore' });
    running.add(child);
    return new Promise((resolve) => child.on('close', resolve));
  };
  const uploaded = () => backend.events.filter(({ values }) => values.kind !== 'SessionEnd');

  test('finds the sessions of every agent, once', async () => {
    const home = new Home();
    for (const [path, agent, name] of SESSIONS) home.write(path, textOf(path, agent, name));
    home.write('.codex/sessions/2026/01/05/notes.jsonl', fixtureOf('codex', 'newest'));
    home.write('.copilot/session-state/s-1/other.jsonl', fixtureOf('github-copilot-cli', 'newest'));
    expect(await watch(home, '--once')).toBe(0);
    const expected = SESSIONS.flatMap(([path, agent, name, id]) => eventsOf(agent, name, id, path));
    expect(ids(uploaded())).toEqual(ids(expected));
    const before = backend.events.length;
    expect(await watch(home, '--once')).toBe(0);
    expect(backend.events).toHaveLength(before);
  });

  test('the events of a subagent’s rollout belong to the session that it names', async () => {
    const home = new Home();
    home.write(rollout(SUBAGENT), fixtureOf('codex', 'subagent'));
    await watch(home, '--once');
    expect(uploaded().map(summary)).toHaveLength(2);
    expect(new Set(uploaded().map(({ attributes }) => attributes.externalPromptId))).toEqual(new Set([CODEX]));
  });

  test('follows a rollout in folders that appear later, from the line that names its session', async () => {
    const home = new Home();
    mkdirSync(join(home.path, '.codex/sessions'), { recursive: true });
    watch(home);
    const path = join(home.path, rollout(SUBAGENT));
    const [first, ...lines] = fixtureOf('codex', 'subagent').split('\n');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, first?.slice(0, 40) ?? '');
    await new Promise((resolve) => setTimeout(resolve, 200));
    appendFileSync(path, `${first?.slice(40)}\n${lines.slice(0, 7).join('\n')}\n`);
    await until(() => uploaded().length === 1, 'the call');
    appendFileSync(path, lines.slice(7).join('\n'));
    await until(() => ids(uploaded()).size === 2, 'the answer');
    expect(ids(uploaded())).toEqual(ids(eventsOf('codex', 'subagent', CODEX)));
  });

  test('reads the compressed file of a session, and goes on when one is compressed or decompressed', async () => {
    const home = new Home();
    const first = fixtureOf('codex', 'newest');
    const more = `${JSON.stringify({
      timestamp: '2026-01-06T09:00:00.000Z',
      type: 'event_msg',
      payload: { type: 'user_message', message: 'And now?' },
    })}\n`;
    const path = home.write(rollout(CODEX), first);
    home.write(`${rollout(SUBAGENT)}.zst`, compressed(fixtureOf('codex', 'subagent')));
    const other = ids(eventsOf('codex', 'subagent', CODEX)).size;
    const own = ids(eventsOf('codex', 'newest', CODEX)).size;
    expect(await watch(home, '--once')).toBe(0);
    expect(uploaded()).toHaveLength(own + other);

    renameSync(home.write('packed', compressed(first)), `${path}.zst`);
    rmSync(path);
    expect(await watch(home, '--once')).toBe(0);
    expect(uploaded()).toHaveLength(own + other);

    watch(home);
    writeFileSync(path, first);
    rmSync(`${path}.zst`);
    appendFileSync(path, more);
    await until(() => uploaded().length > own + other, 'the new prompt');
    expect(uploaded().at(-1)?.values.inputText).toBe('And now?');
    writeFileSync(`${path}.zst`, compressed(`${first}${more}${more.replace('now', 'then')}`));
    rmSync(path);
    await until(() => uploaded().length > own + other + 1, 'the last prompt');
    expect(uploaded().map(({ values }) => values.inputText)).toContain('And then?');
    expect(uploaded()).toHaveLength(own + other + 2);
    expect(ids(uploaded()).size).toBe(own + other + 2);
    expect(home.run(['watch', 'status']).stdout).toMatch(/^a watcher runs.*\n2 sessions;/);
  });

  test('finds the subagents of Gemini, Qwen and Kimi, and follows them', async () => {
    const home = new Home();
    const subagents = [
      ['.gemini/tmp/proj/chats/g-1/s-9.jsonl', 'gemini', 'g-1'],
      ['.qwen/projects/-home-dev-proj/subagents/qs-1/agent-general-purpose-call_9.jsonl', 'qwen', 'qs-1'],
      ['.kimi-code/sessions/wd_proj_51cf/session_u1/agents/agent-0/wire.jsonl', 'kimi', 'session_u1'],
    ] as const;
    for (const [path, agent, name] of SESSIONS) {
      if (['gemini', 'qwen', 'kimi'].includes(agent)) home.write(path, textOf(path, agent, name));
    }
    watch(home);
    await until(() => uploaded().length >= 3, 'the sessions');
    for (const [path, agent] of subagents) home.write(path, fixtureOf(agent, 'subagent'));
    // A session's main file is written when its subagent has begun.
    for (const [path, agent] of SESSIONS) {
      if (path.endsWith('.jsonl') && subagents.some((subagent) => subagent[1] === agent)) {
        appendFileSync(join(home.path, path), '\n');
      }
    }
    const expected = subagents.flatMap(([, agent, id]) => [...ids(eventsOf(agent, 'subagent', id))]);
    await until(() => expected.every((id) => ids(uploaded()).has(id)), 'the subagents');
  });

  test.each([
    ['CODEX_HOME', '', rollout(CODEX).slice('.codex/'.length), 'codex', 'newest', CODEX],
    ['GEMINI_CLI_HOME', '.gemini/', 'tmp/proj/chats/session-2026-01-05T09-00-g-1.jsonl', 'gemini', 'rewind', 'g-1'],
    ['QWEN_HOME', '', 'projects/-home-dev-proj/chats/qs-1.jsonl', 'qwen', 'known-answers', 'qs-1'],
    ['QWEN_RUNTIME_DIR', '', 'projects/-home-dev-proj/chats/qs-1.jsonl', 'qwen', 'known-answers', 'qs-1'],
    ['PI_CODING_AGENT_DIR', '', 'sessions/--home-dev-proj--/2026_p-1.jsonl', 'pi', 'known-answers', 'p-1'],
    ['PI_CODING_AGENT_SESSION_DIR', '', '2026_p-1.jsonl', 'pi', 'known-answers', 'p-1'],
  ])('$%s is where the agent’s folder is', async (variable, below, path, agent, name, id) => {
    const home = new Home();
    home.write(`elsewhere/${below}${path}`, fixtureOf(agent, name));
    const args = [MAIN, 'watch', '--server', backend.url, '--once'];
    const env = environment(home.path, { [variable]: join(home.path, 'elsewhere') });
    const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
    running.add(child);
    await new Promise((resolve) => child.on('close', resolve));
    expect(ids(uploaded())).toEqual(ids(eventsOf(agent, name, id)));
  });

  test('what a hook has told of before the transcript held it is uploaded once', async () => {
    const home = new Home();
    const lines = fixtureOf('qwen', 'known-answers').trimEnd().split('\n');
    const path = home.write('.qwen/projects/-home-dev-proj/chats/qs-1.jsonl', `${lines.slice(0, -1).join('\n')}\n`);
    const payload = { session_id: 'qs-1', hook_event_name: 'Stop', transcript_path: path, cwd: home.path };
    const input = JSON.stringify({ ...payload, last_assistant_message: 'Done.' });
    home.run(['hook', '--agent', 'qwen'], { input });
    home.run(['hook', '--agent', 'qwen'], { input: JSON.stringify({ ...payload, hook_event_name: 'SessionEnd' }) });
    const alone = { session_id: 'other', hook_event_name: 'UserPromptSubmit', prompt: 'no transcript' };
    home.run(['hook', '--agent', 'qwen'], { input: JSON.stringify(alone) });
    const told = home.outbox().map(({ values }) => values);
    expect(told.filter(({ inputText }) => inputText === 'Done.')).toEqual([
      expect.objectContaining({ parentIdEstimated: true }),
    ]);
    appendFileSync(path, `${lines.at(-1)}\n`);
    await watch(home, '--once');
    const expected = eventsOf('qwen', 'known-answers', 'qs-1');
    const own = uploaded().filter(({ attributes }) => attributes.externalPromptId === 'qs-1');
    expect(ids(own)).toEqual(ids(expected));
    expect(uploaded().map(({ values }) => values.inputText)).toContain('no transcript');
    expect(backend.events.map(({ values }) => values.endReason)).toContain('user_quit');
  });
});

test('run ends the sessions that an agent other than Claude Code has written here, but not those of its subagents', () => {
  const home = new Home();
  const here = (agent: string, name: string) => fixtureOf(agent, name).replaceAll('/home/dev/app', process.cwd());
  const files = [
    [rollout(CODEX), here('codex', 'newest')],
    [rollout(SUBAGENT), here('codex', 'subagent')],
    ['.copilot/session-state/s-1/events.jsonl', here('github-copilot-cli', 'newest')],
    ['.copilot/session-state/s-2/events.jsonl', fixtureOf('github-copilot-cli', 'newest')],
  ].map(([path, text]) => [join(home.path, path as string), text]);
  const script = `
    const { mkdirSync, writeFileSync } = require('node:fs');
    for (const [path, text] of ${JSON.stringify(files)}) {
      mkdirSync(require('node:path').dirname(path), { recursive: true });
      writeFileSync(path, text);
    }`;
  expect(home.run(['run', process.execPath, '-e', script]).status).toBe(0);
  const ends = home
    .outbox()
    .map(({ values, attributes }) => [attributes.tool, attributes.externalPromptId, values.endReason]);
  expect(ends.sort()).toEqual([
    ['codex', CODEX, 'user_quit'],
    ['github-copilot-cli', 's-1', 'user_quit'],
  ]);
});

describe('hooks', () => {
  const CODEX_HOOKS = '.codex/hooks.json';
  const COPILOT_HOOKS = '.copilot/hooks/git-ai-metrics.json';

  test('Codex’s file keeps what is there, and remove takes exactly ours out', () => {
    const home = new Home();
    const before =
      '{\n  "hooks": {\n    "Stop": [{ "hooks": [{ "type": "command", "command": "say done" }] }]\n  }\n}\n';
    home.write(CODEX_HOOKS, before);
    expect(home.run(['hooks', 'install', '--agent', 'codex'])).toMatchObject({ status: 0, stderr: '' });
    const { hooks } = JSON.parse(home.read(CODEX_HOOKS));
    expect(Object.keys(hooks).sort()).toEqual([
      'PostToolUse',
      'SessionEnd',
      'Stop',
      'SubagentStop',
      'UserPromptSubmit',
    ]);
    expect(hooks.Stop.map((group: { hooks: { command: string }[] }) => group.hooks[0]?.command)).toEqual([
      'say done',
      expect.stringContaining('hook --agent codex'),
    ]);
    expect(home.run(['hooks', 'status', '--agent', 'codex']).status).toBe(0);
    expect(home.run(['hooks', 'status']).status).toBe(1);
    expect(home.run(['hooks', 'remove', '--agent', 'codex']).status).toBe(0);
    expect(home.read(CODEX_HOOKS)).toBe(before);
  });

  test.each([
    ['gemini', '.gemini/settings.json', ['AfterAgent', 'AfterTool', 'BeforeAgent', 'SessionEnd'], 10_000],
    [
      'qwen',
      '.qwen/settings.json',
      ['PostToolUse', 'PostToolUseFailure', 'SessionEnd', 'Stop', 'StopFailure', 'SubagentStop', 'UserPromptSubmit'],
      10,
    ],
  ])('those of %s stand in its settings, with a timeout in its unit', (agent, file, events, timeout) => {
    const home = new Home();
    const before = '{\n  // Mine.\n  "model": { "name": "m" }\n}\n';
    home.write(file, before);
    expect(home.run(['hooks', 'install', '--agent', agent])).toMatchObject({ status: 0, stderr: '' });
    const { model, hooks } = JSON.parse(home.read(file).replace('// Mine.', ''));
    expect(model).toEqual({ name: 'm' });
    expect(Object.keys(hooks).sort()).toEqual(events);
    for (const [group] of Object.values<{ hooks: object[] }[]>(hooks)) {
      const command = expect.stringMatching(new RegExp(`hook --agent ${agent}$`));
      expect(group?.hooks).toEqual([{ type: 'command', command, timeout }]);
    }
    expect(home.run(['hooks', 'install', '--agent', agent]).stdout).toContain('installed already');
    expect(home.run(['hooks', 'status', '--agent', agent]).status).toBe(0);
    expect(home.run(['hooks', 'remove', '--agent', agent]).status).toBe(0);
    expect(home.read(file)).toBe(before);
  });

  test('Cursor’s file lists hooks without groups, and names its version', () => {
    const home = new Home();
    const file = '.cursor/hooks.json';
    const run = (action: string) => home.run(['hooks', action, '--agent', 'cursor']);
    expect(run('install')).toMatchObject({ status: 0, stderr: '' });
    const own = { command: expect.stringMatching(/hook --agent cursor$/), timeout: 10 };
    const events = [
      'beforeSubmitPrompt',
      'postToolUse',
      'postToolUseFailure',
      'afterAgentThought',
      'afterAgentResponse',
      'sessionEnd',
    ];
    const hooks = Object.fromEntries(events.map((event) => [event, [own]]));
    expect(JSON.parse(home.read(file))).toEqual({ version: 1, hooks });
    expect(run('status').status).toBe(0);

    const before = `{
  "version": 1,
  "hooks": {
    "postToolUse": [{ "command": "./mine.sh", "matcher": "Shell" }], // mine
    "stop": [{ "command": "say done" }]
  }
}
`;
    home.write(file, before);
    expect(run('status').status).toBe(1);
    run('install');
    expect(home.read(file)).toContain('{ "command": "./mine.sh", "matcher": "Shell" }');
    expect(run('install').stdout).toContain('installed already');
    run('remove');
    expect(home.read(file)).toBe(before);
    home.write(file, '{"hooks":{"stop":["say done"]}}');
    expect(run('install').stderr).toContain('hooks.stop.0: expected an object, found string; nothing was changed');
  });

  test.each([
    ['', ''],
    ['an end of the line', 'default_model = "m"\n'],
    ['no end of the line', 'default_model = "m"'],
    ['empty lines', 'default_model = "m"\r\n\r\n'],
    [
      'tables',
      '[[hooks]]\nevent = "Stop"\ncommand = "say done"\n\n[[hooks]]\nevent = "Stop"\ncommand = "x"\ntimeout = 9\n',
    ],
  ])('Kimi’s settings get tables at their end, and remove restores them: %s', (_, before) => {
    const home = new Home();
    const file = '.kimi-code/config.toml';
    const run = (action: string, ...more: string[]) => home.run(['hooks', action, '--agent', 'kimi', ...more]);
    home.write(file, before);
    expect(run('install')).toMatchObject({ status: 0, stderr: '' });
    const text = home.read(file);
    expect(text.startsWith(before.trimEnd())).toBe(true);
    const own = [
      ...text.matchAll(/\[\[hooks\]\]\nevent = "(\w+)"\ncommand = (".* hook --agent kimi")\ntimeout = 10(?!\d)/g),
    ];
    expect(own.map(([, event]) => event)).toHaveLength(7);
    expect(JSON.parse(own[0]?.[2] ?? '')).toContain(MAIN);
    expect(run('install').stdout).toContain('installed already');
    expect(run('status').status).toBe(0);
    // Another command takes the place of the first one.
    expect(run('status', '--no-redact').stdout).toContain('outdated');
    run('install', '--no-redact');
    expect(run('status', '--no-redact').status).toBe(0);
    expect(home.read(file).split('hook --agent kimi')).toHaveLength(8);
    expect(run('remove').status).toBe(0);
    expect(home.read(file)).toBe(before);
  });

  test('Kimi’s settings stay as they are if they hold hooks in another form', () => {
    const home = new Home();
    const before = 'hooks = [{ event = "Stop", command = "say done" }]\n';
    const path = home.write('.kimi-code/config.toml', before);
    const { status, stderr } = home.run(['hooks', 'install', '--agent', 'kimi']);
    const problem = 'hooks: expected tables [[hooks]], found a value; nothing was changed';
    expect({ status, stderr }).toEqual({ status: 1, stderr: `git-ai-metrics: ${path}: ${problem}\n` });
    expect(home.read('.kimi-code/config.toml')).toBe(before);
  });

  test('Copilot’s hooks have a file of their own, and each names its event', () => {
    const home = new Home();
    const run = (action: string, ...more: string[]) =>
      home.run(['hooks', action, '--agent', 'github-copilot-cli', ...more]);
    expect(run('status').status).toBe(1);
    expect(run('install', '--dry-run').stdout).toMatch(/^\+ .*"postToolUse"/m);
    expect(run('install')).toMatchObject({ status: 0, stderr: '' });
    const { version, hooks } = JSON.parse(home.read(COPILOT_HOOKS));
    expect(version).toBe(1);
    expect(hooks.postToolUse).toEqual([
      {
        type: 'command',
        bash: expect.stringMatching(/hook --agent github-copilot-cli --event postToolUse$/),
        powershell: expect.stringMatching(/^& ".* --event postToolUse$/),
        timeoutSec: 10,
      },
    ]);
    expect(run('install').stdout).toContain('installed already');
    expect(run('status').status).toBe(0);
    expect(run('status', '--no-redact').stdout).toContain('outdated');

    const payload = { sessionId: 's-1', timestamp: 1_767_603_600_000, cwd: '/w', toolName: 'bash', toolArgs: {} };
    const result = { ...payload, toolResult: { resultType: 'failure' } };
    const args = hooks.postToolUse[0].bash.split('hook ')[1].split(' ');
    expect(home.run(['hook', ...args], { input: JSON.stringify(result) })).toMatchObject({ status: 0, stderr: '' });
    expect(home.outbox().map(summary)).toEqual(['ToolCall bash failed']);

    expect(run('remove').status).toBe(0);
    expect(run('status').status).toBe(1);
    expect(run('remove').stdout).toContain('there is no such file');
  });

  test('$COPILOT_HOME is where Copilot’s folder is', () => {
    const home = new Home();
    const env = { COPILOT_HOME: join(home.path, 'elsewhere') };
    expect(home.run(['hooks', 'install', '--agent', 'github-copilot-cli'], { env }).status).toBe(0);
    expect(home.read('elsewhere/hooks/git-ai-metrics.json')).toContain('agentStop');
  });

  test('an agent whose hooks can’t be installed is misuse', () => {
    const { status, stderr } = new Home().run(['hooks', 'install', '--agent', 'pi']);
    expect(stderr).toMatch(/^git-ai-metrics: hooks: expected --agent to be one of claude, codex, .*, found pi\n$/);
    expect(status).toBe(2);
  });
});
