import { captureHook, parseTranscript, TranscriptReader } from '../../index.js';
import { describeProperties, fixtureOf } from './agents';
import { ai, call, golden, human, second, thinking, took } from './golden';
import { temporaryFolder } from './transcripts';

// Qwen Code: lines like those of Claude Code, with the parts of Gemini's API.

const OPTIONS = { sessionId: 'qs-1', homeDir: '' };
const MODEL = { model: 'qwen3-coder-plus' };
const folder = temporaryFolder();

const parsed = (name: string) => parseTranscript('qwen', fixtureOf('qwen', name), OPTIONS).map(({ values }) => values);
const list = (...expected: Parameters<typeof golden>[2]) => golden('qwen', 'qs-1', expected);

test('known answers', () => {
  expect(parsed('known-answers')).toEqual(
    list(
      human(0, 'q1', 'fix the parser'),
      thinking(1, 'q4:0', 'Hm.', MODEL),
      ai(1, 'q4:1', 'I look.', MODEL),
      call(1, 'read_file:call_1', took(1, { ...MODEL, reportedDurationMs: 133 })),
      call(3, 'run_shell_command:call_2', took(1, { ...MODEL, error: true, reportedDurationMs: 53 })),
      ai(5, 'q10:0', 'Done.', MODEL),
    ),
  );
});

test('kinds of tools', () => {
  expect(
    parsed('kinds-of-tools')
      .slice(1)
      .map(({ kind, toolCallName }) => [kind, toolCallName]),
  ).toEqual([
    ['ToolCall', 'read_file'],
    ['FileWrite', 'write_file'],
    ['FileWrite', 'edit'],
    ['FileWrite', 'replace'],
    ['McpCall', 'mcp__echo__say'],
    ['SkillInvocation', 'skill'],
    ['ToolCall', 'agent'],
    ['ToolCall', 'todo_write'],
  ]);
});

test('a call fails by its status, its exit code, or its response', () => {
  const outcomes = parsed('outcomes')
    .slice(1)
    .map(({ error, reportedDurationMs }) => [error, reportedDurationMs]);
  expect(outcomes).toEqual([
    [false, undefined],
    [true, undefined],
    [true, undefined],
    [true, undefined],
    [false, undefined],
    // A subagent's result has only its text.
    [true, 957],
    // The command has printed such lines, and succeeded.
    [false, undefined],
    [false, 12],
    [false, undefined],
    [true, undefined],
    // It has no result.
    [undefined, undefined],
  ]);
});

test('telemetry gives the durations, by the call’s id, before the result or after it', () => {
  const durations = parsed('durations-by-call-id').map(({ reportedDurationMs }) => reportedDurationMs);
  expect(durations).toEqual([undefined, 10, 20]);
});

test('a human’s words are those that were displayed', () => {
  expect(parsed('not-a-human')).toEqual(
    list(
      human(0, 'q1', 'mine'),
      human(4, 'q5', 'fix'),
      human(5, 'q6', 'of an older version'),
      human(6, 'q7', 'see @a.rs'),
    ),
  );
});

test('lines that a fork has copied stay with the session that they come from', () => {
  expect(parsed('fork')).toEqual(list(human(3, 'q4', 'in the fork'), ai(4, 'q5:0', 'Fork’s answer.', MODEL)));
});

test('Qwen Code 0.24: a call that a rule has refused never ran, so it has no outcome', () => {
  const call = parsed('refused-call').at(-1);
  expect(call).toMatchObject({ toolCallName: 'run_shell_command', observedDurationMs: 12 });
  expect(call).not.toHaveProperty('error');
});

test('a subagent’s file belongs to the session, and follows the call whose id its own holds', () => {
  const path = folder.write('project/chats/qs-1.jsonl', fixtureOf('qwen', 'main-with-subagent'));
  folder.write('project/subagents/qs-1/agent-general-purpose-call_9.jsonl', fixtureOf('qwen', 'subagent'));
  const main = list(
    human(0, 'q1', 'use an agent'),
    ai(1, 'q2:0', 'Starting an agent.', MODEL),
    call(1, 'agent:call_9', took(1, MODEL)),
    ai(7, 'q5:0', 'All done.', MODEL),
  );
  const sub = golden(
    'qwen',
    'qs-1',
    [
      ai(3, 's2:0', 'I will explore.'),
      call(3, 'run_shell_command:call_s', took(1, { reportedDurationMs: 957 })),
      ai(5, 's4:0', 'Sub done.'),
    ],
    main[2]?.eventId,
  );
  const read = (reader: TranscriptReader) => reader.read().map(({ values }) => values);
  const reader = new TranscriptReader('qwen', path, OPTIONS);
  expect(read(reader)).toEqual([...main, ...sub]);
  expect(read(reader)).toEqual([]);
  expect(read(TranscriptReader.resume('qwen', path, OPTIONS, reader.state()))).toEqual([]);
  // The answer that a hook reports is the session's, which the file has shown before the subagent's.
  const payload = {
    session_id: 'qs-1',
    transcript_path: path,
    hook_event_name: 'Stop',
    last_assistant_message: 'All done.',
  };
  const { events } = captureHook('qwen', JSON.stringify(payload), { homeDir: '' });
  expect(events.map(({ values }) => values)).toEqual([...main, ...sub]);
});

test('damaged lines are passed over, and the rest of the file counts', () => {
  const events = parsed('damaged-records');
  expect(events.map(({ kind, inputText }) => [kind, inputText])).toEqual([
    ['HumanMessage', 'before'],
    ['AiMessage', 'fine'],
  ]);
  expect(events.at(-1)).toMatchObject({ startTs: second(1) });
});

describe('whatever the fixture', () => describeProperties('qwen'));
