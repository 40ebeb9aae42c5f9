import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTranscript, TranscriptReader } from '../../index.js';
import { describeProperties, fixtureOf } from './agents';
import { ai, call, golden, human, second, thinking, took } from './golden';
import { SKILL_TIME, temporaryFolder, writeSkill } from './transcripts';

// Kimi Code: a log of everything that its parts say to each other.

const SESSION = 'session_u1';
const OPTIONS = { sessionId: SESSION, homeDir: '' };
const MODEL = { model: 'kimi-k2' };
const folder = temporaryFolder();

const parse = (text: string) => parseTranscript('kimi', text, OPTIONS).map(({ values }) => values);
const parsed = (name: string) => parse(fixtureOf('kimi', name));
const list = (...expected: Parameters<typeof golden>[2]) => golden('kimi', SESSION, expected);

test('known answers: everything once, though the log repeats it; the model is that of the request', () => {
  expect(parsed('known-answers')).toEqual(
    list(
      human(1, 'msg_1', 'fix the parser'),
      thinking(3, 'p1', 'Hm.', MODEL),
      ai(3, 'p2', 'I look.', MODEL),
      call(4, 'Bash:call_0', took(2, { ...MODEL, error: true, reportedDurationMs: 53 })),
      call(4, 'Write:call_1', took(1, { ...MODEL, reportedDurationMs: 7 }), 'FileWrite'),
      ai(8, 'p3', 'Done.', { model: 'kimi-k2-turbo' }),
    ),
  );
});

test('Kimi Code 2.1: a command that outlives its call has the duration of all of it, once it has ended', () => {
  const lines = fixtureOf('kimi', 'background-task').split('\n');
  const path = folder.write('background/agents/main/wire.jsonl', `${lines.slice(0, 5).join('\n')}\n`);
  const reader = new TranscriptReader('kimi', path, OPTIONS);
  const read = () => reader.read().map(({ values }) => values);
  const running = { error: false, observedDurationMs: 1050, startTs: second(2) };
  const [first] = read();
  expect(first).toMatchObject(running);
  expect(first).not.toHaveProperty('reportedDurationMs');
  appendFileSync(path, lines.slice(5).join('\n'));
  expect(read()).toEqual([{ ...first, reportedDurationMs: 5006 }]);
  // Its notification is no human's.
  expect(parsed('background-task')).toEqual([{ ...first, reportedDurationMs: 5006 }]);
});

test('kinds of tools', () => {
  expect(
    parsed('kinds-of-tools')
      .slice(1)
      .map(({ kind, toolCallName }) => [toolCallName, kind]),
  ).toEqual([
    ['Read', 'ToolCall'],
    ['Write', 'FileWrite'],
    ['Edit', 'FileWrite'],
    ['MultiEdit', 'FileWrite'],
    ['StrReplaceFile', 'FileWrite'],
    ['WriteFile', 'FileWrite'],
    ['mcp__echo__say', 'McpCall'],
    ['Skill', 'SkillInvocation'],
    ['Agent', 'ToolCall'],
    ['Bash', 'ToolCall'],
  ]);
});

test('a skill’s file is the one that the harness has loaded; a typed one is an invocation of its own', () => {
  const path = writeSkill(folder, 'project', 'local-skill/SKILL.md', 'text');
  const events = parse(fixtureOf('kimi', 'skills').replaceAll('SKILL_PATH', path));
  const file = { skillFilePath: path, skillFileMtime: SKILL_TIME.getTime(), skillFileHash: expect.any(String) };
  expect(events).toEqual(
    list(
      human(0, 'msg_1', 'use the skill'),
      call(2, 'Skill:call_0', took(1, { ...MODEL, reportedDurationMs: 2, ...file }), 'SkillInvocation'),
      ai(4, 'p1', 'Skill done.', MODEL),
      human(5, 'msg_3', 'User activated the skill "review".', { inputText: '/review src/app.ts' }),
      call(5, 'Skill:act_2', file, 'SkillInvocation'),
    ),
  );
});

test('prompts of the harness and of other agents are no human’s', () => {
  expect(parsed('not-a-human')).toEqual(
    list(human(0, 'msg_1', 'mine'), human(1, 'msg_2', 'meanwhile'), human(6, 'msg_7', 'two\nblocks')),
  );
});

test('a subagent’s file belongs to the session, and follows the call that has started it', () => {
  const agents = 'sessions/wd_proj_51cf/session_u1/agents';
  const path = folder.write(join(agents, 'main/wire.jsonl'), fixtureOf('kimi', 'main-with-subagent'));
  folder.write(join(agents, 'agent-0/wire.jsonl'), fixtureOf('kimi', 'subagent'));
  const main = list(
    human(0, 'msg_1', 'use an agent'),
    call(2, 'Agent:call_9', took(4, { ...MODEL, reportedDurationMs: 4000 })),
    ai(7, 'p1', 'All done.', MODEL),
  );
  const sub = golden(
    'kimi',
    SESSION,
    [ai(4, 'sp1', 'I explore.', MODEL), call(4, 'Grep:call_s', took(1, MODEL)), ai(5, 'sp2', 'Sub done.', MODEL)],
    main[1]?.eventId,
  );
  const read = (reader: TranscriptReader) => reader.read().map(({ values }) => values);
  const reader = new TranscriptReader('kimi', path, OPTIONS);
  expect(read(reader)).toEqual([...main, ...sub]);
  expect(read(TranscriptReader.resume('kimi', path, OPTIONS, reader.state()))).toEqual([]);
});

test('damaged lines are passed over, and the rest of the file counts', () => {
  expect(parsed('damaged-records').map(({ kind, inputText }) => [kind, inputText])).toEqual([
    ['HumanMessage', 'before'],
    ['AiMessage', 'fine'],
  ]);
});

describe('whatever the fixture', () => describeProperties('kimi'));
