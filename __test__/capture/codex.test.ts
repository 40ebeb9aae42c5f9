import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { captureHook, type PromptEvent, parseTranscript, TranscriptReader } from '../../index.js';
import { thrown } from '../support';
import { describeReader, fixtureOf, summary } from './agents';
import { SKILL_TIME, temporaryFolder, writeSkill } from './transcripts';

const folder = temporaryFolder();
const SESSION = '019a0000-0000-7000-8000-000000000010';

describeReader('codex', {
  'aborted-calls': [
    'ToolCall exec_command (gpt-5.5) failed 3000/3000',
    'ToolCall spawn_agent (gpt-5.5) failed 1000/-',
    'ToolCall exec_command (gpt-5.5) ok 1000/500',
  ],
  'background-command': [
    'McpCall mcp__echo__say (gpt-5.5) ok 35/1',
    'ToolCall exec_command (gpt-5.5) failed 700/506',
    'AiMessage (gpt-5.5) “It runs.”',
  ],
  'code-mode': [
    'HumanMessage “Look”',
    'ToolCall exec (gpt-6.1-sol) ok 1000/800',
    'ToolCall exec_command (gpt-6.1-sol) ok 9/-',
    'ToolCall exec_command (gpt-6.1-sol) failed 102/-',
    'FileWrite apply_patch (gpt-6.1-sol) ok 20/-',
    'McpCall mcp__echo__say.twice (gpt-6.1-sol) ok 134/133',
    'McpCall mcp__echo__fail (gpt-6.1-sol) failed 7/7',
    'ToolCall write_stdin (gpt-6.1-sol) ok 50/-',
    'ToolCall exec (gpt-6.1-sol) failed 100/100',
  ],
  compaction: [
    'HumanMessage “Fix it”',
    'AiMessage (gpt-5.5) “Fixed.”',
    'HumanMessage “Now the tests”',
    'AiMessage (gpt-5.5) “Tested.”',
  ],
  'fork-of-the-newest': ['HumanMessage “at once mine”'],
  'fork-with-other-ids': ['HumanMessage “my own prompt”'],
  fork: ['HumanMessage “my own prompt”', 'AiMessage (gpt-5.5) “My own answer.”'],
  malformed: [
    'McpCall mcp____ ok',
    'ToolCall unknown',
    'ToolCall unknown',
    'AiMessage “still � here”',
    'AiMessage “keys in any order”',
    'HumanMessage “a human”',
  ],
  newest: [
    'HumanMessage “Fix the parser — it fails on “nulls””',
    'ThinkingMessage (gpt-6.1-sol)',
    'AiMessage (gpt-6.1-sol) “I look.”',
    'ToolCall exec_command (gpt-6.1-sol) ok 250/190',
    'ToolCall exec_command (gpt-6.1-sol) failed 150/90',
    'FileWrite apply_patch (gpt-6.1-sol) ok 60/0',
    'FileWrite apply_patch (gpt-6.1-sol) failed 20/-',
    'McpCall mcp__echo__say (gpt-6.1-sol) ok 150/133',
    'McpCall mcp__echo__fail (gpt-6.1-sol) failed 1020/1001',
    'McpCall mcp__echo__crash (gpt-6.1-sol) failed 10/2',
    'ToolCall no_such_tool (gpt-6.1-sol) failed 5/-',
    'ToolCall exec_command (gpt-6.1-sol) 4010/-',
    'ToolCall update_plan (gpt-6.1-sol) ok 3/-',
    'ToolCall web_search (gpt-6.1-sol) ok',
    'ToolCall exec_command (gpt-6.1-sol)',
  ],
  'not-a-human': ['HumanMessage “make it faster”', 'HumanMessage “and smaller”', 'HumanMessage “one two”'],
  older: [
    'HumanMessage “fix the bug”',
    'ThinkingMessage (gpt-5.5)',
    'AiMessage (gpt-5.5) “I look.”',
    'ToolCall exec_command (gpt-5.5) failed 300/210',
    'FileWrite apply_patch (gpt-5.5) ok 80/100',
    'McpCall mcp__codex_apps__github__fetch_pr (gpt-5.5) failed 1910/1834',
    'McpCall mcp__tracker__find (gpt-5.5) ok 600/500',
    'ToolCall tool_search (gpt-5.5) ok 10/-',
    'ToolCall exec (gpt-5.5) ok 300/300',
    'McpCall mcp__tracker__find (gpt-5.5) failed 150/150',
    'FileWrite apply_patch (gpt-5.5) failed',
    'ToolCall exec_command (gpt-5.5) ok 110/100',
    'HumanMessage “fix the bug”',
    'AiMessage (gpt-5.5-mini) “Again.”',
  ],
  piped: [
    'HumanMessage “Explain this”',
    'HumanMessage “\n\n<stdin>\nonly piped\n</stdin>”',
    'HumanMessage “What does\n\n<stdin>\n mean in XML?”',
  ],
  results: [
    'ToolCall tool (gpt-5.3) ok 500/0',
    'ToolCall tool (gpt-5.3) failed 500/100',
    'ToolCall tool (gpt-5.3) ok 500/10000',
    'ToolCall tool (gpt-5.3) ok 500/1500',
    'ToolCall tool (gpt-5.3) failed 500/-',
    'ToolCall tool (gpt-5.3) failed 500/-',
    'ToolCall tool (gpt-5.3) failed 500/-',
    'ToolCall tool (gpt-5.3) failed 500/-',
    'ToolCall tool (gpt-5.3) failed 500/-',
    'ToolCall tool (gpt-5.3) failed 500/250',
    'ToolCall tool (gpt-5.3) ok 500/-',
    'ToolCall tool (gpt-5.3) ok 500/-',
    'ToolCall tool (gpt-5.3) ok 500/-',
    'ToolCall tool (gpt-5.3) ok 500/-',
    'ToolCall tool (gpt-5.3) ok 100/-',
    'ToolCall early (gpt-5.3) failed 0/1000',
  ],
  resumed: ['AiMessage (gpt-5.3) “one”', 'HumanMessage “still a human”', 'AiMessage (gpt-5.6) “two”'],
  'said-twice': [
    'HumanMessage “Review the current code changes”',
    'AiMessage “Fine.”',
    'HumanMessage “Review the current code changes”',
    'HumanMessage “Review the current code changes”',
  ],
  skills: ['HumanMessage “$release now”', 'SkillInvocation skill', 'SkillInvocation skill', 'SkillInvocation skill'],
  'spawns-a-subagent': ['ToolCall spawn_agent (gpt-5.5) ok 2000/-'],
  'subagent-with-the-history': ['ToolCall exec_command (gpt-5.5) ok 100/50', 'AiMessage (gpt-5.5) “Sub done.”'],
  subagent: ['ToolCall exec_command (gpt-5.5) ok 100/50', 'AiMessage (gpt-5.5) “Sub done.”'],
});

test('a skill that a human names has the file that the harness loads', () => {
  const path = writeSkill(folder, 'home', 'release/SKILL.md', 'Release it.');
  const other = folder.write('home/notes.md', 'Not a skill.');
  const line = (file: string, time: string) =>
    JSON.stringify({
      timestamp: time,
      type: 'response_item',
      payload: {
        type: 'message',
        role: 'user',
        content: [{ type: 'input_text', text: `<skill>\n<name>${file}</name>\n<path>${file}</path>\nbody</skill>` }],
      },
    });
  const lines = [line(path, '2026-01-05T09:00:00.000Z'), line(other, '2026-01-05T09:00:01.000Z')];
  const events = parseTranscript('codex', lines.join('\n'), { sessionId: 'x', homeDir: '' });
  expect(events.map(({ values }) => [values.kind, values.skillFilePath, values.skillFileMtime])).toEqual([
    ['SkillInvocation', path, SKILL_TIME.getTime()],
    ['SkillInvocation', undefined, undefined],
  ]);
});

test.each<[object, number]>([
  [{ source: 'cli' }, 1],
  [{ source: { custom: 'an-app' }, thread_source: 'user' }, 1],
  [{}, 1],
  [{ source: { subagent: 'review' } }, 0],
  [{ source: { internal: 'memory_consolidation' } }, 0],
  [{ thread_source: 'subagent' }, 0],
])('a session with %j holds %i human texts', (rest, count) => {
  const lines = [
    { type: 'session_meta', payload: { id: 's', ...rest } },
    { type: 'event_msg', payload: { type: 'user_message', message: 'Hello' } },
  ];
  const transcript = lines.map((line) => JSON.stringify({ timestamp: '2026-01-05T09:00:00.000Z', ...line })).join('\n');
  expect(parseTranscript('codex', transcript, { sessionId: 's' })).toHaveLength(count);
});

test('equal texts of one moment are one event, of two moments two', () => {
  const said = (time: string) =>
    JSON.stringify({
      timestamp: `2026-01-05T09:00:0${time}.000Z`,
      type: 'response_item',
      payload: { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Done.' }] },
    });
  const events = parseTranscript('codex', [said('1'), said('1'), said('2')].join('\n'), { sessionId: 'x' });
  expect(events).toHaveLength(2);
});

describe('hooks', () => {
  type Payload = Record<string, unknown>;
  const hook = (name: string, rest: Payload, state?: string) => {
    const payload = { session_id: SESSION, cwd: '/w', hook_event_name: name, model: 'gpt-5.5', turn_id: 't', ...rest };
    return captureHook('codex', JSON.stringify(payload), { homeDir: '', receivedAtMs: 1_767_603_620_000 }, state);
  };
  /** The events of hooks that follow each other. */
  const session = (hooks: [string, Payload][]): PromptEvent[] => {
    let state: string | undefined;
    return hooks.flatMap(([name, rest]) => {
      const captured = hook(name, rest, state);
      state = captured.state;
      return captured.events;
    });
  };
  const last = (events: PromptEvent[]) => [...new Map(events.map((event) => [event.values.eventId, event])).values()];
  const tool = (id: string, tool_name: string, tool_response?: unknown): Payload => {
    return { tool_name, tool_input: { command: 'x' }, tool_use_id: id, tool_response };
  };

  test.each([
    ['that isn’t named', { transcript_path: null }],
    ['that doesn’t exist', { transcript_path: '/nowhere/rollout.jsonl' }],
  ])('without a rollout (%s) each prompt, call and answer is one event', (_, rest) => {
    const events = session([
      ['SessionStart', { source: 'startup', ...rest }],
      ['UserPromptSubmit', { prompt: '\n# Files mentioned by the user:\n## My request for Codex:\nFix it', ...rest }],
      ['PreToolUse', { ...tool('call_1', 'Bash'), ...rest }],
      ['PermissionRequest', { ...tool('call_1', 'Bash'), ...rest }],
      ['PostToolUse', { ...tool('call_1', 'Bash', 'Exit code: 7 is what it printed'), ...rest }],
      ['PreToolUse', { ...tool('call_2', 'apply_patch'), ...rest }],
      ['PostToolUse', { ...tool('call_2', 'apply_patch', 'Exit code: 0\nWall time: 0 seconds\nOutput:\n'), ...rest }],
      ['PreToolUse', { ...tool('call_3', 'mcp__echo__say'), ...rest }],
      ['PostToolUse', { ...tool('call_3', 'mcp__echo__say', { content: [], isError: true }), ...rest }],
      ['PostToolUse', { ...tool('call_4', 'mcp__echo__say', { content: [] }), ...rest }],
      ['PreCompact', { trigger: 'auto', ...rest }],
      ['Stop', { stop_hook_active: false, last_assistant_message: 'All done.', ...rest }],
      ['SubagentStart', { agent_id: 'a', agent_type: 'default', ...rest }],
      ['UserPromptSubmit', { prompt: 'Explore', agent_id: 'a', ...rest }],
      ['SubagentStop', { agent_id: 'a', last_assistant_message: 'Sub done.', ...rest }],
      ['SessionEnd', { reason: 'other', ...rest }],
    ]);
    expect(last(events).map(summary)).toEqual([
      'HumanMessage “Fix it”',
      'ToolCall Bash (gpt-5.5)',
      'FileWrite apply_patch (gpt-5.5) ok',
      'McpCall mcp__echo__say (gpt-5.5) failed',
      'McpCall mcp__echo__say (gpt-5.5) ok',
      'AiMessage (gpt-5.5) “All done.”',
      'SessionEnd',
    ]);
  });

  test('a call is the same event with and without the session’s state', () => {
    const [before] = hook('PreToolUse', tool('call_9', 'apply_patch')).events;
    const [after] = hook('PostToolUse', tool('call_9', 'apply_patch', 'x')).events;
    expect(after?.values.eventId).toBe(before?.values.eventId);
  });

  test('all hooks together give the events of the rollout, whenever it is written', () => {
    const text = fixtureOf('codex', 'newest');
    const whole = parseTranscript('codex', text, { sessionId: SESSION, homeDir: '' });
    const path = join(folder.path, 'late', 'rollout.jsonl');
    const rest = { transcript_path: path };
    const prompt = whole[0]?.values.inputText;
    const lines = text.split('\n');
    const upTo = (count: number) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `${lines.slice(0, count).join('\n')}\n`);
    };
    let state: string | undefined;
    const events: PromptEvent[] = [];
    const fire = (name: string, more: Payload) => {
      const captured = hook(name, { ...rest, ...more }, state);
      state = captured.state;
      events.push(...captured.events);
    };
    fire('UserPromptSubmit', { prompt });
    fire('PreToolUse', tool('call_1', 'Bash'));
    expect(events.map(summary)).toEqual([`HumanMessage “${prompt}”`, 'ToolCall Bash (gpt-5.5)']);
    upTo(16);
    fire('PostToolUse', tool('call_1', 'Bash', 'a.rs'));
    upTo(25);
    // The line of this answer comes later.
    fire('Stop', { last_assistant_message: 'See you.' });
    lines.push(
      JSON.stringify({
        timestamp: '2026-01-05T09:02:00.000Z',
        type: 'response_item',
        payload: { type: 'message', role: 'assistant', id: 'm', content: [{ type: 'output_text', text: 'See you.' }] },
      }),
    );
    upTo(lines.length);
    fire('Stop', { last_assistant_message: 'See you.' });
    const summaries = last(events).map(summary);
    expect(summaries.filter((line) => line.startsWith('HumanMessage'))).toHaveLength(1);
    expect(summaries.filter((line) => line.includes('See you.'))).toHaveLength(1);
    // The first call has the name that its first hook gave it.
    const called = (line: string) => line.replace('exec_command', 'Bash');
    expect(
      summaries
        .filter((line) => !line.includes('See you.'))
        .map(called)
        .sort(),
    ).toEqual(
      whole
        .map(summary)
        .map(called)
        .map((line) => line.replace(/Bash \(gpt-6.1-sol\) ok/, 'Bash (gpt-5.5) ok'))
        .sort(),
    );
  });

  test('what only a hook knows reaches the rollout’s call', () => {
    const path = folder.write('facts.jsonl', fixtureOf('codex', 'newest'));
    const captured = hook('PostToolUse', { transcript_path: path, ...tool('call_11', 'Bash'), duration_ms: 31 });
    expect(captured.events.map(summary).at(-1)).toBe('ToolCall exec_command (gpt-6.1-sol)');
    const failed = hook('PostToolUse', {
      transcript_path: path,
      ...tool('call_11', 'mcp__echo__say', { isError: true }),
    });
    expect(failed.events.map(summary).at(-1)).toBe('ToolCall exec_command (gpt-6.1-sol) failed');
  });

  test('a subagent’s hooks read its own rollout, the session’s theirs, each once', () => {
    const path = (id: string) => `sessions/rollout-2026-01-05T09-00-00-${id}.jsonl`;
    const [main, sub] = [path(SESSION), path('019a0000-0000-7000-8000-000000000020')];
    const [whole, part] = [fixtureOf('codex', 'newest'), fixtureOf('codex', 'subagent')];
    const lines = part.trimEnd().split('\n');
    const rollout = { transcript_path: folder.write(main, whole) };
    const agent = { agent_id: '019a0000-0000-7000-8000-000000000020', agent_type: 'default' };
    const own = { ...agent, transcript_path: folder.write(sub, `${lines.slice(0, 7).join('\n')}\n`) };
    const states: string[] = [];
    const fire = (name: string, rest: Payload) => {
      const captured = hook(name, rest, states.at(-1));
      states.push(captured.state);
      return captured.events.map(summary);
    };
    const all = (text: string) => parseTranscript('codex', text, { sessionId: SESSION, homeDir: '' }).map(summary);
    expect(fire('SubagentStart', own)).toEqual([expect.stringMatching(/^ToolCall exec_command/)]);
    expect(fire('PostToolUse', { ...rollout, ...tool('call_1', 'Bash', 'x') })).toEqual(all(whole));
    folder.write(sub, `${lines.slice(0, 8).join('\n')}\n`);
    expect(fire('PostToolUse', { ...own, ...tool('call_s1', 'Bash', 'x') })).toEqual([all(part)[0]]);
    // The line of its answer comes after the hook.
    const stop = { ...rollout, ...agent, agent_transcript_path: own.transcript_path };
    expect(fire('SubagentStop', { ...stop, last_assistant_message: 'Sub done.' })).toEqual([
      'AiMessage (gpt-5.5) “Sub done.”',
    ]);
    folder.write(sub, part);
    expect(fire('SubagentStop', { ...stop, last_assistant_message: 'Sub done.' })).toEqual([]);
    expect(fire('Stop', { ...rollout, last_assistant_message: null })).toEqual([]);
    expect(fire('SessionEnd', { ...rollout, reason: 'other' })).toEqual(['SessionEnd']);
    // What isn't a state of these files is refused.
    for (const state of ['', '\n', `${states.at(-1)}\nx`]) {
      expect(thrown(() => hook('SubagentStop', stop, state)).code).toBe('ERR_INVALID_ARGUMENT');
    }
  });

  test('a session remembers 64 of its subagents', () => {
    let state: string | undefined;
    const sizes: number[] = [];
    for (let n = 100; n < 180; n += 1) {
      const path = folder.write(`many/rollout-2026-${n}.jsonl`, fixtureOf('codex', 'subagent'));
      const captured = hook('SubagentStop', { agent_id: `${n}`, agent_transcript_path: path }, state);
      expect(captured.events).toHaveLength(2);
      state = captured.state;
      sizes.push(state.length);
    }
    expect(sizes.at(-1)).toBeLessThan((sizes[63] as number) * 1.01);
  });
});

test('Codex 0.171: a command that fails behind its result, because it went on, comes again as an error', () => {
  const lines = fixtureOf('codex', 'background-command').split('\n');
  const path = folder.write('background.jsonl', `${lines.slice(0, 8).join('\n')}\n`);
  const reader = new TranscriptReader('codex', path, { sessionId: SESSION, homeDir: '' });
  const [, command] = reader.read();
  expect(command?.values).toMatchObject({ toolCallName: 'exec_command', error: false, observedDurationMs: 700 });
  const state = reader.state();
  appendFileSync(path, lines.slice(8).join('\n'));
  const again = reader.read();
  expect(again.map(({ values }) => values)).toEqual([{ ...command?.values, error: true }]);
  const resumed = TranscriptReader.resume('codex', path, { sessionId: SESSION, homeDir: '' }, state);
  expect(resumed.read()).toEqual(again);
  expect(reader.read()).toEqual([]);
});
