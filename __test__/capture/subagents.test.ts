import { appendFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ClaudeTranscriptReader,
  captureHook,
  eventId,
  inputHash,
  type PromptEvent,
  parseTranscript,
  promptId,
  TranscriptReader,
} from '../../index.js';
import { onUnix, thrown } from '../support';
import { SESSION, temporaryFolder } from './transcripts';

// A session's subagents, each with a file of its own beside the session's. Their events belong to the session.

const PROMPT = promptId('claude', SESSION);
const OPTIONS = { sessionId: SESSION, cwd: '/nowhere', homeDir: '' };
const folder = temporaryFolder();
const path = join(folder.path, `${SESSION}.jsonl`);
const fileOf = (agent: string, extension = 'jsonl') => `${SESSION}/subagents/agent-${agent}.${extension}`;

let written = 0;
const common = () => {
  written++;
  return { uuid: `u${written}`, timestamp: new Date(Date.UTC(2026, 0, 9) + written * 1000).toISOString() };
};
const line = (type: string, content: unknown, rest: object = {}) =>
  `${JSON.stringify({ type, message: { content }, ...common(), sessionId: SESSION, ...rest })}\n`;
const call = (id: string, name: string, rest: object = {}) =>
  line('assistant', [{ type: 'tool_use', id, name, input: {} }], rest);
const result = (id: string, rest: object = {}) =>
  line('user', [{ type: 'tool_result', tool_use_id: id, content: 'x' }], rest);
const of = (agentId: string) => ({ isSidechain: true, agentId });

/** What a subagent writes: its prompt, a text (of line `uuid`), a call with its result. */
const work = (agent: string, uuid: string, callId: string) =>
  line('user', 'Find it', of(agent)) +
  line('assistant', [{ type: 'text', text: 'Searching' }], { ...of(agent), uuid }) +
  call(callId, 'Grep', of(agent)) +
  result(callId, of(agent));
const meta = (agent: string, toolUseId?: string) =>
  folder.write(fileOf(agent, 'meta.json'), JSON.stringify({ agentType: 'general-purpose', toolUseId }));

const byId = (events: PromptEvent[]) => new Map(events.map(({ values }) => [values.eventId, values]));
const own = (kind: 'AiMessage' | 'ToolCall', key: string) => eventId(PROMPT, kind, key, 0);
const open = () => new ClaudeTranscriptReader(path, OPTIONS);

beforeEach(() => {
  rmSync(join(folder.path, SESSION), { recursive: true, force: true });
  writeFileSync(path, line('user', 'Go') + call('toolu_a', 'Agent') + call('toolu_b', 'Agent'));
});

test('their events are the session’s, and follow the calls that have started them', () => {
  for (const [agent, id] of [
    ['a1', 'toolu_a'],
    ['a2', 'toolu_b'],
  ] as const) {
    folder.write(fileOf(agent), work(agent, `text-of-${agent}`, `toolu_of_${agent}`));
    meta(agent, id);
  }
  const events = open().read();
  expect(events).toHaveLength(7);
  for (const { attributes } of events) expect(attributes.promptId).toBe(PROMPT);
  const given = byId(events);
  // Equal prompts and texts collide nowhere.
  expect(given.size).toBe(7);
  for (const [agent, id, index] of [
    ['a1', 'toolu_a', 1],
    ['a2', 'toolu_b', 2],
  ] as const) {
    const text = own('AiMessage', `${agent}:text-of-${agent}:0`);
    expect(given.get(text)).toMatchObject({
      parentId: eventId(PROMPT, 'ToolCall', `Agent:${id}`, index),
      parentIdEstimated: false,
      inputText: 'Searching',
      inputHash: inputHash('Searching'),
    });
    const grep = own('ToolCall', `Grep:toolu_of_${agent}`);
    expect(given.get(grep)).toMatchObject({ parentId: text, error: false, observedDurationMs: 1000 });
  }
});

test('their items get no number in the session', () => {
  folder.write(fileOf('a1'), work('a1', 'u', 'toolu_1'));
  meta('a1', 'toolu_a');
  const reader = open();
  reader.read();
  appendFileSync(path, line('assistant', [{ type: 'text', text: 'Done.' }]));
  expect(reader.read()).toMatchObject([{ values: { eventId: eventId(PROMPT, 'AiMessage', 'Done.', 3) } }]);
});

test('files that come later, and lines that come later, are read', () => {
  const reader = open();
  expect(reader.read()).toHaveLength(3);
  const file = folder.write(fileOf('a1'), line('user', 'Find it', of('a1')));
  meta('a1', 'toolu_a');
  expect(reader.read()).toEqual([]);
  appendFileSync(file, line('assistant', [{ type: 'text', text: 'one' }], of('a1')));
  expect(reader.read()).toMatchObject([{ values: { inputText: 'one' } }]);
  const resumed = ClaudeTranscriptReader.resume(path, OPTIONS, reader.state());
  expect(resumed.read()).toEqual([]);
  appendFileSync(file, line('assistant', [{ type: 'text', text: 'two' }], of('a1')));
  folder.write(fileOf('a2'), line('assistant', [{ type: 'text', text: 'three' }], of('a2')));
  for (const next of [reader, resumed]) {
    expect(next.read().map(({ values }) => values.inputText)).toEqual(['two', 'three']);
  }
});

test('a subagent’s first event is returned again once its call is known', () => {
  folder.write(fileOf('a1'), work('a1', 'text', 'toolu_1'));
  const reader = open();
  const text = own('AiMessage', 'a1:text:0');
  expect(byId(reader.read()).get(text)).toMatchObject({ parentId: null, parentIdEstimated: true });
  // The result names the subagent that the call has started.
  appendFileSync(path, result('toolu_b', { toolUseResult: { agentId: 'a1' } }));
  const starter = eventId(PROMPT, 'ToolCall', 'Agent:toolu_b', 2);
  for (const next of [ClaudeTranscriptReader.resume(path, OPTIONS, reader.state()), reader]) {
    const given = byId(next.read());
    expect([...given.keys()].sort()).toEqual([starter, text].sort());
    expect(given.get(text)).toMatchObject({ parentId: starter, parentIdEstimated: false, inputText: 'Searching' });
    expect(next.read()).toEqual([]);
  }
  // Read at once, it is known from the start.
  const atOnce = open().read();
  expect(atOnce.filter(({ values }) => values.eventId === text)).toMatchObject([{ values: { parentId: starter } }]);
});

test('a nested subagent follows its call, in any order of reading', () => {
  folder.write(fileOf('z'), work('z', 'text-of-z', 'toolu_1') + call('toolu_z', 'Agent', of('z')));
  meta('z', 'toolu_a');
  folder.write(fileOf('a'), line('assistant', [{ type: 'text', text: 'deep' }], { ...of('a'), uuid: 'deep' }));
  meta('a', 'toolu_z');
  const given = byId(open().read());
  expect(given.get(own('AiMessage', 'a:deep:0'))?.parentId).toBe(own('ToolCall', 'Agent:toolu_z'));
});

describe('a workflow’s subagents', () => {
  const run = (agent: string) => `${SESSION}/subagents/workflows/wf_1-9a8/agent-${agent}.jsonl`;
  const launch = () =>
    call('toolu_w', 'Workflow') +
    result('toolu_w', { toolUseResult: { status: 'async_launched', taskId: 't', runId: 'wf_1-9a8' } });

  test('have a folder for each run, and follow the call that started it', () => {
    const starter = eventId(PROMPT, 'ToolCall', 'Workflow:toolu_w', 3);
    const reader = open();
    expect(reader.read()).toHaveLength(3);
    const file = folder.write(run('a1'), work('a1', 'text-of-a1', 'toolu_1'));
    folder.write(run('a2'), work('a2', 'text-of-a2', 'toolu_2'));
    folder.write(`${SESSION}/subagents/workflows/wf_1-9a8/journal.jsonl`, line('user', 'no'));
    folder.write(`${SESSION}/subagents/workflows/agent-a3.jsonl`, work('a3', 'text-of-a3', 'toolu_3'));
    appendFileSync(path, launch());
    const given = byId(reader.read());
    expect(given.size).toBe(5);
    for (const agent of ['a1', 'a2']) {
      const text = given.get(own('AiMessage', `${agent}:text-of-${agent}:0`));
      expect(text).toMatchObject({ parentId: starter, parentIdEstimated: false });
    }
    appendFileSync(file, line('assistant', [{ type: 'text', text: 'Done.' }], { ...of('a1'), uuid: 'last' }));
    for (const next of [ClaudeTranscriptReader.resume(path, OPTIONS, reader.state()), reader]) {
      expect(next.read()).toMatchObject([{ values: { eventId: own('AiMessage', 'a1:last:0') } }]);
    }
    expect(byId(open().read()).size).toBe(9);
  });

  onUnix('are not looked for behind a link', () => {
    const outside = folder.write('outside/agent-a1.jsonl', work('a1', 'text-of-a1', 'toolu_1'));
    folder.write(`${SESSION}/subagents/workflows/wf_2/notes`, '');
    symlinkSync(dirname(outside), join(folder.path, SESSION, 'subagents/workflows/wf_1'));
    expect(open().read()).toHaveLength(3);
  });

  test.each(['../a1', 'wf/../a1', '../wf/a1', 'wf/', '/a1'])('a state with a file %j is no state', (id) => {
    folder.write(fileOf('a1'), work('a1', 'u', 'toolu_1'));
    const reader = open();
    reader.read();
    const state = reader.state();
    const hostile = state.replace('"companions":[["a1",', `"companions":[["${id}",`);
    expect(hostile).not.toBe(state);
    expect(thrown(() => ClaudeTranscriptReader.resume(path, OPTIONS, hostile)).code).toBe('ERR_INVALID_ARGUMENT');
  });
});

test('the subagent of a typed skill follows the skill', () => {
  const skill = join(folder.path, 'project/.claude/skills/fork-skill/SKILL.md');
  folder.write('project/.claude/skills/fork-skill/SKILL.md', 'x');
  const launch = JSON.stringify({ agentId: 'a1', skillName: 'fork-skill', description: '/fork-skill go' });
  const said = '<local-command-stdout>Running in the background as @fork-skill</local-command-stdout>';
  const notice = { subtype: 'local_command', content: `${said}\n<forked-skill-launch>${launch}</forked-skill-launch>` };
  writeFileSync(path, line('user', '/fork-skill go') + line('system', undefined, notice));
  folder.write(fileOf('a1'), work('a1', 'text-of-a1', 'toolu_1'));
  const options = { ...OPTIONS, cwd: join(folder.path, 'project') };
  const given = byId(new ClaudeTranscriptReader(path, options).read());
  const invoked = eventId(PROMPT, 'SkillInvocation', '/fork-skill', 0);
  expect(given.get(invoked)?.skillFilePath).toBe(skill);
  expect(given.get(own('AiMessage', 'a1:text-of-a1:0'))).toMatchObject({ parentId: invoked, parentIdEstimated: false });
});

test('a call that is also in the session’s own file is one event', () => {
  folder.write(fileOf('a1'), call('toolu_a', 'Agent', of('a1')) + work('a1', 'u', 'toolu_1'));
  expect(
    open()
      .read()
      .filter(({ values }) => values.toolCallName === 'Agent'),
  ).toHaveLength(2);
});

test('a rewritten session file is read again, and nothing is returned twice', () => {
  folder.write(fileOf('a1'), work('a1', 'u', 'toolu_1'));
  meta('a1', 'toolu_a');
  const reader = open();
  expect(reader.read()).toHaveLength(5);
  const file = folder.write(fileOf('a1'), work('a1', 'v', 'toolu_1'));
  expect(reader.read()).toMatchObject([{ values: { eventId: own('AiMessage', 'a1:v:0') } }]);
  writeFileSync(path, line('user', 'Other') + call('toolu_a', 'Agent'));
  expect(reader.read()).toMatchObject([{ values: { inputText: 'Other' } }]);
  appendFileSync(file, call('toolu_2', 'Bash', of('a1')));
  expect(reader.read()).toMatchObject([{ values: { toolCallName: 'Bash' } }]);
});

test('at most so many events at a time, over all files', () => {
  for (const agent of ['a1', 'a2', 'a3'])
    folder.write(fileOf(agent), work(agent, `text-of-${agent}`, `toolu_${agent}`));
  const reader = open();
  const reads: number[] = [];
  const given = [];
  for (let events = reader.read(2); events.length > 0; events = reader.read(2)) {
    reads.push(events.length);
    given.push(...events);
  }
  expect(Math.max(...reads)).toBeLessThanOrEqual(3);
  expect(new Set(byId(given).keys())).toEqual(new Set(byId(open().read()).keys()));
});

test('hooks find them and add their facts to a subagent’s call', () => {
  const hook = (name: string, rest: object, state?: string) => {
    const payload = { session_id: SESSION, transcript_path: path, hook_event_name: name, ...rest };
    return captureHook('claude', JSON.stringify(payload), { homeDir: '' }, state);
  };
  folder.write(fileOf('a1'), line('user', 'Find it', of('a1')) + call('toolu_1', 'Bash', of('a1')));
  meta('a1', 'toolu_a');
  const about = { agent_id: 'a1', tool_name: 'Bash', tool_use_id: 'toolu_1' };
  const first = hook('PreToolUse', about);
  expect(first.events).toHaveLength(4);
  const second = hook('PostToolUse', { ...about, duration_ms: 118 }, first.state);
  const known = { eventId: own('ToolCall', 'Bash:toolu_1'), error: false, reportedDurationMs: 118 };
  expect(second.events).toMatchObject([{ values: known }]);
  const stop = {
    agent_id: 'a1',
    agent_transcript_path: join(folder.path, fileOf('a1')),
    last_assistant_message: 'Found.',
  };
  expect(hook('SubagentStop', stop, second.state).events).toEqual([]);
});

test('the end of the session follows the last event of its own file', () => {
  folder.write(fileOf('a1'), work('a1', 'u', 'toolu_1'));
  meta('a1', 'toolu_a');
  const payload = { session_id: SESSION, transcript_path: path, hook_event_name: 'SessionEnd', reason: 'other' };
  const { events } = captureHook('claude', JSON.stringify(payload), { homeDir: '' });
  const last = eventId(PROMPT, 'ToolCall', 'Agent:toolu_b', 2);
  expect(events).toHaveLength(6);
  expect(events.at(-1)?.values).toMatchObject({
    eventId: eventId(PROMPT, 'SessionEnd', `user_quit:${last}`, 0),
    parentId: last,
  });
});

test('a subagent’s file alone has the same ids', () => {
  const lines = work('a1', 'u', 'toolu_1');
  folder.write(fileOf('a1'), lines);
  const inSession = byId(open().read());
  for (const { values } of parseTranscript('claude', lines, OPTIONS)) expect(inSession.has(values.eventId)).toBe(true);
});

test('other files in the folder are left alone', () => {
  folder.write(`${SESSION}/subagents/notes.jsonl`, line('user', 'no'));
  folder.write(`${SESSION}/subagents/agent-.txt`, line('user', 'no'));
  expect(open().read()).toHaveLength(3);
});

test('the sources of events are the uuids of their lines', () => {
  folder.write(fileOf('a1'), work('a1', 'text-of-a1', 'toolu_1'));
  meta('a1', 'toolu_a');
  writeFileSync(path, line('user', 'Go', { uuid: 'first' }) + call('toolu_a', 'Agent', { uuid: 'second' }));
  const reader = new TranscriptReader('claude', path, OPTIONS);
  expect(reader.sources()).toEqual([]);
  expect(reader.read()).toHaveLength(4);
  expect(reader.sources()).toEqual(['first', 'second', 'text-of-a1', expect.any(String)]);
  const resumed = TranscriptReader.resume('claude', path, OPTIONS, reader.state());
  appendFileSync(path, result('toolu_a') + line('user', 'and', { uuid: undefined }));
  expect(resumed.read()).toHaveLength(2);
  // A call that comes again comes from the same line.
  expect(resumed.sources()).toEqual(['second', null]);
});

test('an agent that is not known is refused, with the names of those that are', () => {
  const code = 'ERR_INVALID_ARGUMENT';
  const message = expect.stringMatching(/^agent: expected one of claude, codex, .*, found "clod"$/);
  expect(thrown(() => parseTranscript('clod', '', OPTIONS))).toMatchObject({ code, message });
  expect(thrown(() => new TranscriptReader('clod', path, OPTIONS))).toMatchObject({ code, message });
  expect(thrown(() => TranscriptReader.resume('clod', path, OPTIONS, ''))).toMatchObject({ code, message });
  expect(thrown(() => parseTranscript('', '', OPTIONS)).code).toBe(code);
});
