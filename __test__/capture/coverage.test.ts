import { join } from 'node:path';
import { captureHook, type PromptEvent, type PromptEventKind, parseClaudeTranscript } from '../../index.js';
import { FIXTURES, fixture, SESSION, temporaryFolder, writeSkill } from './transcripts';

// How many of the events that should have a field do have it, over all fixtures and one hook of each kind.

const TOOL_LIKE: PromptEventKind[] = ['ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'];
const MESSAGES: PromptEventKind[] = ['HumanMessage', 'AiMessage', 'ThinkingMessage'];
const ALL: PromptEventKind[] = [...MESSAGES, ...TOOL_LIKE, 'SessionEnd'];
const BY_THE_ASSISTANT: PromptEventKind[] = ['AiMessage', 'ThinkingMessage', ...TOOL_LIKE];

interface Coverage {
  /** Kinds that should have the field. */
  kinds: PromptEventKind[];
  /** How many of their events have it, and how many there are. */
  have: number;
  of: number;
  /** Why the others don't. */
  others?: string;
  /** Kinds that may have it. */
  also?: PromptEventKind[];
}

const TABLE: Record<string, Coverage> = {
  kind: { kinds: ALL, have: 263, of: 263 },
  eventId: { kinds: ALL, have: 263, of: 263 },
  parentId: { kinds: ALL, have: 263, of: 263 },
  parentIdEstimated: { kinds: ALL, have: 263, of: 263 },
  toolCallName: { kinds: TOOL_LIKE, have: 92, of: 92 },
  model: { kinds: BY_THE_ASSISTANT, have: 140, of: 159, others: 'lines without a model, hooks, and typed skills' },
  error: {
    kinds: TOOL_LIKE,
    have: 46,
    of: 92,
    others: 'calls without a result, calls that never ran, typed skills, and the hook PreToolUse',
    also: ['AiMessage'],
  },
  startTs: { kinds: ALL, have: 258, of: 263, others: 'lines without a sound time' },
  reportedDurationMs: { kinds: TOOL_LIKE, have: 13, of: 92, others: 'no source reports it', also: ['ThinkingMessage'] },
  observedDurationMs: {
    kinds: TOOL_LIKE,
    have: 50,
    of: 92,
    others: 'calls without a result, hooks, typed skills, and times that are missing or run backwards',
  },
  inputHash: { kinds: [...MESSAGES, ...TOOL_LIKE], have: 262, of: 262 },
  inputText: { kinds: ['HumanMessage', 'AiMessage'], have: 160, of: 160 },
  skillFilePath: { kinds: ['SkillInvocation'], have: 11, of: 24, others: 'names that have no file' },
  skillFileMtime: { kinds: ['SkillInvocation'], have: 11, of: 24, others: 'the same' },
  skillFileHash: { kinds: ['SkillInvocation'], have: 11, of: 24, others: 'the same' },
  endReason: { kinds: ['SessionEnd'], have: 1, of: 1 },
};

const folder = temporaryFolder();

function everything(): PromptEvent[] {
  for (const file of ['review/SKILL.md', 'flat.md']) writeSkill(folder, 'project', file, file);
  writeSkill(folder, 'home', 'personal/SKILL.md', 'personal');
  const homeDir = join(folder.path, 'home');
  const options = { sessionId: SESSION, cwd: join(folder.path, 'project'), homeDir };
  const events = FIXTURES.flatMap((name) => parseClaudeTranscript(fixture(name), options));
  let state: string | undefined;
  for (const name of ['UserPromptSubmit', 'PreToolUse', 'PostToolUse', 'PostToolUseFailure', 'Stop', 'SessionEnd']) {
    const tool = /Tool/.test(name) ? { tool_name: 'Bash', tool_use_id: name, duration_ms: 5 } : {};
    const payload = { session_id: SESSION, hook_event_name: name, prompt: 'x', last_assistant_message: 'y', ...tool };
    const result = captureHook('claude', JSON.stringify(payload), { homeDir }, state);
    state = result.state;
    events.push(...result.events);
  }
  return events;
}

const events = everything();

test('every field has its line', () => {
  const { METRICS } = require('../../generated/fields.js');
  const table = METRICS.find(({ name }: { name: string }) => name === 'prompt_event');
  expect(Object.keys(TABLE)).toEqual(table.fields.map(({ name }: { name: string }) => name));
});

test.each(Object.entries(TABLE))('%s', (field, { kinds, have, of }) => {
  const expected = events.filter(({ values }) => kinds.includes(values.kind as PromptEventKind));
  const having = expected.filter(({ values }) => field in values);
  expect([having.length, expected.length]).toEqual([have, of]);
});

test.each(Object.entries(TABLE))('%s is on no other kind', (field, { kinds, also = [] }) => {
  const right = [...kinds, ...also];
  const others = events.filter(({ values }) => !right.includes(values.kind as PromptEventKind));
  expect(others.filter(({ values }) => field in values)).toEqual([]);
});
