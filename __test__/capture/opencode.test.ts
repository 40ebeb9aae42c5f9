import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTranscript, TranscriptReader } from '../../index.js';
import { describeProperties, fixtureOf } from './agents';
import { ai, call, golden, human, second, thinking, took } from './golden';
import { SKILL_TIME, temporaryFolder, writeSkill } from './transcripts';

// OpenCode: rows of a database, as JSON.

const SESSION = 'ses_debeea698ffe9Tz0stJ8vzqljm';
const OPTIONS = { sessionId: SESSION, homeDir: '' };
const MODEL = { model: 'gpt-5.4' };
const folder = temporaryFolder();

const parse = (text: string) => parseTranscript('opencode', text, OPTIONS).map(({ values }) => values);
const parsed = (name: string, extension?: string) => parse(fixtureOf('opencode', name, extension));
const list = (...expected: Parameters<typeof golden>[2]) => golden('opencode', SESSION, expected);
const timed = (seconds: number, rest: object = {}) =>
  took(seconds, { ...MODEL, reportedDurationMs: seconds * 1000, ...rest });

const EVENTS = list(
  human(0, 'msg_1', 'fix @a.ts'),
  thinking(1, 'prt_5', 'Hm.', MODEL),
  ai(2, 'prt_6', 'I look.', MODEL),
  call(3, 'bash:call_1', timed(1)),
  call(4, 'edit:call_2', timed(1), 'FileWrite'),
  ai(11, 'prt_b', 'Done.', MODEL),
);

test.each([
  ['messages with their parts', 'known-answers', 'jsonl'],
  ['an export', 'export', 'json'],
  ['rows of all tables, with another session between them', 'tables', 'jsonl'],
  ['rows whose data is text', 'data-as-text', 'jsonl'],
])('the same session as %s', (_, name, extension) => {
  expect(parsed(name, extension)).toEqual(EVENTS);
});

test('an export whose file is written anew', () => {
  const whole = JSON.parse(fixtureOf('opencode', 'export', 'json'));
  const write = (count: number) =>
    folder.write('export.json', JSON.stringify({ ...whole, messages: whole.messages.slice(0, count) }, null, 1));
  const reader = new TranscriptReader('opencode', write(1), OPTIONS);
  expect(reader.read().map(({ values }) => values)).toEqual(EVENTS.slice(0, 1));
  write(3);
  expect(reader.read().map(({ values }) => values)).toEqual(EVENTS.slice(1));
});

test('kinds of tools: what isn’t the agent’s own and has an underscore is of an MCP server', () => {
  expect(parsed('kinds-of-tools').map(({ kind, toolCallName }) => [toolCallName, kind])).toEqual([
    ['bash', 'ToolCall'],
    ['read', 'ToolCall'],
    ['write', 'FileWrite'],
    ['edit', 'FileWrite'],
    ['multiedit', 'FileWrite'],
    ['patch', 'FileWrite'],
    ['apply_patch', 'FileWrite'],
    ['glob', 'ToolCall'],
    ['list', 'ToolCall'],
    ['skill', 'SkillInvocation'],
    ['task', 'ToolCall'],
    ['todowrite', 'ToolCall'],
    ['webfetch', 'ToolCall'],
    ['invalid', 'ToolCall'],
    ['plan_exit', 'ToolCall'],
    ['echo_say', 'McpCall'],
    ['my-server_find_it', 'McpCall'],
  ]);
});

test('a command’s exit code decides, where the agent says completed', () => {
  expect(parsed('outcomes').map(({ error, reportedDurationMs }) => [error, reportedDurationMs])).toEqual([
    [false, 1000],
    [true, 1000],
    // Without an exit code it was killed, as after its timeout.
    [true, 1000],
    [true, 1000],
    // A tool that doesn't exist.
    [true, 1000],
    [false, 1000],
    // Running. A pending one has no time yet, and makes no event.
    [undefined, undefined],
  ]);
});

test('rows that are updated in place: a text counts when it is complete, a call when it has begun', () => {
  const path = join(folder.path, 'updated.jsonl');
  writeFileSync(path, '');
  const reader = new TranscriptReader('opencode', path, OPTIONS);
  const news = fixtureOf('opencode', 'updated-in-place')
    .trimEnd()
    .split('\n')
    .map((line) => {
      appendFileSync(path, `${line}\n`);
      return reader.read().map(({ values }) => [values.inputText ?? values.toolCallName, values.error]);
    });
  expect(news).toEqual([
    [['go', undefined]],
    [],
    [['bash', undefined]],
    [],
    [
      ['bash', true],
      ['I write more.', undefined],
    ],
    [['No end of its own.', undefined]],
  ]);
});

test('only what a human typed is a human’s; a compaction’s summary is no answer', () => {
  expect(parsed('not-a-human')).toEqual(
    list(human(2, 'msg_3', 'mine,\nand this'), human(6, 'msg_6', '"in quotes of the shell"')),
  );
});

test('a subagent has a session of its own, whose prompts are no human’s', () => {
  expect(parsed('child-session')).toEqual(list(ai(1, 'prt_2', 'Sub done.', MODEL)));
});

test('a skill’s file is in the folder that the call’s result names', () => {
  const path = writeSkill(folder, 'skills', 'spec/SKILL.md', 'text');
  const state = {
    status: 'completed',
    metadata: { name: 'spec', dir: join(path, '..') },
    time: { start: second(1), end: second(2) },
  };
  const [values] = parse(
    JSON.stringify({
      message: { id: 'msg_1', session_id: SESSION, data: { role: 'assistant', time: { created: second(0) } } },
      parts: [{ id: 'prt_1', session_id: SESSION, data: { type: 'tool', tool: 'skill', callID: 'call_1', state } }],
    }),
  );
  expect(values).toMatchObject({
    kind: 'SkillInvocation',
    skillFilePath: path,
    skillFileMtime: SKILL_TIME.getTime(),
  });
});

test('damaged records are passed over, and the rest counts', () => {
  const events = parsed('damaged-records');
  expect(events.map(({ kind, inputText, toolCallName }) => [kind, inputText ?? toolCallName])).toEqual([
    ['HumanMessage', 'before'],
    // The role stands before the damage.
    ['AiMessage', 'fine, too'],
    ['ToolCall', 'bash'],
    ['AiMessage', 'fine'],
    // Its message is unknown, and with it the model.
    ['ToolCall', 'bash'],
  ]);
});

describe('whatever the fixture', () => describeProperties('opencode'));
