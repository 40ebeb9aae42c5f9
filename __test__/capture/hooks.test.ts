import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  captureHook,
  captureStoredHook,
  eventId,
  type HookOptions,
  inputHash,
  type PromptEvent,
  type PromptEventKind,
  parseClaudeTranscript,
  promptId,
} from '../../index.js';
import { each, onUnix, thrown } from '../support';
import { fixture, SESSION, SKILL_TIME, temporaryFolder, writeSkill } from './transcripts';

const RECEIVED = 1_775_587_555_123;
const OPTIONS: HookOptions = { homeDir: '', receivedAtMs: RECEIVED };
const PROMPT = promptId('claude', SESSION);

const folder = temporaryFolder();
const transcript = join(folder.path, 'transcript.jsonl');

type Payload = Record<string, unknown>;

/** A hook of Claude's, of a session whose transcript can be read. */
const claude = (name: string, rest: Payload = {}, state?: string) => {
  const payload = { session_id: SESSION, transcript_path: transcript, cwd: '/nowhere', hook_event_name: name, ...rest };
  return captureHook('claude', JSON.stringify(payload), OPTIONS, state);
};
/** The same, without a transcript. */
const alone = (name: string, rest: Payload = {}, state?: string) => {
  return claude(name, { transcript_path: undefined, ...rest }, state);
};
/** The same, where the transcript can't be read. */
const unreadable = (name: string, rest: Payload = {}, state?: string) => {
  return claude(name, { transcript_path: folder.path, ...rest }, state);
};
const other = (payload: Payload, state?: string, agent = 'cursor') => {
  return captureHook(agent, JSON.stringify(payload), OPTIONS, state);
};
const only = ({ events }: { events: PromptEvent[] }) => {
  expect(events).toHaveLength(1);
  return events[0] as PromptEvent;
};

describe('one event, where there is no transcript', () => {
  const values = (kind: PromptEventKind, content: string, rest: Payload = {}, prompt = PROMPT) => ({
    kind,
    eventId: eventId(prompt, kind, content, 0),
    parentId: null,
    parentIdEstimated: true,
    startTs: RECEIVED,
    inputHash: inputHash(content),
    ...rest,
  });

  test.each<[string, Payload, PromptEventKind, string, Payload]>([
    ['UserPromptSubmit', { prompt: 'Fix it' }, 'HumanMessage', 'Fix it', { inputText: 'Fix it' }],
    [
      'UserPromptSubmit',
      { prompt: 'x<system-reminder>y</system-reminder>' },
      'HumanMessage',
      'x<system-reminder>y</system-reminder>',
      { inputText: 'x' },
    ],
    ['PreToolUse', { tool_name: 'Bash', tool_use_id: 'toolu_1' }, 'ToolCall', 'Bash:toolu_1', { toolCallName: 'Bash' }],
    [
      'PostToolUse',
      { tool_name: 'Edit', tool_use_id: 'toolu_1', duration_ms: 31 },
      'FileWrite',
      'Edit:toolu_1',
      { toolCallName: 'Edit', error: false, reportedDurationMs: 31 },
    ],
    [
      'PostToolUse',
      { tool_name: 'mcp__github__get_issue', tool_use_id: 't', duration_ms: 0.6 },
      'McpCall',
      'mcp__github__get_issue:t',
      { toolCallName: 'mcp__github__get_issue', error: false, reportedDurationMs: 1 },
    ],
    [
      'PostToolUse',
      { tool_use_id: 't', duration_ms: 'long' },
      'ToolCall',
      'unknown:t',
      { toolCallName: 'unknown', error: false },
    ],
    [
      'PostToolUseFailure',
      { tool_name: 'Edit', tool_use_id: 't', error: 'no', is_interrupt: false, duration_ms: 7 },
      'FileWrite',
      'Edit:t',
      { toolCallName: 'Edit', error: true, reportedDurationMs: 7 },
    ],
    [
      'PostToolUse',
      { tool_name: 'Agent', tool_use_id: 't', duration_ms: 7, tool_response: { status: 'async_launched' } },
      'ToolCall',
      'Agent:t',
      { toolCallName: 'Agent', error: false },
    ],
    [
      'PostToolUse',
      { tool_name: 'Bash', tool_use_id: 't', duration_ms: 7, tool_response: { backgroundTaskId: 'b5yrbjkb2' } },
      'ToolCall',
      'Bash:t',
      { toolCallName: 'Bash', error: false },
    ],
    ['Stop', { last_assistant_message: 'Done.' }, 'AiMessage', 'hook:Stop', { inputText: 'Done.' }],
    ['Stop', {}, 'AiMessage', 'hook:Stop', {}],
  ])('Claude’s %s %j', (name, rest, kind, content, expected) => {
    const event = only(alone(name, rest));
    expect(event).toEqual({
      metric: 'prompt_event',
      timestamp: Math.floor(RECEIVED / 1000),
      values: values(kind, content, expected),
      attributes: { tool: 'claude', promptId: PROMPT, externalPromptId: SESSION },
    });
  });

  const inCursor = (kind: PromptEventKind, content: string, rest: Payload) => {
    return values(kind, content, rest, promptId('cursor', 'c1'));
  };

  test.each<[Payload, PromptEventKind, string, Payload]>([
    [{ hook_event_name: 'UserPromptSubmit', prompt: 'Hi' }, 'HumanMessage', 'Hi', { inputText: 'Hi' }],
    [
      { hook_event_name: 'PreToolUse', tool_name: 'Shell', tool_input: { command: 'ls', n: 1 } },
      'ToolCall',
      'PreToolUse:Shell:{"command":"ls","n":1}',
      { toolCallName: 'Shell' },
    ],
    [
      { hook_event_name: 'PostToolUse', tool_name: 'x', tool_input: { toolName: 'Write_File' } },
      'FileWrite',
      'PostToolUse:Write_File:{"toolName":"Write_File"}',
      { toolCallName: 'Write_File' },
    ],
    [{ hook_event_name: 'AfterTool' }, 'ToolCall', 'AfterTool:unknown:null', { toolCallName: 'unknown' }],
    [{ hook_event_name: 'Stop', model: 'gpt-5' }, 'AiMessage', 'Stop:unknown:null', { model: 'gpt-5' }],
    [
      { hook_event_name: 'PreToolUse', tool_name: 'shell', tool_use_id: 'call_1', tool_input: {} },
      'ToolCall',
      'shell:call_1',
      { toolCallName: 'shell' },
    ],
  ])('another agent’s %j', (payload, kind, content, expected) => {
    const event = only(other({ session_id: 'c1', ...payload }));
    expect(event.values).toEqual(inCursor(kind, content, expected));
    expect(event.attributes).toMatchObject({ tool: 'cursor', externalPromptId: 'c1' });
  });

  test.each(each('edit', 'Write', 'PATCH', 'multiEdit', 'multi_edit', 'create', 'ApplyPatch', 'write_file', 'replace'))(
    'another agent’s tool %s writes files',
    (tool) => {
      const payload = { session_id: 'c1', hook_event_name: 'AfterTool', tool_name: tool };
      expect(only(other(payload)).values.kind).toBe('FileWrite');
    },
  );

  const contentOf = (input: string) => {
    const hook = `{"session_id":"c1","hook_event_name":"PreToolUse","tool_name":"x","tool_input":${input}}`;
    return captureHook('cursor', hook, OPTIONS).events[0]?.values.inputHash;
  };

  test.each([
    ['white space and escapes', '{ "a" : "b\\n\\/\\u00e9" ,\n\t"c" : [ ] }', '{"a":"b\\n/é","c":[]}'],
    ['keys, in the order of their bytes', '{"z":{"b":1,"a":2},"é":3,"B":4}', '{"B":4,"z":{"a":2,"b":1},"é":3}'],
    ['keys that stand there twice', '{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
    ['numbers', '[1, -1, 2.50, 1e3, -0, 18446744073709551615]', '[1,-1,2.5,1000.0,-0.0,18446744073709551615]'],
    ['other values', '[null, true, ""]', '[null,true,""]'],
  ])('the input counts as the client in the field writes it: %s', (_, input, written) => {
    expect(contentOf(input)).toBe(inputHash(`PreToolUse:x:${written}`));
  });

  test.each(each('{ "a" : "\\ud83d" }', '[ 1e999 ]', `${'[ '.repeat(200)}${']'.repeat(200)}`))(
    'an input that isn’t valid JSON is hashed unchanged: %s',
    (input) => expect(contentOf(input)).toBe(inputHash(`PreToolUse:x:${input}`)),
  );

  const LIFECYCLE = [
    'SessionStart',
    'InstructionsLoaded',
    'UserPromptExpansion',
    'SubagentStart',
    'SubagentStop',
    'PreCompact',
    'PostCompact',
    'Notification',
    'PermissionRequest',
    'PostToolBatch',
    'StopFailure',
    'ConfigChange',
    'beforeSubmit',
    undefined,
  ];

  test.each(LIFECYCLE.flatMap((name) => ['claude', 'cursor', 'codex'].map((agent) => [name, agent] as const)))(
    'the hook %s of %s makes no event',
    (hook_event_name, agent) => {
      const payload = { session_id: 'c1', hook_event_name, tool_name: 'Bash', tool_use_id: 't', prompt: 'x' };
      expect(other(payload, undefined, agent).events).toEqual([]);
      const first = other({ session_id: 'c1', hook_event_name: 'Stop' }, undefined, agent);
      expect(other(payload, first.state, agent).events).toEqual([]);
    },
  );

  test.each([
    [{}],
    [{ prompt: '' }],
    [{ prompt: ' \n' }],
    [{ prompt: [{ type: 'text', text: 'x' }] }],
    [{ prompt: '<task-notification>\n<task-id>1</task-id>\n</task-notification>' }],
    [{ prompt: '<system-reminder>x</system-reminder>' }],
  ])('the prompt of %j is no human’s', (rest) => {
    expect(alone('UserPromptSubmit', rest).events).toEqual([]);
    expect(other({ session_id: 'c1', hook_event_name: 'UserPromptSubmit', ...rest }).events).toEqual([]);
  });

  test.each(each('claude', 'codex'))('the hooks of one call are one event: %s', (agent) => {
    const call = { session_id: 'c1', tool_name: 'Bash', tool_use_id: 't1', tool_input: { command: 'ls' } };
    const hook = (hook_event_name: string, state?: string) =>
      other({ ...call, hook_event_name, duration_ms: 9 }, state, agent as string);
    const before = hook('PreToolUse');
    const after = hook('PostToolUseFailure', before.state);
    const known = { error: true, reportedDurationMs: 9 };
    expect(only(after).values).toEqual({ ...only(before).values, ...known });
    expect(hook('PostToolUseFailure', after.state).events).toEqual([]);
  });

  test('a very long name is cut between characters; ids and hashes use all of it', () => {
    const tool = `${'n'.repeat(255)}é and more`;
    const cut = { toolCallName: 'n'.repeat(255), inputHash: inputHash(`${tool}:t`) };
    const identity = { eventId: eventId(PROMPT, 'ToolCall', `${tool}:t`, 0), ...cut };
    expect(only(alone('PreToolUse', { tool_name: tool, tool_use_id: 't', model: tool })).values).toMatchObject({
      ...identity,
      model: 'n'.repeat(255),
    });
    const line = { type: 'assistant', message: { model: tool, content: [{ type: 'tool_use', name: tool, id: 't' }] } };
    const [event] = parseClaudeTranscript(JSON.stringify(line), { sessionId: SESSION, homeDir: '' });
    expect(event?.values).toMatchObject({ ...identity, model: 'n'.repeat(255) });
  });

  test('the chain continues: the index is the count of events, the parent the last one', () => {
    const first = alone('UserPromptSubmit', { prompt: 'one' });
    const second = alone('UserPromptSubmit', { prompt: 'one' }, first.state);
    const third = alone('Stop', {}, second.state);
    expect(only(second).values).toMatchObject({
      eventId: eventId(PROMPT, 'HumanMessage', 'one', 1),
      parentId: only(first).values.eventId,
      parentIdEstimated: true,
    });
    expect(only(third).values).toMatchObject({
      eventId: eventId(PROMPT, 'AiMessage', 'hook:Stop', 2),
      parentId: only(second).values.eventId,
    });
  });

  test('a skill’s file, for Claude alone', () => {
    const path = writeSkill(folder, 'project', 'review/SKILL.md', 'text');
    const payload = { hook_event_name: 'PreToolUse', tool_name: 'Skill', tool_input: { skill: 'review' } };
    const cwd = join(folder.path, 'project');
    const skill = { skillFilePath: path, skillFileMtime: SKILL_TIME.getTime(), skillFileHash: inputHash('text') };
    expect(only(alone('PreToolUse', { ...payload, cwd })).values).toMatchObject({ kind: 'SkillInvocation', ...skill });
    const { values: elsewhere } = only(other({ ...payload, cwd, session_id: 'c1' }));
    expect(elsewhere.kind).toBe('SkillInvocation');
    expect(elsewhere).not.toHaveProperty('skillFilePath');
  });

  test('attributes are the caller’s and the session’s', () => {
    const options = { ...OPTIONS, gitAiVersion: '1.1.23', attributes: { author: 'Zoë' } };
    const { events } = captureHook('gemini', '{"chat_session_id":"g","hook_event_name":"Stop"}', options);
    expect(events[0]?.attributes).toEqual({
      gitAiVersion: '1.1.23',
      author: 'Zoë',
      tool: 'gemini',
      promptId: promptId('gemini', 'g'),
      externalPromptId: 'g',
    });
  });

  test('the time of receipt defaults to now', () => {
    const { events } = captureHook('cursor', '{"session_id":"x","hook_event_name":"Stop"}');
    expect(Math.abs((events[0]?.values.startTs ?? 0) - Date.now())).toBeLessThan(60_000);
  });
});

describe('the session’s id', () => {
  const KEYS = [
    'session_id',
    'sessionId',
    'conversation_id',
    'trajectory_id',
    'chat_session_id',
    'chat_session_path',
    'chatSessionPath',
  ];

  test.each(KEYS.map((key, n) => [key, n] as const))('%s, before those after it', (key, n) => {
    const payload = Object.fromEntries(KEYS.slice(n).map((later) => [later, later]));
    expect(only(other({ ...payload, hook_event_name: 'Stop' })).attributes.externalPromptId).toBe(key);
  });

  test('an empty text, or a value that isn’t a text, counts as missing', () => {
    const payload = { session_id: 7, conversation_id: '', trajectory_id: 't', hook_event_name: 'Stop' };
    expect(only(other(payload)).attributes.externalPromptId).toBe('t');
  });

  test('Claude’s session id is the transcript’s name if the payload has none', () => {
    const path = folder.write('0c1d.jsonl', `${JSON.stringify({ type: 'user', message: { content: 'Hi' } })}\n`);
    const payload = JSON.stringify({ transcript_path: path });
    expect(captureHook('claude', payload, OPTIONS).events[0]?.attributes.promptId).toBe(PROMPT);
  });

  test('without any the error names the keys', () => {
    const error = thrown(() => other({ hook_event_name: 'Stop' }));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    for (const key of KEYS) expect(error.message).toContain(key);
  });
});

describe('a payload that is none', () => {
  test.each([
    ['', 'unexpected end at line 1 column 1'],
    ['{"session_id":"x"', 'unexpected end at line 1 column 18'],
    ['{"session_id":"x"} {}', 'expected the end at line 1 column 20'],
    ['{\n  "a": tru }', 'expected a value at line 2 column 8'],
  ])('%j', (payload, problem) => {
    expect(thrown(() => captureHook('cursor', payload))).toEqual({
      code: 'ERR_INVALID_JSON',
      message: `the hook's payload is not JSON: ${problem}`,
    });
  });

  test.each(each('[]', 'null', '"session_id"', '7'))('%s is JSON, but no object', (payload) => {
    expect(thrown(() => captureHook('cursor', payload as string))).toEqual({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'hookInput: expected a JSON object',
    });
  });

  test('nested a million deep', () => {
    const deep = `{"session_id":"x","hook_event_name":"Stop","tool_input":${'['.repeat(1e6)}${']'.repeat(1e6)}}`;
    expect(captureHook('cursor', deep, OPTIONS).events).toHaveLength(1);
  });

  test('arguments', () => {
    const code = 'ERR_INVALID_ARGUMENT';
    expect(thrown(() => captureHook(7 as never, '{}'))).toEqual({ code, message: 'agent: expected a string, found 7' });
    expect(thrown(() => captureHook('x', {} as never)).message).toBe('hookInput: expected a string, found an object');
    expect(thrown(() => captureHook('x', '{}', { receivedAtMs: -1 })).message).toBe(
      'options.receivedAtMs: expected a safe non-negative integer, found -1',
    );
    expect(thrown(() => captureHook('x', '{}', { sessionId: 'x' } as never)).message).toContain('options.sessionId');
    expect(thrown(() => other({ session_id: 'x' }, 'nonsense')).message).toContain('state: expected a state');
    const { state } = other({ session_id: 'x' });
    expect(thrown(() => other({ session_id: 'y' }, state)).message).toContain('found one of another');
  });
});

describe('with a transcript', () => {
  const lines = fixture('known-answers').trimEnd().split('\n');
  const upTo = (count: number) => `${lines.slice(0, count).join('\n')}\n`;
  const CALL = { tool_name: 'Read', tool_use_id: 'toolu_1' };
  const CALL_ID = `${PROMPT}:03c055a02774`;

  beforeEach(() => writeFileSync(transcript, ''));

  test('its new events, once', () => {
    writeFileSync(transcript, upTo(2));
    const first = claude('UserPromptSubmit', { prompt: 'Please' });
    expect(first.events).toEqual(parseClaudeTranscript(upTo(2), { sessionId: SESSION, homeDir: '' }));
    expect(claude('Stop', {}, first.state).events).toEqual([]);
    appendFileSync(transcript, `${lines[2]}\n`);
    expect(claude('Stop', {}, first.state).events).toMatchObject([{ values: { inputText: 'I will read it.' } }]);
  });

  test('the hook’s duration and error reach the call, before its result is in the transcript', () => {
    writeFileSync(transcript, upTo(4));
    const before = claude('PreToolUse', CALL);
    const after = claude('PostToolUse', { ...CALL, duration_ms: 44 }, before.state);
    expect(only(after).values).toEqual({ ...before.events.at(-1)?.values, error: false, reportedDurationMs: 44 });
    appendFileSync(transcript, `${lines[4]}\n`);
    const settled = only(claude('Stop', {}, after.state)).values;
    expect(settled).toEqual({ ...only(after).values, observedDurationMs: 1000 });
  });

  test('together with its result: one event that says it all', () => {
    writeFileSync(transcript, upTo(5));
    const { events } = claude('PostToolUse', { ...CALL, duration_ms: 44 });
    expect(events.at(-1)?.values).toMatchObject({
      eventId: CALL_ID,
      error: false,
      reportedDurationMs: 44,
      observedDurationMs: 1000,
    });
  });

  test('after its result', () => {
    writeFileSync(transcript, upTo(5));
    const read = claude('Notification');
    const late = claude('PostToolUse', { ...CALL, duration_ms: 44 }, read.state);
    expect(only(late).values).toMatchObject({ eventId: CALL_ID, reportedDurationMs: 44, observedDurationMs: 1000 });
  });

  test('before the call is in the transcript', () => {
    writeFileSync(transcript, upTo(3));
    const early = claude('PostToolUseFailure', { ...CALL, error: 'x', duration_ms: 5 });
    appendFileSync(transcript, `${lines[3]}\n`);
    expect(only(claude('Stop', {}, early.state)).values).toMatchObject({
      eventId: CALL_ID,
      error: true,
      reportedDurationMs: 5,
    });
  });

  test('a failure', () => {
    writeFileSync(transcript, upTo(4));
    const { state } = claude('PreToolUse', CALL);
    const failed = claude('PostToolUseFailure', { ...CALL, error: 'boom', is_interrupt: true, duration_ms: 3 }, state);
    expect(only(failed).values).toMatchObject({ eventId: CALL_ID, error: true, reportedDurationMs: 3 });
  });

  test('without a duration, success is still known', () => {
    writeFileSync(transcript, upTo(4));
    const { state } = claude('PreToolUse', CALL);
    const { values } = only(claude('PostToolUse', CALL, state));
    expect(values).toMatchObject({ eventId: CALL_ID, error: false });
    expect(values).not.toHaveProperty('reportedDurationMs');
  });

  test('the hook’s duration comes before the transcript’s own', () => {
    writeFileSync(transcript, fixture('durations-in-the-result'));
    const { events } = claude('PostToolUse', { tool_name: 'Glob', tool_use_id: 'toolu_1', duration_ms: 44 });
    expect(events[0]?.values.reportedDurationMs).toBe(44);
    const first = claude('Notification');
    const later = claude('PostToolUse', { tool_name: 'Glob', tool_use_id: 'toolu_1', duration_ms: 44 }, first.state);
    expect(only(later).values.reportedDurationMs).toBe(44);
  });

  test('a hook without new facts emits nothing', () => {
    const result = `${JSON.stringify({ ...JSON.parse(lines[4] as string), toolUseResult: { durationMs: 44 } })}\n`;
    writeFileSync(transcript, upTo(4) + result);
    const first = claude('Notification');
    expect(first.events.at(-1)?.values).toMatchObject({ error: false, reportedDurationMs: 44 });
    expect(claude('PostToolUse', { ...CALL, duration_ms: 44 }, first.state).events).toEqual([]);
  });

  describe('facts from hooks reach their call', () => {
    const COUNT = 100;
    const calls = Array.from({ length: COUNT }, (_, n) => {
      const [call, result] = [lines[3], lines[4]].map((line) => `${line?.replaceAll('toolu_1', `toolu_${n}`)}\n`);
      return { call, result };
    });
    const told = (n: number, state?: string) =>
      claude('PostToolUse', { tool_name: 'Read', tool_use_id: `toolu_${n}`, duration_ms: 1000 + n }, state);
    const durations = (events: PromptEvent[]) =>
      new Map(events.map(({ values }) => [values.eventId, values.reportedDurationMs] as const));
    const expected = Array.from({ length: COUNT }, (_, n) => 1000 + n);

    test('however long it has been over, and nothing else comes again', () => {
      writeFileSync(transcript, calls.map(({ call = '', result = '' }) => call + result).join(''));
      let { state } = claude('Notification');
      for (const n of expected.keys()) {
        const late = told(n, state);
        expect(only(late).values).toMatchObject({ reportedDurationMs: 1000 + n, error: false });
        state = late.state;
      }
      expect(claude('Stop', {}, state).events).toEqual([]);
    });

    const onLinux = process.platform === 'linux' ? test : test.skip;

    onLinux('also in a long session, without reading its file for each hook', () => {
      const long = 'x'.repeat(20_000);
      const file = calls.map(
        ({ call = '', result = '' }) => call + result.replace('"content":"', `"content":"${long}`),
      );
      writeFileSync(transcript, file.join(''));
      const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
      let { state } = claude('Notification');
      const before = bytesRead();
      for (const n of expected.keys()) ({ state } = told(n, state));
      const size = statSync(transcript).size;
      expect(size).toBeGreaterThan(2_000_000);
      expect(bytesRead() - before).toBeLessThan(8 * size);
    });

    test('when the transcript can be read at last', () => {
      rmSync(transcript);
      let state: string | undefined;
      for (const n of expected.keys()) ({ state } = told(n, state));
      writeFileSync(transcript, calls.map(({ call = '', result = '' }) => call + result).join(''));
      const { events } = claude('Stop', {}, state);
      expect([...durations(events).values()]).toEqual(expected);
    });

    test('past results of calls that never come', () => {
      writeFileSync(transcript, calls.map(({ result = '' }) => result).join('') + (calls[0]?.call ?? ''));
      expect(durations(told(0).events)).toEqual(new Map([[expect.anything(), 1000]]));
    });
  });

  test('an estimated event is emitted again once the transcript knows more', () => {
    const prompt = 'Please — go on';
    const estimated = only(unreadable('UserPromptSubmit', { prompt }));
    const state = unreadable('UserPromptSubmit', { prompt }).state;
    writeFileSync(transcript, `${JSON.stringify({ type: 'user', message: { content: prompt } })}\n`);
    const known = only(claude('Stop', {}, state));
    expect(known.values).toMatchObject({ eventId: estimated.values.eventId, parentIdEstimated: false });
  });

  test('the transcript decides on errors, even if it adds nothing else', () => {
    const withoutTime = (line = '') => `${line.replace(/"timestamp":"[^"]*"/, '"timestamp":null')}\n`;
    writeFileSync(transcript, upTo(4));
    const failed = claude('PostToolUseFailure', CALL);
    expect(failed.events.at(-1)?.values.error).toBe(true);
    appendFileSync(transcript, withoutTime(lines[4]));
    const settled = claude('Stop', {}, failed.state);
    expect(only(settled).values).toEqual({ ...failed.events.at(-1)?.values, error: false });
    expect(claude('Stop', {}, settled.state).events).toEqual([]);
  });

  test('a hook’s facts stay when the transcript is rewritten', () => {
    writeFileSync(transcript, upTo(4));
    const { state } = claude('PostToolUseFailure', { ...CALL, duration_ms: 3 });
    writeFileSync(transcript, `${JSON.stringify({ type: 'user', message: { content: 'before' } })}\n${upTo(4)}`);
    expect(claude('Stop', {}, state).events.at(-1)?.values).toMatchObject({ error: true, reportedDurationMs: 3 });
  });

  describe('the project’s skills are looked for', () => {
    const [sub, project] = ['work/sub', 'work'].map((name) => join(folder.path, name)) as [string, string];
    const skillUse = (cwd?: string) => {
      const input = { skill: 'flat' };
      const content = [{ type: 'tool_use', id: `toolu_${cwd}`, name: 'Skill', input }];
      return `${JSON.stringify({ type: 'assistant', cwd, message: { content } })}\n`;
    };
    const skillOf = (lines: string, cwd: string) => {
      writeFileSync(transcript, lines);
      return claude('Stop', { cwd }).events.at(-1)?.values.skillFilePath;
    };
    beforeAll(() => writeSkill(folder, 'work', 'flat.md', 'in the project'));

    test('where the agent works, as the hook says', () =>
      expect(skillOf(skillUse(), project)).toContain('/work/.claude/'));

    test('where it worked first, which is where its project begins', () => {
      expect(skillOf(skillUse(project) + skillUse(sub), sub)).toContain('/work/.claude/');
    });

    test('where it worked last, before all', () => {
      const path = writeSkill(folder, 'work/sub', 'flat.md', 'in a folder of the project');
      expect(skillOf(skillUse(project) + skillUse(sub), project)).toBe(path);
    });
  });

  test('a temporarily unreadable transcript: one event from the hook, then the transcript’s own', () => {
    writeFileSync(transcript, upTo(2));
    const first = claude('UserPromptSubmit', { prompt: 'x' });
    rmSync(transcript);
    mkdirSync(transcript);
    const second = claude('PreToolUse', CALL, first.state);
    expect(only(second).values).toMatchObject({
      eventId: eventId(PROMPT, 'ToolCall', 'Read:toolu_1', 2),
      parentId: first.events.at(-1)?.values.eventId,
      parentIdEstimated: true,
    });
    rmSync(transcript, { recursive: true });
    writeFileSync(transcript, upTo(5));
    const third = claude('Stop', {}, second.state);
    expect(third.events.map(({ values }) => values.eventId)).toEqual([
      `${PROMPT}:${eventId(PROMPT, 'AiMessage', 'I will read it.', 2).split(':')[1]}`,
      CALL_ID,
    ]);
  });

  describe('the index of a hook’s own event counts all numbers of the transcript', () => {
    const meta = () => {
      writeFileSync(transcript, `${JSON.stringify({ type: 'user', isMeta: true, message: { content: 'meta' } })}\n`);
      appendFileSync(transcript, upTo(4));
      return claude('PreToolUse', CALL);
    };

    test('so a repeated message is another event', () => {
      const text = meta().events[0]?.values.inputText ?? '';
      const second = unreadable('UserPromptSubmit', { prompt: text }, meta().state);
      const [, ownPart] = eventId(PROMPT, 'HumanMessage', text, 5).split(':');
      expect(only(second).values.eventId).toBe(`${PROMPT}:${ownPart}`);
      const third = unreadable('UserPromptSubmit', { prompt: text }, second.state);
      expect(only(third).values).toMatchObject({
        eventId: eventId(PROMPT, 'HumanMessage', text, 6),
        parentId: only(second).values.eventId,
      });
    });

    test('so that a call’s is not its own parent', () => {
      const first = meta();
      const second = only(unreadable('PostToolUse', { ...CALL, duration_ms: 7 }, first.state)).values;
      expect(second.parentId).toBe(first.events.at(-1)?.values.eventId);
      expect(second.eventId).not.toBe(second.parentId);
    });

    test('and the transcript’s own event has the same id', () => {
      const first = meta();
      const second = unreadable('UserPromptSubmit', { prompt: 'next' }, first.state);
      appendFileSync(transcript, `${JSON.stringify({ type: 'user', message: { content: 'next' } })}\n`);
      const third = only(claude('Stop', {}, second.state)).values;
      expect(third).toMatchObject({ eventId: only(second).values.eventId, parentIdEstimated: false });
      const fourth = unreadable('UserPromptSubmit', { prompt: 'last' }, claude('Stop', {}, second.state).state);
      expect(only(fourth).values.eventId).toBe(eventId(PROMPT, 'HumanMessage', 'last', 6));
    });
  });

  test.each([
    ['a call that the transcript had shown', 4],
    ['a call that it had not', 3],
  ])('what a hook tells while the transcript is unreadable reaches the transcript’s own event: %s', (_, shown) => {
    writeFileSync(transcript, upTo(shown));
    const first = claude('PreToolUse', CALL);
    const second = unreadable('PostToolUseFailure', { ...CALL, error: 'x', duration_ms: 44 }, first.state);
    expect(only(second).values).toMatchObject({ parentIdEstimated: true, error: true, reportedDurationMs: 44 });
    writeFileSync(transcript, upTo(4));
    const third = only(claude('Stop', {}, second.state)).values;
    expect(third).toMatchObject({ eventId: CALL_ID, error: true, reportedDurationMs: 44 });
    expect(claude('Stop', {}, claude('Stop', {}, second.state).state).events).toEqual([]);
  });

  describe('a transcript that does not exist yet', () => {
    const gone = { transcript_path: join(folder.path, 'gone.jsonl') };

    test.each(
      each('SessionStart', 'InstructionsLoaded', 'UserPromptSubmit', 'PreToolUse', 'PostToolUse', 'Stop', 'SessionEnd'),
    )('%s makes no event', (name) => {
      const rest = { ...CALL, ...gone, prompt: 'Please', last_assistant_message: 'Done.' };
      expect(claude(name as string, rest).events).toEqual([]);
    });

    test('its first prompt comes once, from the file', () => {
      rmSync(transcript);
      const prompt = 'Please — go on';
      const first = claude('UserPromptSubmit', { prompt });
      writeFileSync(transcript, `${JSON.stringify({ type: 'user', message: { content: prompt } })}\n`);
      const second = claude('Stop', {}, first.state);
      expect(only(second).values).toMatchObject({
        eventId: eventId(PROMPT, 'HumanMessage', prompt, 0),
        parentIdEstimated: false,
      });
    });
  });

  describe('the answer in a Stop hook', () => {
    const answer = (text: string) =>
      JSON.stringify({ type: 'assistant', message: { model: 'm', content: [{ type: 'text', text }] } });
    const human = (content: string) => JSON.stringify({ type: 'user', message: { content } });
    const stop = (text: string, state?: string) => claude('Stop', { last_assistant_message: text }, state);

    test('waits for its line, whose number the hook can’t know', () => {
      writeFileSync(transcript, upTo(5));
      const first = stop('All done — “finished”.');
      expect(first.events.at(-1)?.values.kind).toBe('ToolCall');
      // A second hook before the line has nothing to add.
      const second = stop('All done — “finished”.', first.state);
      expect(second.events).toEqual([]);
      const thought = JSON.stringify({
        type: 'assistant',
        message: { model: 'm', content: [{ type: 'thinking', thinking: 'Hm' }] },
      });
      appendFileSync(transcript, `${thought}\n${answer('All done — “finished”.')}\n`);
      const third = claude('SessionEnd', { reason: 'other' }, second.state);
      expect(third.events.map(({ values }) => values.eventId)).toEqual([
        eventId(PROMPT, 'ThinkingMessage', 'Hm', 4),
        eventId(PROMPT, 'AiMessage', 'All done — “finished”.', 5),
        expect.any(String),
      ]);
    });

    test('is emitted at the session’s end, if its line never comes', () => {
      writeFileSync(transcript, upTo(5));
      const told = stop('All done — “finished”.\n');
      const ended = claude('SessionEnd', { reason: 'other' }, told.state);
      expect(ended.events[0]?.values).toEqual({
        kind: 'AiMessage',
        eventId: eventId(PROMPT, 'AiMessage', 'All done — “finished”.', 4),
        parentId: CALL_ID,
        parentIdEstimated: true,
        startTs: RECEIVED,
        inputHash: inputHash('All done — “finished”.'),
        inputText: 'All done — “finished”.',
      });
      expect(ended.events.map(({ values }) => values.kind)).toEqual(['AiMessage', 'SessionEnd']);
      // When the session is resumed, the line may turn up.
      appendFileSync(transcript, `${answer('All done — “finished”.\n')}\n${human('thanks')}\n`);
      const next = only(claude('Notification', {}, ended.state)).values;
      expect(next).toMatchObject({
        eventId: eventId(PROMPT, 'HumanMessage', 'thanks', 5),
        parentId: ended.events[0]?.values.eventId,
      });
    });

    test('is in the file, though another hook’s words follow it', () => {
      const feedback = JSON.stringify({
        type: 'user',
        isMeta: true,
        hookText: true,
        message: { content: 'Stop hook feedback:\n[check]: go on please\n' },
      });
      writeFileSync(transcript, `${upTo(5)}${answer('Done.')}\n${feedback}\n`);
      const first = stop('Done.');
      const ended = claude('SessionEnd', { reason: 'other' }, first.state);
      expect(ended.events.map(({ values }) => values.kind)).toEqual(['SessionEnd']);
    });

    test('of a typed skill in a subagent is that subagent’s', () => {
      const output = JSON.stringify({
        type: 'system',
        subtype: 'local_command',
        content: '<local-command-stdout>A is fine.</local-command-stdout>',
      });
      writeFileSync(transcript, `${upTo(5)}${human('/fork-skill go')}\n`);
      const first = stop('A is fine.');
      appendFileSync(transcript, `${output}\n`);
      const ended = claude('SessionEnd', { reason: 'other' }, first.state);
      expect(ended.events.map(({ values }) => values.kind)).toEqual(['SessionEnd']);
    });

    test('is not emitted again if its line exists', () => {
      writeFileSync(transcript, `${upTo(5)}${answer('Done.\n')}\n`);
      const first = stop('Done.');
      expect(first.events.filter(({ values }) => values.kind === 'AiMessage')).toHaveLength(2);
      expect(stop('Done.', first.state).events).toEqual([]);
    });

    test('is one event, though its line has other white space', () => {
      writeFileSync(transcript, upTo(5));
      const first = stop('Done.');
      appendFileSync(transcript, `${answer('Done.\n')}\n`);
      const ended = claude('SessionEnd', { reason: 'other' }, first.state);
      expect(ended.events.map(({ values }) => values.eventId)).toEqual([
        eventId(PROMPT, 'AiMessage', 'Done.\n', 4),
        expect.any(String),
      ]);
    });

    test('waits again in the next turn, even if it is the same', () => {
      writeFileSync(transcript, `${upTo(5)}${answer('Done.')}\n`);
      const first = stop('Done.');
      appendFileSync(transcript, `${human('again')}\n`);
      const second = stop('Done.', first.state);
      const ended = claude('SessionEnd', { reason: 'other' }, second.state);
      expect([...second.events, ...ended.events].map(({ values }) => values.eventId)).toEqual([
        eventId(PROMPT, 'HumanMessage', 'again', 5),
        eventId(PROMPT, 'AiMessage', 'Done.', 6),
        expect.any(String),
      ]);
    });

    test('of a subagent is in its own file', () => {
      writeFileSync(transcript, upTo(5));
      const { state } = claude('Notification');
      expect(claude('Stop', { last_assistant_message: 'x', agent_id: 'a1' }, state).events).toEqual([]);
      expect(claude('SubagentStop', { last_assistant_message: 'x', agent_id: 'a1' }, state).events).toEqual([]);
    });
  });

  describe('the end of a session', () => {
    const end = (state?: string, rest: Payload = {}) => claude('SessionEnd', { reason: 'clear', ...rest }, state);

    test('reads the file once more, and has no number', () => {
      writeFileSync(transcript, upTo(2));
      const first = claude('Stop');
      appendFileSync(transcript, `${lines[2]}\n`);
      const { events, state } = end(first.state);
      expect(events.map(({ values }) => values.kind)).toEqual(['AiMessage', 'SessionEnd']);
      const ended = events[1]?.values;
      expect(ended).toEqual({
        kind: 'SessionEnd',
        eventId: eventId(PROMPT, 'SessionEnd', `user_quit:${events[0]?.values.eventId}`, 0),
        parentId: events[0]?.values.eventId,
        parentIdEstimated: false,
        startTs: RECEIVED,
        endReason: 'user_quit',
      });
      // The same end again says nothing; after another event it is another one.
      expect(end(state).events).toEqual([]);
      appendFileSync(transcript, `${lines[3]}\n`);
      const resumed = end(state);
      expect(resumed.events.map(({ values }) => values.kind)).toEqual(['ToolCall', 'SessionEnd']);
      expect(resumed.events[0]?.values).toMatchObject({ eventId: CALL_ID, parentId: events[0]?.values.eventId });
    });

    test('of a session without events is none', () => {
      expect(end().events).toEqual([]);
      expect(end(undefined, { transcript_path: undefined }).events).toEqual([]);
      expect(other({ session_id: 'c1', hook_event_name: 'SessionEnd' }).events).toEqual([]);
    });

    test('of another agent’s session', () => {
      const first = other({ session_id: 'c1', hook_event_name: 'Stop' });
      const ended = only(other({ session_id: 'c1', hook_event_name: 'SessionEnd' }, first.state)).values;
      expect(ended).toMatchObject({ kind: 'SessionEnd', endReason: 'user_quit', parentId: only(first).values.eventId });
    });

    test('after a failed turn StopFailure reads the file too', () => {
      writeFileSync(transcript, upTo(2));
      expect(claude('StopFailure', { error: 'server_error', last_assistant_message: 'x' }).events).toHaveLength(2);
    });

    test('emits a prompt that was left in the queue', () => {
      const queued = {
        type: 'queue-operation',
        operation: 'enqueue',
        content: 'one more',
        timestamp: '2026-01-05T09:00:09.000Z',
      };
      writeFileSync(transcript, `${upTo(3)}${JSON.stringify(queued)}\n`);
      const first = claude('Notification');
      expect(first.events).toHaveLength(3);
      const [prompt] = end(first.state).events;
      expect(prompt?.values).toMatchObject({
        eventId: eventId(PROMPT, 'HumanMessage', 'queued:2026-01-05T09:00:09.000Z:one more', 0),
        inputText: 'one more',
      });
    });
  });

  test('a byte order mark before a payload is accepted', () => {
    writeFileSync(transcript, upTo(2));
    const payload = { session_id: SESSION, transcript_path: transcript, hook_event_name: 'Stop' };
    expect(captureHook('claude', `\ufeff${JSON.stringify(payload)}`, OPTIONS).events).toHaveLength(2);
    expect(captureHook('cursor', '\ufeff{"session_id":"x","hook_event_name":"Stop"}', OPTIONS).events).toHaveLength(1);
  });

  test('a human’s rejection outranks a hook: the call never ran', () => {
    writeFileSync(transcript, upTo(4));
    const first = claude('PostToolUseFailure', { ...CALL, error: 'x' });
    const no = JSON.parse(lines[4] as string);
    no.message.content[0] = { ...no.message.content[0], is_error: true, content: "The user doesn't want to proceed" };
    appendFileSync(transcript, `${JSON.stringify(no)}\n`);
    const settled = only(claude('Stop', {}, first.state)).values;
    expect(settled.eventId).toBe(CALL_ID);
    expect(settled).not.toHaveProperty('error');
    expect(claude('Stop', {}, claude('Stop', {}, first.state).state).events).toEqual([]);
  });

  onUnix('a FIFO for a transcript does not block', () => {
    rmSync(transcript);
    spawnSync('mkfifo', [transcript]);
    expect(only(claude('Stop')).values.inputHash).toBe(inputHash('hook:Stop'));
    rmSync(transcript);
  });

  test('another agent’s transcript is not read as Claude’s', () => {
    writeFileSync(transcript, upTo(5));
    const payload = { session_id: SESSION, transcript_path: transcript, hook_event_name: 'Stop' };
    expect(only(other(payload)).values.kind).toBe('AiMessage');
  });
});

describe('kept in a file', () => {
  let home = '';
  let runs = 0;
  const states = () => join(home, '.git-ai/internal/prompt-events');
  const stateFiles = () => readdirSync(states()).filter((name) => name.endsWith('.json'));
  const prompt = (text: string, session = SESSION, agent = 'claude') =>
    [agent, JSON.stringify({ session_id: session, hook_event_name: 'UserPromptSubmit', prompt: text })] as const;
  const capture = (text: string, deliver?: (events: PromptEvent[]) => void) =>
    captureStoredHook(...prompt(text), { homeDir: home }, deliver);

  beforeEach(() => {
    runs++;
    home = join(folder.path, `home-${runs}`);
  });

  test('the next hook continues from there', () => {
    const [first] = capture('one');
    const [second] = capture('two');
    expect(second?.values.parentId).toBe(first?.values.eventId);
    expect(second?.values.eventId).toBe(eventId(PROMPT, 'HumanMessage', 'two', 1));
    expect(stateFiles()).toEqual([`claude.${SESSION}.json`]);
  });

  test('each session and each agent has its own', () => {
    capture('one');
    for (const [session, agent] of [
      ['other', 'claude'],
      [SESSION, 'cursor'],
    ] as const) {
      const [event] = captureStoredHook(...prompt('x', session, agent), { homeDir: home });
      expect(event?.values.parentId).toBeNull();
    }
    expect(stateFiles()).toHaveLength(3);
  });

  test.each(
    each(
      '../../../x',
      '/etc/passwd',
      'a/b',
      '..',
      'CON',
      'con',
      'UPPER',
      'nul\0',
      'a\\b',
      'x'.repeat(10_000),
      'é',
      '.x',
    ),
  )('the session %j stays in the folder', (session) => {
    const id = session as string;
    const [first] = captureStoredHook(...prompt('one', id), { homeDir: home });
    const [second] = captureStoredHook(...prompt('two', id), { homeDir: home });
    expect(second?.values.parentId).toBe(first?.values.eventId);
    const [file] = stateFiles();
    expect(file).toMatch(id === 'con' ? /^claude\.con\.json$/ : /^[0-9a-f]{16}\.json$/);
    expect(readdirSync(home)).toEqual(['.git-ai']);
  });

  test.each(each('../../x', 'con', 'nul'))(
    'the agent %j stays there too, under a name that every system takes',
    (agent) => {
      captureStoredHook(...prompt('one', SESSION, agent as string), { homeDir: home });
      expect(stateFiles()).toEqual([`${promptId(agent as string, SESSION)}.json`]);
    },
  );

  test('events that could not be delivered come again, with equal ids', () => {
    const fail = () => {
      throw new Error('offline');
    };
    expect(() => capture('one', fail)).toThrow('offline');
    const seen: PromptEvent[] = [];
    const given = capture('one', (events) => seen.push(...events));
    expect(seen).toEqual(given);
    expect(given[0]?.values.eventId).toBe(eventId(PROMPT, 'HumanMessage', 'one', 0));
  });

  test('a deliver that is not done when it returns is refused, and the state is not saved', () => {
    const failing = async () => {
      throw new Error('offline');
    };
    for (const deliver of [async () => {}, failing]) {
      expect(thrown(() => capture('one', deliver))).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringMatching(/^deliver: expected a function that is done when it returns, found an object/),
      });
      expect(stateFiles()).toEqual([]);
    }
    expect(capture('one')[0]?.values.eventId).toBe(eventId(PROMPT, 'HumanMessage', 'one', 0));
  });

  describe.each(each('json', 'lock'))('something other than a file in place of .%s', (extension) => {
    const inPlace = (make: (path: string) => void) => {
      capture('one');
      const path = join(states(), `claude.${SESSION}.${extension}`);
      rmSync(path);
      make(path);
      let wasDelivered = false;
      const error = thrown(() =>
        capture('two', () => {
          wasDelivered = true;
        }),
      );
      expect(wasDelivered).toBe(false);
      expect(error.code).toBe('ERR_IO');
      expect(error.message).toContain(path);
      rmSync(path, { recursive: true });
      expect(capture('two')).toHaveLength(1);
      return error.message;
    };

    onUnix('a FIFO is an error, and does not block', () => {
      expect(inPlace((path) => spawnSync('mkfifo', [path]))).toContain('not a regular file');
    });

    onUnix('a folder is an error', () => {
      expect(inPlace((path) => mkdirSync(path))).toContain('EISDIR');
    });
  });

  onUnix('a FIFO where the new state is written does not block, and is replaced', () => {
    const [first] = capture('one');
    spawnSync('mkfifo', [join(states(), `claude.${SESSION}.new`)]);
    capture('two');
    expect(capture('three')[0]?.values.eventId).toBe(eventId(PROMPT, 'HumanMessage', 'three', 2));
    expect(first).toBeDefined();
  });

  onUnix('a link in place of the lock is an error: nothing is made where it leads', () => {
    capture('one');
    const lock = join(states(), `claude.${SESSION}.lock`);
    const elsewhere = join(folder.path, 'elsewhere');
    rmSync(lock);
    symlinkSync(elsewhere, lock);
    expect(thrown(() => capture('two'))).toEqual({
      code: 'ERR_IO',
      message: expect.stringMatching(/^.*\.lock: ELOOP: /),
    });
    expect(existsSync(elsewhere)).toBe(false);
  });

  test('an error names the file or folder that it is about', () => {
    capture('one');
    const blocked = join(states(), `claude.${SESSION}.new`);
    mkdirSync(blocked);
    const { code, message } = thrown(() => capture('two'));
    expect([code, message.startsWith(`${blocked}: `)]).toEqual(['ERR_IO', true]);
    rmSync(states(), { recursive: true });
    writeFileSync(states(), '');
    expect(thrown(() => capture('two'))).toEqual({
      code: 'ERR_IO',
      message: expect.stringMatching(/prompt-events: (EEXIST|ENOTDIR): /),
    });
  });

  test('a state larger than any is not read: it is begun anew', () => {
    capture('one');
    truncateSync(join(states(), `claude.${SESSION}.json`), 2 ** 40);
    expect(capture('one')[0]?.values.parentId).toBeNull();
    expect(capture('two')[0]?.values.parentId).not.toBeNull();
  });

  test('a damaged state is replaced', () => {
    capture('one');
    writeFileSync(join(states(), `claude.${SESSION}.json`), 'cut of');
    expect(capture('one')[0]?.values.parentId).toBeNull();
    expect(capture('two')[0]?.values.parentId).not.toBeNull();
  });

  test('a wrong payload is no reason to begin anew', () => {
    capture('one');
    expect(thrown(() => captureStoredHook('claude', '{}', { homeDir: home })).code).toBe('ERR_INVALID_ARGUMENT');
    expect(capture('two')[0]?.values.parentId).not.toBeNull();
  });

  onUnix('others can’t read it', () => {
    capture('one');
    for (const name of ['.', ...readdirSync(states())]) expect(statSync(join(states(), name)).mode & 0o077).toBe(0);
  });

  test('a folder that can’t be made', () => {
    home = folder.write('not-a-folder', '');
    const error = thrown(() => capture('one'));
    expect(error.code).toBe('ERR_IO');
    expect(error.message).toMatch(/not-a-folder.*(ENOTDIR|EEXIST|ENOENT)/);
  });

  test('no home directory', () => {
    home = '';
    expect(thrown(() => capture('one'))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('home'),
    });
  });

  const PACKAGE = JSON.stringify(join(__dirname, '../..'));
  const hookProcess = (text: string, deliver = '') =>
    `require(${PACKAGE}).captureStoredHook(...${JSON.stringify(prompt(text))}, { homeDir: ${JSON.stringify(home)} }, (events) => {
      ${deliver}
      require('node:fs').appendFileSync(${JSON.stringify(join(folder.path, `delivered-${runs}`))}, events[0].values.eventId + '\\n');
    });`;
  const delivered = () =>
    readFileSync(join(folder.path, `delivered-${runs}`), 'utf8')
      .trim()
      .split('\n');

  test('many hooks at once: none is lost, each has a place of its own', async () => {
    const hooks = Array.from({ length: 8 }, () =>
      spawn(process.execPath, ['-e', hookProcess('same')], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(hooks.map((hook) => new Promise((done) => hook.on('exit', done))));
    expect(codes).toEqual(hooks.map(() => 0));
    const expected = hooks.map((_, n) => eventId(PROMPT, 'HumanMessage', 'same', n));
    expect(delivered()).toEqual(expected);
  });

  test('a hook that is killed while it delivers leaves the old state, and no lock', () => {
    const old = capture('one');
    const state = () => readFileSync(join(states(), `claude.${SESSION}.json`), 'utf8');
    const before = state();
    const { signal } = spawnSync(process.execPath, ['-e', hookProcess('two', `process.kill(process.pid, 'SIGKILL');`)]);
    if (process.platform !== 'win32') expect(signal).toBe('SIGKILL');
    expect(state()).toBe(before);
    expect(capture('two')[0]?.values.parentId).toBe(old[0]?.values.eventId);
  });

  test('a hook crosses into the addon at most five times, and its state never does', () => {
    const script = `
      const native = require(${JSON.stringify(join(__dirname, '../../lib/native.js'))});
      let calls = [];
      const counted = (holder, name) => {
        const { value } = Object.getOwnPropertyDescriptor(holder, name);
        Object.defineProperty(holder, name, {
          value(...args) {
            const returned = value.apply(this, args);
            calls.push([name, ...args.filter((arg) => typeof arg === 'string'), typeof returned]);
            return returned;
          },
        });
      };
      for (const [name, member] of Object.entries(native)) {
        if (typeof member !== 'function') continue;
        if (member.prototype === undefined || Object.getOwnPropertyNames(member.prototype).length < 2) counted(native, name);
        else for (const method of Object.getOwnPropertyNames(member.prototype)) {
          if (method !== 'constructor' && typeof Object.getOwnPropertyDescriptor(member.prototype, method).value === 'function')
            counted(member.prototype, method);
        }
      }
      const { captureStoredHook } = require(${JSON.stringify(join(__dirname, '../..'))});
      for (let n = 0; n < 3; n++) {
        calls = [];
        captureStoredHook(...${JSON.stringify(prompt('again'))}, { homeDir: ${JSON.stringify(home)} }, () => {});
      }
      console.log(JSON.stringify(calls));`;
    const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    const calls: string[][] = JSON.parse(stdout);
    expect(calls.length).toBeGreaterThan(1);
    expect(calls.length).toBeLessThanOrEqual(5);
    for (const text of calls.flat()) expect(text).not.toContain('prompt_id');
  });

  test('hooks that are killed at any moment leave a whole state', async () => {
    capture('first');
    const deliveredBytes = () => statSync(join(folder.path, `delivered-${runs}`), { throwIfNoEntry: false })?.size ?? 0;
    for (let round = 0; round < 12; round++) {
      const hook = spawn(process.execPath, ['-e', `for (;;) { ${hookProcess('again')} }`], { stdio: 'ignore' });
      // Killed at some moment after it has begun to deliver.
      const before = deliveredBytes();
      while (deliveredBytes() === before) await new Promise((wait) => setTimeout(wait, 1));
      await new Promise((wait) => setTimeout(wait, 3 * round));
      const gone = new Promise((done) => hook.on('exit', done));
      hook.kill('SIGKILL');
      await gone;
      JSON.parse(readFileSync(join(states(), `claude.${SESSION}.json`), 'utf8'));
    }
    // Each event that is known to the state was delivered before.
    const [last] = capture('last');
    const ids = delivered();
    expect(new Set(ids).size).toBeGreaterThan(1);
    expect(ids).toContain(last?.values.parentId);
  });
});
