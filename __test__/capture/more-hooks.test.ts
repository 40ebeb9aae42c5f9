import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { captureHook, eventId, type PromptEvent, parseTranscript, promptId } from '../../index.js';
import { fixtureOf } from './agents';
import { second } from './golden';
import { temporaryFolder } from './transcripts';

// Hooks of Gemini CLI, Qwen Code, Kimi Code, OpenCode, Cursor and Droid: one call is one event, whichever hooks come.

type Payload = Record<string, unknown>;
type Values = PromptEvent['values'];

const folder = temporaryFolder();

/** Runs a session's hooks one after the other. Returns all events, and each event as it was said last. */
function run(agent: string, payloads: Payload[], homeDir = '') {
  let state: string | undefined;
  const events: Values[] = [];
  payloads.forEach((payload, n) => {
    const options = { homeDir, receivedAtMs: second(n) };
    const captured = captureHook(agent, JSON.stringify(payload), options, state);
    state = captured.state;
    events.push(...captured.events.map(({ values }) => values));
  });
  return { events, last: [...new Map(events.map((values) => [values.eventId, values])).values()] };
}

const summary = (events: Values[]) =>
  events.map(({ kind, toolCallName, inputText, model, error, reportedDurationMs, observedDurationMs }) =>
    Object.fromEntries(
      Object.entries({ kind, toolCallName, inputText, model, error, reportedDurationMs, observedDurationMs }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
  );

describe('Gemini CLI', () => {
  const hook = (hook_event_name: string, at: number, rest: Payload = {}): Payload => ({
    session_id: 'g-1',
    transcript_path: join(folder.path, 'nowhere.jsonl'),
    cwd: '/home/dev/proj',
    hook_event_name,
    timestamp: new Date(second(at)).toISOString(),
    ...rest,
  });
  const shell = { tool_name: 'run_shell_command', tool_input: { command: 'ls' } };
  const say = {
    tool_name: 'mcp_echo_say',
    tool_input: { text: 'hi' },
    mcp_context: { server_name: 'echo', tool_name: 'say', command: '/usr/bin/node', args: [] },
  };
  const session = [
    hook('SessionStart', 0, { source: 'startup' }),
    hook('BeforeAgent', 1, { prompt: 'fix it' }),
    hook('PreCompress', 1, { trigger: 'auto' }),
    hook('BeforeModel', 1, { llm_request: { model: 'gemini-2.5-pro' } }),
    hook('BeforeTool', 2, shell),
    hook('BeforeTool', 2, say),
    hook('AfterTool', 3, {
      ...shell,
      tool_response: {
        llmContent: '<untrusted_context>\nOutput: x\nProcess Group PGID: 1\n</untrusted_context>',
        returnDisplay: 'x',
      },
    }),
    hook('AfterTool', 4, {
      ...say,
      tool_response: { llmContent: 'no', returnDisplay: 'Error', error: { message: 'no', type: 'mcp_tool_error' } },
    }),
    hook('BeforeTool', 5, shell),
    hook('AfterTool', 6, {
      ...shell,
      tool_response: {
        llmContent: '<untrusted_context>\nOutput: x\nExit Code: 3\nProcess Group PGID: 1\n</untrusted_context>',
        returnDisplay: 'x',
      },
    }),
    hook('AfterAgent', 7, { prompt: 'fix it', prompt_response: 'All done.', stop_hook_active: false }),
    hook('Notification', 7, { notification_type: 'ToolPermission' }),
    hook('SessionEnd', 8, { reason: 'exit' }),
  ];

  test('without the file, the hooks before and after a call make one event, though calls have no ids', () => {
    expect(summary(run('gemini', session).last)).toEqual([
      { kind: 'HumanMessage', inputText: 'fix it' },
      { kind: 'ToolCall', toolCallName: 'run_shell_command', error: false, observedDurationMs: 1000 },
      { kind: 'McpCall', toolCallName: 'mcp_echo_say', error: true, observedDurationMs: 2000 },
      { kind: 'ToolCall', toolCallName: 'run_shell_command', error: true, observedDurationMs: 1000 },
      { kind: 'AiMessage', inputText: 'All done.' },
      { kind: 'SessionEnd' },
    ]);
  });

  test('with the file, they give exactly its events', () => {
    const path = folder.write('gemini.jsonl', '');
    const text = fixtureOf('gemini', 'messages-written-again');
    const lines = text.trimEnd().split('\n');
    let state: string | undefined;
    const given: Values[] = [];
    const fire = (name: string, rest: Payload = {}) => {
      const payload = hook(name, 1, { transcript_path: path, ...rest });
      const captured = captureHook('gemini', JSON.stringify(payload), { homeDir: '', receivedAtMs: second(1) }, state);
      state = captured.state;
      given.push(...captured.events.map(({ values }) => values));
    };
    fire('SessionStart');
    appendFileSync(path, `${lines.slice(0, 4).join('\n')}\n`);
    fire('BeforeAgent', { prompt: 'fix the parser' });
    appendFileSync(path, `${lines[4]}\n`);
    fire('BeforeTool', shell);
    fire('AfterTool', { ...shell, tool_response: { llmContent: 'x' } });
    appendFileSync(path, `${lines.slice(5).join('\n')}\n`);
    // It holds all texts since the prompt.
    fire('AfterAgent', { prompt: 'fix the parser', prompt_response: 'I look.\nDone.' });
    const whole = parseTranscript('gemini', text, { sessionId: 'g-1', homeDir: '' });
    expect(given).toEqual(whole.map(({ values }) => values));
  });

  test('a prompt that comes before the file waits for the next hook: the file has it', () => {
    const path = join(folder.path, 'late.jsonl');
    const prompt = hook('BeforeAgent', 1, { transcript_path: path, prompt: 'fix the parser' });
    const first = captureHook('gemini', JSON.stringify(prompt), { homeDir: '' });
    expect(first.events).toEqual([]);
    // Still none: the hooks’ own events stand in.
    const other = hook('BeforeTool', 2, { transcript_path: path, ...shell });
    const without = captureHook('gemini', JSON.stringify(other), { homeDir: '' }, first.state);
    expect(without.events.map(({ values }) => values.kind)).toEqual(['HumanMessage', 'ToolCall']);
    const text = fixtureOf('gemini', 'messages-written-again');
    writeFileSync(path, text);
    const next = hook('AfterAgent', 2, { transcript_path: path, prompt_response: 'I look.\nDone.' });
    const second = captureHook('gemini', JSON.stringify(next), { homeDir: '' }, first.state);
    const whole = parseTranscript('gemini', text, { sessionId: 'g-1', homeDir: '' });
    expect(second.events.map(({ values }) => values)).toEqual(whole.map(({ values }) => values));
    // The file shows what a hook has told of. It isn’t given twice.
    const third = captureHook('gemini', JSON.stringify(next), { homeDir: '' }, without.state);
    expect(third.events.map(({ values }) => values.kind)).not.toContain('HumanMessage');
  });
});

describe('Qwen Code', () => {
  const hook = (hook_event_name: string, at: number, rest: Payload = {}): Payload => ({
    session_id: 'qs-1',
    transcript_path: join(folder.path, 'nowhere.jsonl'),
    cwd: '/home/dev/proj',
    hook_event_name,
    timestamp: new Date(second(at)).toISOString(),
    permission_mode: 'yolo',
    prompt_id: 'qs-1########0',
    ...rest,
  });
  const read = { tool_name: 'read_file', tool_input: { file_path: 'a' }, tool_call_id: 'call_1' };
  const shell = { tool_name: 'run_shell_command', tool_input: { command: 'exit 3' }, tool_call_id: 'call_2' };

  test('calls meet by the model’s id, though each hook names another one too; empty prompts are none', () => {
    const { last } = run('qwen', [
      hook('SessionStart', 0, { source: 'startup', model: 'mock-model' }),
      hook('Notification', 0, { message: 'Successfully authenticated', notification_type: 'auth_success' }),
      hook('UserPromptSubmit', 1, { prompt: 'fix it', submitted_prompt: 'fix it' }),
      hook('PreToolUse', 2, { ...read, tool_use_id: 'toolu_a' }),
      hook('PostToolUse', 3, {
        ...read,
        tool_use_id: 'toolu_b',
        tool_response: { llmContent: 'x', returnDisplay: '' },
        duration_ms: 133,
      }),
      hook('PostToolBatch', 3, { tool_calls: [{ ...read, status: 'success' }] }),
      hook('UserPromptSubmit', 3, { prompt: '', submitted_prompt: '' }),
      hook('PreToolUse', 4, { ...shell, tool_use_id: 'toolu_c' }),
      hook('PostToolUseFailure', 5, {
        ...shell,
        tool_use_id: 'toolu_d',
        error: 'Exit Code: 3',
        is_interrupt: false,
        duration_ms: 53,
      }),
      hook('SubagentStart', 5, { agent_id: 'general-purpose-call_3', agent_type: 'general-purpose' }),
      hook('SubagentStop', 6, { agent_id: 'general-purpose-call_3', last_assistant_message: 'Sub done.' }),
      hook('Stop', 7, { stop_hook_active: false, last_assistant_message: 'All done.' }),
    ]);
    expect(summary(last)).toEqual([
      { kind: 'HumanMessage', inputText: 'fix it' },
      { kind: 'ToolCall', toolCallName: 'read_file', error: false, reportedDurationMs: 133, observedDurationMs: 1000 },
      {
        kind: 'ToolCall',
        toolCallName: 'run_shell_command',
        error: true,
        reportedDurationMs: 53,
        observedDurationMs: 1000,
      },
      { kind: 'AiMessage', inputText: 'All done.' },
    ]);
    // The file gives the same call the same id.
    expect(last[1]?.eventId).toBe(eventId(promptId('qwen', 'qs-1'), 'ToolCall', 'read_file:call_1', 0));
  });
});

describe('Kimi Code', () => {
  const hook = (hook_event_name: string, rest: Payload = {}): Payload => ({
    hook_event_name,
    session_id: 'session_u1',
    cwd: '/home/dev/proj',
    client_type: 'kimi_code_cli',
    ...rest,
  });
  const bash = { tool_name: 'Bash', tool_input: { command: 'exit 3' }, tool_call_id: 'call_0' };
  const write = { tool_name: 'Write', tool_input: { path: 'new.txt' }, tool_call_id: 'call_1' };
  const session = [
    hook('SessionStart', { source: 'startup', model: 'mock', profile: 'agent' }),
    hook('UserPromptSubmit', { prompt: [{ type: 'text', text: 'fix the parser' }], is_steer: false }),
    hook('UserPromptSubmit', { prompt: [{ type: 'image_url' }], is_steer: false }),
    hook('PreToolUse', bash),
    hook('PreToolUse', write),
    hook('PostToolUseFailure', {
      ...bash,
      error: { code: 'internal', message: 'Command failed with exit code: 3.', retryable: false },
    }),
    hook('PostToolUse', { ...write, tool_output: 'Wrote 6 bytes' }),
    hook('SubagentStart', { agent_name: 'coder', prompt: 'Explore the code.' }),
    hook('SubagentStop', { agent_name: 'coder', response: 'Sub done.' }),
    hook('Stop', { stop_hook_active: false }),
    hook('StopFailure', { error_type: 'APIStatusError', error_message: '400' }),
  ];

  test('prompts are blocks, calls meet by their ids, and the answer has no text', () => {
    expect(summary(run('kimi', session).last)).toEqual([
      { kind: 'HumanMessage', inputText: 'fix the parser' },
      { kind: 'ToolCall', toolCallName: 'Bash', error: true },
      { kind: 'FileWrite', toolCallName: 'Write', error: false },
      { kind: 'AiMessage' },
    ]);
  });

  test('the session’s file in the home directory gives its events, though no hook names it', () => {
    const text = fixtureOf('kimi', 'known-answers');
    folder.write('.kimi-code/sessions/wd_proj_51cf/session_u1/agents/main/wire.jsonl', text);
    const whole = parseTranscript('kimi', text, { sessionId: 'session_u1', homeDir: '' });
    expect(run('kimi', session, folder.path).events).toEqual(whole.map(({ values }) => values));
  });

  test('no session’s id leads out of the folder of sessions', () => {
    folder.write('.kimi-code/agents/main/wire.jsonl', fixtureOf('kimi', 'known-answers'));
    for (const session_id of ['..', '../..', '.', 'a/../..', '/', 'wd_proj_51cf/session_u1']) {
      expect(run('kimi', [hook('PreToolUse', { ...bash, session_id })], folder.path).events).toHaveLength(1);
    }
  });
});

describe('OpenCode', () => {
  const hook = (hook_event_name: string, rest: Payload = {}): Payload => ({
    hook_event_name,
    session_id: 'ses_1',
    cwd: '/home/dev/proj',
    ...rest,
  });
  const bash = { tool_name: 'bash', tool_use_id: 'call_1', tool_input: { command: 'exit 3' } };

  test('a plugin’s payloads in Claude’s form', () => {
    const { last } = run('opencode', [
      hook('UserPromptSubmit', { prompt: 'fix it', model: 'gpt-5.4' }),
      hook('PreToolUse', bash),
      hook('PostToolUse', { ...bash, tool_response: { title: 'x', output: 'x', metadata: { exit: 3 } } }),
      hook('PreToolUse', { tool_name: 'apply_patch', tool_use_id: 'call_2', tool_input: {} }),
      hook('PreToolUse', { tool_name: 'echo_say', tool_use_id: 'call_3', tool_input: {} }),
    ]);
    expect(summary(last)).toEqual([
      { kind: 'HumanMessage', inputText: 'fix it' },
      { kind: 'ToolCall', toolCallName: 'bash', error: true },
      { kind: 'FileWrite', toolCallName: 'apply_patch' },
      { kind: 'McpCall', toolCallName: 'echo_say' },
    ]);
    expect(last[1]?.eventId).toBe(eventId(promptId('opencode', 'ses_1'), 'ToolCall', 'bash:call_1', 0));
  });
});

describe('OpenCode, what its plugins receive', () => {
  const sessionID = 'ses_1';
  const event = (type: string, properties: Payload): Payload => ({ id: `evt_${type}`, type, properties });
  const info = (id: string, role: string, rest: Payload = {}) =>
    event('message.updated', { sessionID, info: { id, sessionID, role, ...rest } });
  const part = (id: string, messageID: string, rest: Payload) =>
    event('message.part.updated', { sessionID, part: { id, messageID, sessionID, ...rest }, time: second(9) });
  const bash = (state: Payload) => part('prt_3', 'msg_2', { type: 'tool', tool: 'bash', callID: 'call_1', state });
  const user = { id: 'msg_1', role: 'user', sessionID, time: { created: second(0) }, model: { modelID: 'm' } };
  const text = { id: 'prt_1', messageID: 'msg_1', sessionID, type: 'text', text: 'fix it' };
  const live = [
    event('session.created', { sessionID, info: { id: sessionID, time: { created: second(0) } } }),
    { i: { sessionID }, o: { message: user, parts: [text] } },
    info('msg_1', 'user', user),
    part('prt_1', 'msg_1', text),
    info('msg_2', 'assistant', { modelID: 'm', time: { created: second(1) } }),
    { i: { tool: 'bash', sessionID, callID: 'call_1' }, o: { args: { command: 'exit 3' } } },
    bash({ status: 'pending', input: {} }),
    bash({ status: 'running', input: {}, time: { start: second(2) } }),
    bash({ status: 'completed', input: {}, metadata: { exit: 3 }, time: { start: second(2), end: second(4) } }),
    part('prt_4', 'msg_2', { type: 'text', text: 'Do', time: { start: second(5) } }),
    part('prt_4', 'msg_2', { type: 'text', text: 'Done.', time: { start: second(5), end: second(6) } }),
    event('session.idle', { sessionID }),
  ];

  test('makes the events that the rows of the database make', () => {
    const { events, last } = run('opencode', live);
    expect(summary(last)).toEqual([
      { kind: 'HumanMessage', inputText: 'fix it' },
      {
        kind: 'ToolCall',
        toolCallName: 'bash',
        model: 'm',
        error: true,
        reportedDurationMs: 2000,
        observedDurationMs: 2000,
      },
      { kind: 'AiMessage', inputText: 'Done.', model: 'm' },
    ]);
    // The call comes twice: when it runs, and when it has ended.
    expect(events).toHaveLength(4);
    const row = ({ sessionID: session_id, ...data }: Payload) => ({ id: data.id, session_id, data });
    const whole = parseTranscript(
      'opencode',
      JSON.stringify({ message: row(user), parts: [{ ...row(text), message_id: 'msg_1' }] }),
      { sessionId: sessionID, homeDir: '' },
    );
    expect(whole[0]?.values.eventId).toBe(last[0]?.eventId);
  });

  test('a prompt of another agent is no human’s', () => {
    const [created, ...rest] = live as [Payload, ...Payload[]];
    const child = { ...created, properties: { sessionID, info: { id: sessionID, parentID: 'ses_0' } } };
    expect(run('opencode', [child, ...rest]).last.map(({ kind }) => kind)).toEqual(['ToolCall', 'AiMessage']);
  });
});

describe('Cursor', () => {
  const hook = (hook_event_name: string, rest: Payload = {}): Payload => ({
    conversation_id: 'c-1',
    generation_id: 'gen-1',
    hook_event_name,
    workspace_roots: ['/home/dev/proj'],
    model: 'gpt-5.4',
    cursor_version: '3.1.0',
    user_email: 'dev@example.com',
    transcript_path: '/home/dev/.cursor/projects/p/agent-transcripts/c-1/c-1.jsonl',
    ...rest,
  });
  const shell = { tool_name: 'Shell', tool_input: { command: 'exit 3' }, tool_use_id: 'call_1', cwd: '/home/dev/proj' };
  const replace = { tool_name: 'StrReplace', tool_input: { path: 'a.rs' }, tool_use_id: 'call_2' };
  const say = { tool_name: 'MCP:say', tool_input: { text: 'hi' }, tool_use_id: 'call_3' };
  const session = [
    hook('sessionStart'),
    hook('beforeSubmitPrompt', { prompt: 'fix it', attachments: [] }),
    hook('afterAgentThought', { text: 'Hm.', duration_ms: 1200 }),
    hook('preToolUse', { ...shell, agent_message: 'I run it.' }),
    hook('beforeShellExecution', { command: 'exit 3', cwd: '/home/dev/proj' }),
    hook('afterShellExecution', { command: 'exit 3', output: 'x', duration: 50 }),
    hook('postToolUse', { ...shell, tool_output: '{"exitCode":3,"stdout":"x"}', duration: 53 }),
    hook('preToolUse', replace),
    hook('afterFileEdit', { file_path: 'a.rs', edits: [] }),
    hook('postToolUse', { ...replace, tool_output: '{"ok":true}', duration: 7.4 }),
    hook('preToolUse', say),
    hook('postToolUseFailure', {
      ...say,
      error_message: 'cannot say hi',
      failure_type: 'error',
      duration: 9,
      is_interrupt: false,
    }),
    hook('afterAgentResponse', { text: 'Done.' }),
    hook('stop', { status: 'completed', loop_count: 0 }),
    hook('sessionEnd', { reason: 'user_close' }),
  ];

  test('each call is one event with its outcome, and hooks that repeat them make none', () => {
    expect(summary(run('cursor', session).last)).toEqual([
      { kind: 'HumanMessage', inputText: 'fix it' },
      { kind: 'ThinkingMessage', model: 'gpt-5.4', reportedDurationMs: 1200 },
      { kind: 'ToolCall', toolCallName: 'Shell', model: 'gpt-5.4', error: true, reportedDurationMs: 53 },
      { kind: 'FileWrite', toolCallName: 'StrReplace', model: 'gpt-5.4', error: false, reportedDurationMs: 7 },
      { kind: 'McpCall', toolCallName: 'MCP:say', model: 'gpt-5.4', error: true, reportedDurationMs: 9 },
      { kind: 'AiMessage', inputText: 'Done.', model: 'gpt-5.4' },
      { kind: 'SessionEnd' },
    ]);
  });

  test('nobody’s address is kept', () => {
    let state: string | undefined;
    for (const payload of session) {
      const captured = captureHook('cursor', JSON.stringify(payload), { homeDir: '' }, state);
      expect(JSON.stringify(captured)).not.toContain('dev@example.com');
      state = captured.state;
    }
  });

  test('a byte order mark, as on Windows, is passed over', () => {
    const payload = `\ufeff${JSON.stringify(hook('beforeSubmitPrompt', { prompt: 'fix it' }))}`;
    expect(captureHook('cursor', payload, { homeDir: '' }).events).toHaveLength(1);
  });
});

describe('Droid', () => {
  const hook = (name: string, rest: Payload = {}, key = 'hook_event_name'): Payload => ({
    session_id: 'd-1',
    transcript_path: join(folder.path, 'nowhere.jsonl'),
    cwd: '/home/dev/proj',
    permission_mode: 'auto',
    [key]: name,
    ...rest,
  });
  const patch = { tool_name: 'ApplyPatch', tool_input: { input: '*** Begin Patch' } };

  test('payloads in Claude’s form, with either name of the event’s key', () => {
    const { last } = run('droid', [
      hook('SessionStart', { source: 'startup' }),
      hook('UserPromptSubmit', { prompt: 'fix it' }, 'hookEventName'),
      hook('PreToolUse', patch),
      hook('PostToolUse', { ...patch, tool_response: { success: true } }),
      hook('SubagentStop'),
      hook('Notification', { message: 'waiting' }),
    ]);
    expect(summary(last).map(({ kind, toolCallName, inputText }) => [kind, toolCallName ?? inputText])).toEqual([
      ['HumanMessage', 'fix it'],
      ['FileWrite', 'ApplyPatch'],
    ]);
  });
});
