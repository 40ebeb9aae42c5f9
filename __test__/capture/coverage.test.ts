import { join } from 'node:path';
import { captureHook, type PromptEvent, type PromptEventKind, parseClaudeTranscript } from '../../index.js';
import { FIXTURES, fixture, SESSION, temporaryFolder, writeSkill } from './transcripts';

// How many of the events that should have a field do have it, over all fixtures and one hook of each kind.

const TOOL_LIKE: PromptEventKind[] = ['ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'];
const MESSAGES: PromptEventKind[] = ['HumanMessage', 'AiMessage', 'ThinkingMessage'];
const ALL: PromptEventKind[] = [...MESSAGES, ...TOOL_LIKE];
const BY_THE_ASSISTANT: PromptEventKind[] = ['AiMessage', 'ThinkingMessage', ...TOOL_LIKE];

/** Which kinds should have it, how many of their events have it, and which haven't. */
const TABLE: Record<string, [kinds: PromptEventKind[], have: number, should: number, others?: string]> = {
  kind: [ALL, 144, 144],
  eventId: [ALL, 144, 144],
  parentId: [ALL, 144, 144],
  parentIdEstimated: [ALL, 144, 144],
  toolCallName: [TOOL_LIKE, 64, 65, 'the hook SessionEnd, which is about no tool'],
  model: [BY_THE_ASSISTANT, 82, 93, '2 by no model, 2 without a word of it, 5 hooks, 2 skills that a human typed'],
  error: [
    TOOL_LIKE,
    35,
    65,
    '26 calls without a result, 2 skills that a human typed, the hooks PreToolUse and SessionEnd',
  ],
  startTs: [ALL, 139, 144, '5 lines without a sound time'],
  reportedDurationMs: [TOOL_LIKE, 11, 65, 'what no source reports'],
  observedDurationMs: [TOOL_LIKE, 30, 65, 'those without error, 2 hooks, 3 whose times are missing or run backwards'],
  inputHash: [ALL, 144, 144],
  inputText: [['HumanMessage', 'AiMessage'], 74, 74],
  skillFilePath: [['SkillInvocation'], 10, 15, '5 names that have no file'],
  skillFileMtime: [['SkillInvocation'], 10, 15, 'the same'],
  skillFileHash: [['SkillInvocation'], 10, 15, 'the same'],
  // Capture ends no session: a hook that says so is an event like any other.
  endReason: [[], 0, 0],
};

const folder = temporaryFolder();

function everything(): PromptEvent[] {
  for (const file of ['review/SKILL.md', 'flat.md']) writeSkill(folder, 'project', file, file);
  writeSkill(folder, 'home', 'personal/SKILL.md', 'personal');
  const homeDir = join(folder.path, 'home');
  const options = { sessionId: SESSION, cwd: join(folder.path, 'project'), homeDir };
  const events = FIXTURES.flatMap((name) => parseClaudeTranscript(fixture(name), options));
  for (const name of ['UserPromptSubmit', 'PreToolUse', 'PostToolUse', 'PostToolUseFailure', 'Stop', 'SessionEnd']) {
    const tool = /Tool/.test(name) ? { tool_name: 'Bash', tool_use_id: 'toolu_1', duration_ms: 5 } : {};
    const payload = { session_id: SESSION, hook_event_name: name, prompt: 'x', last_assistant_message: 'y', ...tool };
    events.push(...captureHook('claude', JSON.stringify(payload), { homeDir }).events);
  }
  return events;
}

const events = everything();

test('every field has its line', () => {
  const { METRICS } = require('../../generated/fields.js');
  const table = METRICS.find(({ name }: { name: string }) => name === 'prompt_event');
  expect(Object.keys(TABLE)).toEqual(table.fields.map(({ name }: { name: string }) => name));
});

test.each(Object.entries(TABLE))('%s', (field, [kinds, have, should]) => {
  const expected = events.filter(({ values }) => kinds.includes(values.kind as PromptEventKind));
  const having = expected.filter(({ values }) => field in values);
  expect([having.length, expected.length]).toEqual([have, should]);
});

test.each(Object.entries(TABLE))('%s is on no other kind', (field, [kinds]) => {
  const others = events.filter(({ values }) => !kinds.includes(values.kind as PromptEventKind));
  expect(others.filter(({ values }) => field in values)).toEqual([]);
});
