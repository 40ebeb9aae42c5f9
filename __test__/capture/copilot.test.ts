import { join } from 'node:path';
import { captureHook, type HookOptions, type PromptEvent, parseTranscript } from '../../index.js';
import { describeReader, fixtureOf, summary } from './agents';
import { SKILL_TIME, temporaryFolder, writeSkill } from './transcripts';

const folder = temporaryFolder();
const CLI = 'github-copilot-cli';
const home = join(folder.path, 'home');

describe('the CLI', () => {
  describeReader('github-copilot-cli', {
    'exit-codes': [
      'ToolCall bash (gpt-5.5) failed 200/-',
      'ToolCall bash (gpt-5.5) failed 200/-',
      'ToolCall bash (gpt-5.5) ok 200/-',
      'ToolCall bash (gpt-5.5) failed 200/-',
      'ToolCall bash (gpt-5.5) failed 200/-',
      'ToolCall bash (gpt-5.5) ok 200/-',
      'ToolCall bash (gpt-5.5) ok 200/-',
      'ToolCall bash (gpt-5.5) ok 200/-',
      'ToolCall bash (gpt-5.5) failed 200/-',
      'ToolCall bash (gpt-5.5) ok 200/-',
    ],
    malformed: [
      'ToolCall unknown',
      'ToolCall a',
      'HumanMessage “no id”',
      'HumanMessage “nor here”',
      'AiMessage “keys in any � order”',
    ],
    newest: [
      'HumanMessage “Fix it — please”',
      'ThinkingMessage (claude-opus-4.8)',
      'AiMessage (claude-opus-4.8) “I look.”',
      'ToolCall bash (claude-opus-4.8) ok 645/-',
      'ToolCall bash (claude-opus-4.8) failed 500/-',
      'FileWrite create (claude-opus-4.8) ok 200/-',
      'FileWrite edit (claude-opus-4.8) failed 40/-',
      'McpCall mcp__github__find (claude-opus-4.8) ok 900/-',
      'AiMessage (claude-opus-4.8) “All done — “finished”.”',
      'ToolCall view (claude-opus-4.8)',
    ],
    'not-a-human': ['HumanMessage “a human”'],
    older: [
      'HumanMessage “fix it”',
      'AiMessage (gpt-5.4-mini) “With the first model.”',
      'AiMessage (claude-opus-4.8) “With the second.”',
      'FileWrite apply_patch (claude-opus-4.8) ok 100/-',
      'AiMessage (gpt-5.5) “With the third.”',
    ],
    'refused-calls': [
      'ToolCall bash (gpt-5.5) 3100/-',
      'HumanMessage “Use the trash”',
      'ToolCall bash (gpt-5.5) 100/-',
      'ToolCall bash (gpt-5.5) ok 100/-',
    ],
    skills: ['SkillInvocation skill (gpt-5.5) ok 100/-', 'SkillInvocation skill'],
    subagents: [
      'ToolCall task (gpt-5.5) ok 1400/1339',
      'AiMessage (small-model) “I explore.”',
      'ToolCall bash ok 100/-',
      'ToolCall task (gpt-5.5) failed 1000/990',
      'AiMessage (gpt-5.5) “The session’s own model again.”',
    ],
  });
});

describe('VS Code', () => {
  describeReader('github-copilot', {
    'vs-code': [
      'HumanMessage “add a file”',
      'ThinkingMessage',
      'AiMessage “I add it.”',
      'FileWrite create_file ok 200/-',
      'ToolCall run_in_terminal ok 500/-',
    ],
  });
});

test('skills have the file that the log names after their call', () => {
  const path = writeSkill(folder, 'home', 'brainstorming/SKILL.md', 'Think.');
  const line = (type: string, data: object, n: number) =>
    JSON.stringify({ type, data, id: `e${n}`, timestamp: `2026-01-05T09:00:0${n}.000Z` });
  const log = [
    line('tool.execution_start', { toolCallId: 'c1', toolName: 'skill', arguments: { skill: 'brainstorming' } }, 1),
    line('tool.execution_complete', { toolCallId: 'c1', success: true }, 2),
    line('skill.invoked', { name: 'brainstorming', path, trigger: 'agent-invoked' }, 3),
    line('skill.invoked', { name: 'brainstorming', path, trigger: 'user-invoked' }, 4),
  ];
  const events = parseTranscript(CLI, log.join('\n'), { sessionId: 's-1', homeDir: '' });
  expect(events.map(({ values }) => [values.error, values.skillFilePath, values.skillFileMtime])).toEqual([
    [false, path, SKILL_TIME.getTime()],
    [undefined, path, SKILL_TIME.getTime()],
  ]);
});

describe('hooks', () => {
  type Payload = Record<string, unknown>;
  const AT = 1_767_603_600_000;

  function session(payloads: Payload[], options: HookOptions = {}, events: (string | undefined)[] = []): PromptEvent[] {
    let state: string | undefined;
    return payloads.flatMap((payload, n) => {
      const event = events[n];
      const all = { homeDir: '', receivedAtMs: AT + 900, ...options, ...(event !== undefined && { event }) };
      const captured = captureHook(CLI, JSON.stringify(payload), all, state);
      state = captured.state;
      return captured.events;
    });
  }
  const last = (events: PromptEvent[]) => [...new Map(events.map((event) => [event.values.eventId, event])).values()];
  const camel = (ms: number, rest: Payload): Payload => ({ sessionId: 's-1', timestamp: AT + ms, cwd: '/w', ...rest });
  const snake = (ms: number, hook_event_name: string, rest: Payload): Payload => {
    const timestamp = new Date(AT + ms).toISOString();
    return { hook_event_name, session_id: 's-1', timestamp, cwd: '/w', ...rest };
  };
  const ls = { toolName: 'bash', toolArgs: { command: 'ls', mode: 'sync' } };
  const edit = { toolName: 'edit', toolArgs: { path: '/w/a', old_str: 'x', new_str: 'y' } };

  const CAMEL: [Payload, string][] = [
    [camel(0, { source: 'new', initialPrompt: 'Fix it' }), 'sessionStart'],
    [camel(1, { prompt: 'Fix it' }), 'userPromptSubmitted'],
    [camel(100, ls), 'preToolUse'],
    [camel(101, { hookName: 'permissionRequest', ...ls, toolInput: ls.toolArgs }), 'permissionRequest'],
    [camel(400, { ...ls, toolResult: { resultType: 'success', textResultForLlm: 'a' } }), 'postToolUse'],
    [camel(500, ls), 'preToolUse'],
    [
      camel(600, { ...ls, toolResult: { resultType: 'success', textResultForLlm: '<x completed with exit code 2>' } }),
      'postToolUse',
    ],
    [camel(700, edit), 'preToolUse'],
    [camel(750, { ...edit, error: 'No match found' }), 'postToolUseFailure'],
    [camel(800, { toolName: 'view', toolArgs: {}, toolResult: { resultType: 'failure' } }), 'postToolUse'],
    [camel(810, { errorContext: 'model_call', recoverable: true, error: { message: 'no' } }), 'errorOccurred'],
    [camel(820, { transcriptPath: '/nowhere', agentName: 'x', agentId: 'a', parentAgentId: 's-1' }), 'subagentStart'],
    [camel(830, { sessionId: 'a', agentId: 'a', parentAgentId: 's-1', prompt: 'Explore' }), 'userPromptSubmitted'],
    [camel(840, { sessionId: 'a', agentId: 'a', parentAgentId: 's-1', toolName: 'glob', toolArgs: {} }), 'preToolUse'],
    [
      camel(850, {
        ...{ sessionId: 'a', agentId: 'a', parentAgentId: 's-1', toolName: 'glob', toolArgs: {} },
        toolResult: { resultType: 'success', textResultForLlm: '' },
      }),
      'postToolUse',
    ],
    [camel(860, { sessionId: 'a', agentId: 'a', parentAgentId: 's-1', stopReason: 'end_turn' }), 'agentStop'],
    [camel(870, { agentId: 'a', agentName: 'x', response: 'Sub done.', stopReason: 'end_turn' }), 'subagentStop'],
    [camel(880, { transcriptPath: '/nowhere', stopReason: 'end_turn', stop_hook_active: false }), 'agentStop'],
    [camel(890, { reason: 'complete' }), 'sessionEnd'],
  ];
  const EVENTS = [
    'HumanMessage “Fix it”',
    'ToolCall bash ok 300/-',
    'ToolCall bash failed 100/-',
    'FileWrite edit failed 50/-',
    'ToolCall view failed',
    'ToolCall glob ok 10/-',
    'AiMessage',
    'SessionEnd',
  ];

  test('payloads in camelCase have no name: their members show what they are', () => {
    expect(last(session(CAMEL.map(([payload]) => payload))).map(summary)).toEqual(EVENTS);
  });

  test('the caller can name the event', () => {
    const [payloads, events] = [CAMEL.map(([payload]) => payload), CAMEL.map(([, event]) => event)];
    expect(last(session(payloads, {}, events)).map(summary)).toEqual(EVENTS);
    // A name of the caller’s counts, whatever the members look like.
    expect(session([camel(0, { prompt: 'Fix it' })], {}, ['notification'])).toEqual([]);
  });

  test('an event has the time that its payload gives', () => {
    const [event] = session([camel(1, { prompt: 'Fix it' })]);
    expect(event?.values.startTs).toBe(AT + 1);
    expect(event?.attributes.externalPromptId).toBe('s-1');
  });

  test('payloads with the keys of Claude Code', () => {
    const bash = { tool_name: 'Bash', tool_input: { command: 'ls' } };
    const events = session([
      snake(0, 'SessionStart', { source: 'new' }),
      snake(1, 'UserPromptSubmit', { prompt: 'Fix it' }),
      snake(100, 'PreToolUse', bash),
      snake(350, 'PostToolUse', { ...bash, tool_result: { result_type: 'success', text_result_for_llm: 'a' } }),
      snake(400, 'PreToolUse', { tool_name: 'Write', tool_input: { path: '/w/a' } }),
      snake(450, 'PostToolUseFailure', { tool_name: 'Write', tool_input: { path: '/w/a' }, error: 'no' }),
      snake(500, 'SubagentStop', { agent_id: 'a', parent_agent_id: 's-1', last_assistant_message: 'Sub done.' }),
      snake(600, 'Stop', { stop_reason: 'end_turn' }),
    ]);
    expect(last(events).map(summary)).toEqual([
      'HumanMessage “Fix it”',
      'ToolCall Bash ok 250/-',
      'FileWrite Write failed 50/-',
      'AiMessage',
    ]);
  });

  test('equal calls that run at once are two, the first to end is the first that began', () => {
    const done = { ...ls, toolResult: { resultType: 'success', textResultForLlm: '' } };
    const events = session([camel(0, ls), camel(10, ls), camel(100, done), camel(300, done), camel(400, done)]);
    expect(last(events).map(summary)).toEqual(['ToolCall bash ok 100/-', 'ToolCall bash ok 290/-', 'ToolCall bash ok']);
  });

  test('older payloads list their calls, with ids and the input as text', () => {
    const toolCalls = [
      { id: 'c1', name: 'bash', args: '{"command":"ls"}' },
      { id: 'c2', name: 'edit', args: '{"path":"a"}' },
    ];
    expect(session([camel(0, { toolCalls })]).map(summary)).toEqual(['ToolCall bash', 'FileWrite edit']);
  });

  test('the input may be text in one hook and an object in the next', () => {
    const events = session([
      camel(0, { toolName: 'bash', toolArgs: '{"b": 1, "a": "x"}' }),
      camel(9, { toolName: 'bash', toolArgs: { a: 'x', b: 1 }, toolResult: { resultType: 'success' } }),
    ]);
    expect(last(events).map(summary)).toEqual(['ToolCall bash ok 9/-']);
  });

  test('of calls that no hook has ended, the last 256 wait', () => {
    const call = (n: number) => ({ toolName: 'bash', toolArgs: { command: `${n}` } });
    const done = (n: number) => ({ ...call(n), toolResult: { resultType: 'success' } });
    const begun = Array.from({ length: 300 }, (_, n) => camel(n, call(n)));
    const events = session([...begun, camel(1000, done(0)), camel(1001, done(299))]);
    expect(events).toHaveLength(302);
    expect(events.slice(-2).map(summary)).toEqual(['ToolCall bash ok', 'ToolCall bash ok 702/-']);
  });

  test('a failure whose call no hook has announced is an event of its own', () => {
    expect(session([camel(0, { ...edit, error: 'No match found' })]).map(summary)).toEqual(['FileWrite edit failed']);
  });

  test('where the session has a log in the home directory, hooks read it', () => {
    const log = '.copilot/session-state/s-1/events.jsonl';
    const whole = parseTranscript(CLI, fixtureOf(CLI, 'newest'), { sessionId: 's-1', homeDir: home });
    folder.write(join('home', log).replace('events.jsonl', 'workspace.yaml'), '');
    let state: string | undefined;
    const fire = (payload: Payload) => {
      const captured = captureHook(CLI, JSON.stringify(payload), { homeDir: home, receivedAtMs: AT }, state);
      state = captured.state;
      return captured.events;
    };
    // Before the log is there, its folder is.
    expect(fire(camel(0, { prompt: 'Fix it — please' }))).toEqual([]);
    folder.write(join('home', log), fixtureOf(CLI, 'newest'));
    expect(fire(camel(1, ls))).toEqual(whole);
    expect(fire(camel(2, { stopReason: 'end_turn' }))).toEqual([]);
  });

  test('a session that began without a log stays with its hooks', () => {
    const path = folder.write('events.jsonl', fixtureOf(CLI, 'newest'));
    const events = session([
      camel(0, { prompt: 'Fix it' }),
      camel(1, { stopReason: 'end_turn', transcriptPath: path }),
    ]);
    expect(events.map(summary)).toEqual(['HumanMessage “Fix it”', 'AiMessage']);
    expect(session([camel(1, { stopReason: 'end_turn', transcriptPath: path })])).toHaveLength(10);
  });

  test.each(['../s-1', 's-1/..', 'S 1', ''])('the session id %j leads nowhere', (sessionId) => {
    folder.write('home/.copilot/session-state/s-1/events.jsonl', fixtureOf(CLI, 'newest'));
    const payload = { ...camel(0, { prompt: 'Fix it' }), sessionId, session_id: 'x y' };
    expect(session([payload], { homeDir: home }).map(summary)).toEqual(['HumanMessage “Fix it”']);
  });
});
