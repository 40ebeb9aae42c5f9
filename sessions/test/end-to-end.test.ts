/**
 * From an agent's process to `prompt_events`: a scripted agent writes a session like Claude Code, the client captures and
 * uploads it, and a backend on embedded ClickHouse stores it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promptId } from 'git-ai-metrics';
import { type RunningApp, startApp } from './support/app.ts';
import { ClickHouse, describeWithClickHouse, type Row } from './support/clickhouse.ts';
import { MINUTE, SECOND } from './support/liveness-model.ts';

const CLIENT = join(__dirname, '..', '..', 'cli', 'main.js');
const AGENT = join(__dirname, 'support', 'agent.cjs');
const CLOCK = join(__dirname, 'support', 'clock.cjs');

const SESSION = '5b2f6c1e-0c1d-4f7a-9a1e-2f6d1c0b7e55';
const SUBAGENT = 'ad43e7960c506d8fe';
const PROMPT_ID = promptId('claude', SESSION);
const INSTALLATION = '7d0f1f0e-2f6d-4b3c-8a51-64f0f3f0a001';
const SKILL = 'Local\n';
const SKILL_MTIME = Date.UTC(2026, 0, 2, 3, 4, 5);

type Step = { path: string; line: object } | { payload: object };

describeWithClickHouse('from an agent to the tables', () => {
  let clickHouse: ClickHouse;
  let app: RunningApp;
  /** How far the server's clock is ahead of the real one. */
  let serverAheadMs = 0;
  /** The developer's home directory. All runs share its path, so their ids and hashes are equal. */
  let home: string;
  const processes = new Set<ChildProcess>();

  beforeAll(async () => {
    const now = Date.now;
    jest.spyOn(Date, 'now').mockImplementation(() => now() + serverAheadMs);
    clickHouse = await ClickHouse.start();
    app = await startApp(clickHouse.store, { keyless: false });
    home = mkdtempSync(join(tmpdir(), 'git-ai-sessions-home-'));
  });
  beforeEach(() => {
    serverAheadMs = 0;
  });
  afterEach(async () => {
    for (const child of processes) {
      child.kill('SIGKILL');
      // An agent whose wrapper is gone ends with its standard input.
      child.stdin?.destroy();
    }
    while (processes.size > 0) await sleep(10);
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await app?.stop();
    await clickHouse?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  function makeHome() {
    rmSync(home, { recursive: true, force: true });
    file('.gitconfig', '[user]\n\tname = Ada Lovelace\n\temail = ada@example.com\n');
    file('.git-ai/internal/distinct_id', INSTALLATION);
    utimesSync(file('app/.claude/skills/local-skill/SKILL.md', SKILL), SKILL_MTIME / 1000, SKILL_MTIME / 1000);
  }

  function file(name: string, text: string): string {
    const path = join(home, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Starts a process of Node on the developer's machine. It has ended when all of its pipes are closed. */
  function start(...words: string[]) {
    const env = { PATH: process.env.PATH, HOME: home, USERPROFILE: home };
    const child = spawn(process.execPath, words, { cwd: join(home, 'app'), env });
    processes.add(child);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (text) => {
        output[name] += text;
      });
    }
    const ended = new Promise<object>((resolve) =>
      child.on('close', (status, signal) => {
        processes.delete(child);
        resolve({ ending: signal ?? status, ...output });
      }),
    );
    return { child, output, ended };
  }

  /** The options that name the server and a key of this org. */
  function delivery(org: string): string[] {
    const path = file('key', app.keys.add(org, 'ingest').key);
    chmodSync(path, 0o600);
    return ['--server', app.url, '--key-file', path];
  }

  const succeeded = { ending: 0, stderr: '' };
  const watch = (options: string[]) => start('--require', CLOCK, CLIENT, 'watch', '--every', '0.1', ...options);
  async function runAgent(steps: Step[]) {
    const script = file('script.json', JSON.stringify({ steps }));
    expect(await start(AGENT, script).ended).toEqual({ ...succeeded, stdout: 'written\n' });
  }
  const installHooks = async (...options: string[]) =>
    expect(await start(CLIENT, 'hooks', 'install', ...options).ended).toMatchObject(succeeded);

  const eventsOf = (org: string) =>
    clickHouse.rows('SELECT * FROM prompt_events WHERE org_id = {org:String} ORDER BY event_ts, event_id', { org });

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`waited 20 s for ${what}`);
      await sleep(100);
    }
  }

  /** A session with everything that events are made of, and the hooks in the order in which Claude Code runs them. */
  function session(startMs: number): Step[] {
    const cwd = join(home, 'app');
    const folder = join(home, '.claude/projects', cwd.replace(/[^A-Za-z0-9]/g, '-'));
    const transcript = join(folder, `${SESSION}.jsonl`);
    const subagent = join(folder, SESSION, 'subagents', `agent-${SUBAGENT}.jsonl`);
    const steps: Step[] = [];
    let lines = 0;
    const write = (type: string, line: object, path = transcript) => {
      const uuid = `00000000-0000-4000-8000-${String(lines).padStart(12, '0')}`;
      const timestamp = new Date(startMs + lines * 500).toISOString();
      lines += 1;
      const head = {
        isSidechain: path === subagent,
        cwd,
        sessionId: SESSION,
        version: '2.1.332',
        gitBranch: 'fix-parser',
        type,
        uuid,
        timestamp,
      };
      steps.push({ path, line: { ...head, ...line } });
    };
    const hook = (name: string, payload: object = {}) =>
      steps.push({
        payload: { session_id: SESSION, transcript_path: transcript, cwd, hook_event_name: name, ...payload },
      });
    const user = (content: unknown, more: object = {}, path = transcript) =>
      write('user', { message: { role: 'user', content }, ...more }, path);
    const assistant = (block: object, more: object = {}, path = transcript) =>
      write(
        'assistant',
        { message: { id: `msg_${lines}`, role: 'assistant', model: 'claude-opus-4-6', content: [block] }, ...more },
        path,
      );
    const call = (id: string, name: string, input: object, path = transcript) =>
      assistant({ type: 'tool_use', id, name, input }, {}, path);
    const after = (id: string, name: string, duration: number, more: object = {}) =>
      hook('PostToolUse', { tool_name: name, tool_input: {}, tool_use_id: id, duration_ms: duration, ...more });
    const result = (id: string, content: string, more: object = {}, path = transcript) =>
      user([{ tool_use_id: id, type: 'tool_result', content }], more, path);

    hook('UserPromptSubmit', { prompt: 'Please fix the parser, password="Tr0ub4dor&3"' });
    user('Please fix the parser, password="Tr0ub4dor&3"');
    assistant({ type: 'thinking', thinking: 'Let me look', signature: 'EqQB' }, { thinkingDurationMs: 1234 });
    assistant({ type: 'text', text: 'I will look at it.' });
    call('toolu_ls', 'Bash', { command: 'ls' });
    after('toolu_ls', 'Bash', 302);
    result('toolu_ls', 'README.md');
    call('toolu_fail', 'Bash', { command: 'exit 3' });
    hook('PostToolUseFailure', { tool_name: 'Bash', tool_use_id: 'toolu_fail', error: 'Exit code 3', duration_ms: 20 });
    user([{ tool_use_id: 'toolu_fail', type: 'tool_result', content: 'Exit code 3', is_error: true }]);
    call('toolu_glob', 'Glob', { pattern: '*.rs' });
    write('attachment', {
      attachment: {
        type: 'queued_command',
        prompt: 'No, use the other file instead',
        commandMode: 'prompt',
        origin: { kind: 'human' },
        humanTurn: true,
      },
    });
    after('toolu_glob', 'Glob', 40);
    result('toolu_glob', 'lib.rs', { toolUseResult: { filenames: [], durationMs: 37 } });
    call('toolu_write', 'Write', { file_path: join(cwd, 'lib.rs'), content: 'fn main() {}' });
    after('toolu_write', 'Write', 5);
    result('toolu_write', 'File created');
    call('toolu_mcp', 'mcp__echo__say', { text: 'hi' });
    after('toolu_mcp', 'mcp__echo__say', 283);
    result('toolu_mcp', 'said hi');
    call('toolu_skill', 'Skill', { skill: 'local-skill' });
    after('toolu_skill', 'Skill', 12);
    result('toolu_skill', 'Launching skill: local-skill');
    user([{ type: 'text', text: `Base directory for this skill: ${cwd}/.claude/skills/local-skill\n\nLocal\n` }], {
      isMeta: true,
      sourceToolUseID: 'toolu_skill',
    });
    call('toolu_agent', 'Agent', { description: 'Explore it', prompt: 'Find all callers' });
    user('Find all callers', { isMeta: true, agentId: SUBAGENT, parentUuid: null }, subagent);
    call('toolu_sub', 'Bash', { command: 'echo sub' }, subagent);
    after('toolu_sub', 'Bash', 118, { agent_id: SUBAGENT });
    result('toolu_sub', 'sub', {}, subagent);
    assistant({ type: 'text', text: 'Sub done.' }, {}, subagent);
    hook('SubagentStop', { agent_id: SUBAGENT, agent_transcript_path: subagent, last_assistant_message: 'Sub done.' });
    after('toolu_agent', 'Agent', 61_300);
    result('toolu_agent', 'Found 3', { toolUseResult: { totalDurationMs: 61_234 } });
    assistant({ type: 'text', text: 'All done.' });
    hook('Stop', { stop_hook_active: false, last_assistant_message: 'All done.' });
    hook('SessionEnd', { reason: 'prompt_input_exit' });
    return steps;
  }

  describe('a session with everything', () => {
    interface Captured {
      events: Row[];
      /** How many rows were stored, before they were merged. */
      delivered: number;
    }
    let hooks: Captured;
    let watcher: Captured;
    let both: Captured;

    /** Runs the same session, on a machine with hooks, a watcher or both. */
    async function capture(org: string, startMs: number, { hooked = false, watched = false }): Promise<Captured> {
      makeHome();
      const options = delivery(org);
      const before = await storedRows();
      if (hooked) await installHooks(...options);
      const watching = watched ? watch(options) : undefined;
      await runAgent(session(startMs));
      if (watching !== undefined) {
        await until('the watcher to upload', async () => (await storedRows()) > before);
        watching.child.kill('SIGTERM');
        expect(await watching.ended).toMatchObject(succeeded);
        // Whatever it had not got to.
        expect(await watch([...options, '--once']).ended).toMatchObject(succeeded);
      }
      return { events: await eventsOf(org), delivered: (await storedRows()) - before };
    }

    async function storedRows(): Promise<number> {
      const { values } = await app.metrics.rows.get();
      return values.reduce((sum, { value }) => sum + value, 0);
    }

    beforeAll(async () => {
      const startMs = Date.now() - MINUTE;
      hooks = await capture('hooks', startMs, { hooked: true });
      watcher = await capture('watcher', startMs, { watched: true });
      both = await capture('both', startMs, { hooked: true, watched: true });
    });

    /** How many events have each column, from hooks and from the watcher. Hooks know durations, and the session's end. */
    const COLUMNS: Record<string, [hooks: number, watcher: number]> = {
      org_id: [15, 14],
      prompt_id: [15, 14],
      event_id: [15, 14],
      event_ts: [15, 14],
      emitted_at: [15, 14],
      received_at: [15, 14],
      heard_at: [15, 14],
      kind: [15, 14],
      // All but the first of the session and the first of its subagent.
      parent_id: [13, 12],
      parent_id_estimated: [15, 14],
      // Five tool calls, a file write, an MCP call and a skill.
      tool_call_name: [8, 8],
      // All but the human's two messages and the end.
      model: [12, 12],
      error: [8, 8],
      start_ts: [15, 14],
      // A thought and all calls. The transcript has those of the thought, the search and the subagent.
      reported_duration_ms: [9, 3],
      observed_duration_ms: [8, 8],
      input_hash: [14, 14],
      // Two of the human, and three of the assistant.
      input_text: [5, 5],
      skill_file_path: [1, 1],
      skill_file_mtime: [1, 1],
      skill_file_hash: [1, 1],
      end_reason: [1, 0],
      git_ai_version: [15, 14],
      human_author: [15, 14],
      tool: [15, 14],
      external_prompt_id: [15, 14],
      installation: [15, 14],
      branch: [15, 14],
      // No transcript and no hook of Claude Code says these.
      repo_url: [0, 0],
      named_author: [0, 0],
      commit_sha: [0, 0],
      base_commit_sha: [0, 0],
      attr_model: [0, 0],
      trace_id: [0, 0],
      parent_session_id: [0, 0],
      external_parent_session_id: [0, 0],
      custom_attributes: [0, 0],
      derived: [15, 14],
      // Only events that the server derives from records have these.
      derived_from: [0, 0],
      ranked_duration: [0, 0],
      result: [0, 0],
      settled: [0, 0],
      verdict: [0, 0],
    };

    test('every field that the source has arrives', () => {
      const counts =
        ({ events }: Captured) =>
        (column: string) =>
          events.filter((event) => event[column] !== null).length;
      const [ofHooks, ofWatcher] = [counts(hooks), counts(watcher)];
      const columns = Object.keys(hooks.events[0] ?? {});
      expect(Object.fromEntries(columns.map((column) => [column, [ofHooks(column), ofWatcher(column)]]))).toEqual(
        COLUMNS,
      );
    });

    test('with its value', () => {
      const found = (kind: string) => hooks.events.filter((event) => event.kind === kind);
      const common = {
        org_id: 'hooks',
        prompt_id: PROMPT_ID,
        tool: 'claude',
        external_prompt_id: SESSION,
        human_author: 'Ada Lovelace <ada@example.com>',
        installation: INSTALLATION,
        branch: 'fix-parser',
        derived: false,
      };
      expect(hooks.events).toEqual(hooks.events.map(() => expect.objectContaining(common)));
      expect(found('HumanMessage').map(({ input_text }) => input_text)).toEqual([
        'Please fix the parser, password="********"',
        'No, use the other file instead',
      ]);
      expect(
        found('ToolCall')
          .map((call) => [call.tool_call_name, call.error, call.reported_duration_ms, call.observed_duration_ms])
          .sort((a, b) => Number(a[2]) - Number(b[2])),
      ).toEqual([
        ['Bash', true, 20, 500],
        ['Glob', false, 40, 1000],
        ['Bash', false, 118, 500],
        ['Bash', false, 302, 500],
        ['Agent', false, 61_300, 2500],
      ]);
      expect(found('FileWrite')).toMatchObject([{ tool_call_name: 'Write', reported_duration_ms: 5 }]);
      expect(found('McpCall')).toMatchObject([{ tool_call_name: 'mcp__echo__say', reported_duration_ms: 283 }]);
      expect(found('ThinkingMessage')).toMatchObject([{ model: 'claude-opus-4-6', reported_duration_ms: 1234 }]);
      expect(found('SkillInvocation')).toMatchObject([
        {
          skill_file_path: join(home, 'app/.claude/skills/local-skill/SKILL.md'),
          skill_file_mtime: SKILL_MTIME,
          skill_file_hash: createHash('sha256').update(SKILL).digest('hex').slice(0, 16),
        },
      ]);
      expect(found('SessionEnd')).toMatchObject([{ end_reason: 'user_quit' }]);
    });

    /** An event without its org, without times of the server, and without the durations that differ by source. */
    const comparable = ({ org_id, received_at, heard_at, reported_duration_ms, ...event }: Row) => event;

    test('hooks and the watcher give the same events', () => {
      const captured = hooks.events.filter(({ kind }) => kind !== 'SessionEnd');
      expect(captured.map(comparable)).toEqual(watcher.events.map(comparable));
    });

    test('both at once count once', () => {
      expect(both.delivered).toBeGreaterThan(hooks.delivered);
      // The end's time is that of its hook.
      const values = ({ events }: Captured) =>
        events.map(({ event_ts, start_ts, emitted_at, ...event }) =>
          event.kind === 'SessionEnd' ? comparable(event) : comparable({ ...event, event_ts, start_ts, emitted_at }),
        );
      const durations = ({ events }: Captured) => events.map((event) => event.reported_duration_ms);
      expect(values(both)).toEqual(values(hooks));
      expect(durations(both)).toEqual(durations(hooks));
    });
  });

  describe('the end of a session', () => {
    beforeEach(makeHome);

    /** An agent at work in the wrapper, and a watcher that has uploaded its events. */
    async function atWork(org: string) {
      const { key } = app.keys.add(org, 'view');
      const state = async () => {
        const answer = await fetch(`${app.url}/api/sessions`, { headers: { 'x-api-key': key } });
        const { sessions } = (await answer.json()) as { sessions: Row[] };
        return sessions.map((session) => [session.prompt_id, session.state, session.reason]);
      };
      const script = file('script.json', JSON.stringify({ steps: session(Date.now() - 20 * SECOND), waits: true }));
      const wrapper = start(CLIENT, 'run', '--', process.execPath, AGENT, script);
      const watcher = watch(delivery(org));
      await until('the session', async () => (await eventsOf(org)).length === 14);
      expect(await state()).toEqual([[PROMPT_ID, 'live', null]]);
      return { wrapper, watcher, state };
    }

    /** Kills a process. What it had started ends with its standard input. */
    async function kill({ child, ended }: ReturnType<typeof start>) {
      child.kill('SIGKILL');
      child.stdin.end();
      expect(await ended).toMatchObject({ ending: 'SIGKILL', stderr: '' });
    }

    async function expectOneEnd(org: string, reason: string) {
      const events = await eventsOf(org);
      const ends = events.filter(({ kind }) => kind === 'SessionEnd');
      expect(ends).toMatchObject([{ end_reason: reason, parent_id_estimated: false }]);
      expect(events.map(({ event_id }) => event_id)).toContain(ends[0]?.parent_id);
      expect(events).toHaveLength(15);
    }

    test('user_quit: the wrapper is told to end', async () => {
      const { wrapper, watcher, state } = await atWork('quit');
      wrapper.child.kill('SIGTERM');
      expect(await wrapper.ended).toEqual({ ending: 'SIGTERM', stdout: 'written\n', stderr: '' });
      await until('the end', async () => (await eventsOf('quit')).length === 15);
      expect(await state()).toEqual([[PROMPT_ID, 'ended', 'user_quit']]);
      await expectOneEnd('quit', 'user_quit');
      await kill(watcher);
    });

    test('idle_timeout: the wrapper is killed, and the watcher waits for 30 minutes', async () => {
      const { wrapper, watcher, state } = await atWork('idle');
      await kill(wrapper);
      expect(await state()).toEqual([[PROMPT_ID, 'live', null]]);
      serverAheadMs = 30 * MINUTE;
      watcher.child.kill('SIGUSR2');
      await until('the end', async () => (await eventsOf('idle')).length === 15);
      expect(await state()).toEqual([[PROMPT_ID, 'ended', 'idle_timeout']]);
      await expectOneEnd('idle', 'idle_timeout');
      await kill(watcher);
    });

    test('signal: both are killed, and the server hears nothing for 10 minutes', async () => {
      const { wrapper, watcher, state } = await atWork('signal');
      await Promise.all([kill(wrapper), kill(watcher)]);
      serverAheadMs = 10 * MINUTE;
      expect(await state()).toEqual([[PROMPT_ID, 'quiet', null]]);
      await app.reaper.run();
      expect(await state()).toEqual([[PROMPT_ID, 'ended', 'signal']]);
      expect(await app.reaper.run()).toBe(0);
      await expectOneEnd('signal', 'signal');
    });
  });
});
