import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTranscript, TranscriptReader } from '../../index.js';
import { describeProperties, fixtureOf } from './agents';
import { ai, call, golden, human, second, thinking, took } from './golden';
import { temporaryFolder } from './transcripts';

// Gemini CLI. Its file is a log of states: a message is written again whenever more of it is known.

const OPTIONS = { sessionId: 'g-1', homeDir: '' };
const MODEL = { model: 'gemini-2.5-pro' };
const folder = temporaryFolder();

const parse = (text: string) => parseTranscript('gemini', text, OPTIONS).map(({ values }) => values);
const parsed = (name: string, extension?: string) => parse(fixtureOf('gemini', name, extension));
const list = (...expected: Parameters<typeof golden>[2]) => golden('gemini', 'g-1', expected);

/** The events of a short session, however its messages are written. */
const SESSION = list(
  human(2, 'u-1', 'fix the parser'),
  thinking(3, 'a-1:thought:0', 'Planning\nI will list the files.', MODEL),
  ai(4, 'a-1', 'I look.', MODEL),
  call(4, 'run_shell_command:run_shell_command__fc_1_0', took(1, MODEL)),
  ai(7, 'a-2', 'Done.', MODEL),
);

test('a message that is written again with its calls and tokens makes each event once', () => {
  expect(parsed('messages-written-again')).toEqual(SESSION);
});

test('a reader gives a call when its message is written again with it', () => {
  const path = join(folder.path, 'growing.jsonl');
  const lines = fixtureOf('gemini', 'messages-written-again').trimEnd().split('\n');
  writeFileSync(path, '');
  const reader = new TranscriptReader('gemini', path, OPTIONS);
  const kinds = lines.map((line) => {
    appendFileSync(path, `${line}\n`);
    return reader.read().map(({ values }) => values.kind);
  });
  expect(kinds).toEqual([
    [],
    [],
    ['HumanMessage'],
    [],
    ['ThinkingMessage', 'AiMessage'],
    ['ToolCall'],
    [],
    [],
    ['AiMessage'],
  ]);
});

test('what resuming and compressing leave for the model repeats nothing and adds nothing', () => {
  expect(parsed('resumed-and-compressed')).toEqual(
    list(
      human(1, 'u-1', 'one'),
      thinking(2, 'a-1:thought:0', 'Thinking\nAn easy one.', MODEL),
      ai(2, 'a-1', 'First.', MODEL),
      human(7, 'u-2', 'two'),
      ai(8, 'a-2', 'Second.', MODEL),
      human(10, 'u-3', 'three'),
    ),
  );
});

test('the copy of the conversation that follows a refused call makes no events', () => {
  const refused = { error: true, observedDurationMs: 500, ...MODEL };
  const call = { kind: 'FileWrite', toolCallName: 'write_file', ...refused };
  const events = parsed('refused-call');
  expect(events.map(({ kind, inputText, toolCallName }) => toolCallName ?? [kind, inputText])).toEqual([
    ['HumanMessage', 'one'],
    ['AiMessage', 'First.'],
    ['HumanMessage', 'two'],
    ['AiMessage', 'Second.'],
    ['HumanMessage', 'write it'],
    'write_file',
    ['HumanMessage', 'three'],
    ['AiMessage', 'Third.'],
    ['HumanMessage', 'four'],
  ]);
  expect(events[5]).toMatchObject(call);
});

test('a message without a time after such a copy is none of it', () => {
  const timeless = fixtureOf('gemini', 'refused-call').replace(
    '"id":"u-9","timestamp":"2026-01-05T09:00:10.000Z"',
    '"id":"u-9"',
  );
  expect(timeless).toContain('"id":"u-9","type"');
  expect(parse(timeless).at(-1)).toMatchObject({ kind: 'HumanMessage', inputText: 'four' });
});

test('kinds of tools, those of MCP servers in both of their forms', () => {
  const of = (key: string, kind: Parameters<typeof call>[3] = 'ToolCall') => call(2, key, took(1, MODEL), kind);
  expect(parsed('kinds-of-tools')).toEqual(
    list(
      human(1, 'u-1', 'go'),
      of('read_file:read_file__1_0'),
      of('write_file:write_file__1_1', 'FileWrite'),
      of('replace:replace__1_2', 'FileWrite'),
      of('mcp_echo_say:mcp_echo_say__1_3', 'McpCall'),
      of('echo__say:echo__say__1_4', 'McpCall'),
      of('activate_skill:activate_skill__1_5', 'SkillInvocation'),
      of('save_memory:save_memory__1_6'),
    ),
  );
});

test('a command’s exit code decides, where the agent says success', () => {
  const outcomes = parsed('outcomes')
    .slice(1)
    .map(({ eventId: _, ...values }) => [values.toolCallName, values.error, values.observedDurationMs]);
  expect(outcomes).toEqual([
    ['read_file', false, 1000],
    ['replace', true, 1000],
    ['write_file', true, 1000],
    ['mcp_echo_fail', true, 1000],
    ['run_shell_command', true, 2000],
    // The command has printed such a line, and succeeded.
    ['run_shell_command', false, 2000],
    ['run_shell_command', true, 2000],
    ['run_shell_command', false, 2000],
    ['read_file', false, 2000],
    // It ran when the message was first written.
    ['run_shell_command', true, 7000],
    ['glob', undefined, undefined],
  ]);
});

test('messages of the harness and the contents of files are no human’s', () => {
  expect(parsed('not-a-human')).toEqual(
    list(
      human(5, 'u-1', 'really mine'),
      human(6, 'u-2', 'fix @a.rs'),
      human(7, 'u-3', 'and @b.rs'),
      human(8, 'u-4', 'two\nparts'),
      human(9, 'u-5', 'a plain string'),
    ),
  );
});

test('what was said stays said after a rewind', () => {
  expect(parsed('rewind')).toEqual(
    list(
      human(1, 'u-1', 'first'),
      ai(2, 'a-1', 'Answer.', MODEL),
      human(3, 'u-2', 'first, again'),
      ai(4, 'a-2', 'Better.', MODEL),
    ),
  );
});

test('thoughts have times of their own, and parts of a message can be thoughts', () => {
  expect(parsed('thoughts')).toEqual(
    list(
      human(1, 'u-1', 'think'),
      thinking(2, 'a-1:thought:0', 'One\nfirst', MODEL),
      thinking(3, 'a-1:thought:1', 'Two\nsecond', MODEL),
      thinking(5, 'a-1:thought:3', 'only text', MODEL),
      thinking(5, 'a-1:thought', 'hidden', MODEL),
      ai(5, 'a-1', 'Visible,\nboth.', MODEL),
    ),
  );
});

describe('a document of an earlier version', () => {
  const events = list(
    human(1, 'u-1', 'fix the parser'),
    thinking(3, 'a-1:thought:0', 'Planning\nI will list the files.', MODEL),
    ai(4, 'a-1', 'I look.', MODEL),
    call(4, 'replace:c_1', took(1, MODEL), 'FileWrite'),
    ai(7, 'a-2', 'Done.', MODEL),
  );

  test('gives the same events as lines', () => {
    expect(parsed('document', 'json')).toEqual(events);
  });

  test('is read whole whenever it was rewritten, and gives what is new', () => {
    const whole = JSON.parse(fixtureOf('gemini', 'document', 'json'));
    const write = (count: number) => {
      const { messages, ...rest } = whole;
      return folder.write('session.json', JSON.stringify({ ...rest, messages: messages.slice(0, count) }, null, 2));
    };
    const reader = new TranscriptReader('gemini', write(1), OPTIONS);
    const read = () => reader.read().map(({ values }) => values);
    expect(read()).toEqual(events.slice(0, 1));
    write(2);
    expect(read()).toEqual(events.slice(1, 4));
    expect(read()).toEqual([]);
    const path = write(3);
    const resumed = TranscriptReader.resume('gemini', path, OPTIONS, reader.state());
    expect(resumed.read().map(({ values }) => values)).toEqual(events.slice(4));
    expect(resumed.read()).toEqual([]);
  });

  test('waits while it is half written', () => {
    const text = fixtureOf('gemini', 'document', 'json');
    const path = folder.write('half.json', text.slice(0, text.length / 2));
    const reader = new TranscriptReader('gemini', path, OPTIONS);
    expect(reader.read()).toEqual([]);
    writeFileSync(path, text);
    expect(reader.read().map(({ values }) => values)).toEqual(events);
  });
});

describe('a subagent', () => {
  const events = (parent: string | null, estimated: boolean) => {
    const sub = golden(
      'gemini',
      'g-1',
      [
        ai(4, 'sa-1', 'I explore.', MODEL),
        call(4, 'grep_search:grep__s_0', took(1, MODEL)),
        ai(6, 'sa-2', 'Sub done.', MODEL),
      ],
      parent,
    );
    return [{ ...sub[0], parentIdEstimated: estimated }, ...sub.slice(1)];
  };

  test('alone: its prompt is no human’s', () => {
    expect(parsed('subagent')).toEqual(events(null, false));
  });

  test('its file in the folder of the session’s id belongs to the session', () => {
    const path = folder.write(
      'chats/session-2026-01-05T09-00-g-1.jsonl',
      fixtureOf('gemini', 'messages-written-again'),
    );
    folder.write('chats/g-1/s-9.jsonl', fixtureOf('gemini', 'subagent'));
    const reader = new TranscriptReader('gemini', path, OPTIONS);
    const values = reader.read().map(({ values }) => values);
    expect(values.slice(0, SESSION.length)).toEqual(SESSION);
    expect(values.slice(SESSION.length)).toEqual(events(null, true));
  });

  test('Gemini CLI 0.61: follows the call that names its file, once that is written', () => {
    const path = folder.write('named/session-2026-01-05T09-00-g-1.jsonl', '');
    folder.write('named/g-1/s-9.jsonl', fixtureOf('gemini', 'subagent'));
    const lines = fixtureOf('gemini', 'main-with-subagent').split('\n');
    const reader = new TranscriptReader('gemini', path, OPTIONS);
    const read = () => reader.read().map(({ values }) => values);
    appendFileSync(path, `${lines.slice(0, 3).join('\n')}\n`);
    expect(read().slice(1)).toEqual(events(null, true));
    const state = reader.state();
    // The message with the call is written several times.
    appendFileSync(path, `${[...lines.slice(3, -1), lines[3]].join('\n')}\n`);
    const after = read();
    expect(after.map(({ kind, toolCallName }) => toolCallName ?? kind)).toEqual([
      'invoke_agent',
      'AiMessage',
      'AiMessage',
    ]);
    expect(after.at(-1)).toEqual(events(after[0]?.eventId ?? '', false)[0]);
    const resumed = TranscriptReader.resume('gemini', path, OPTIONS, state).read();
    expect(resumed.map(({ values }) => values)).toEqual(after);
    expect(read()).toEqual([]);
  });
});

test('damaged records are passed over, and the rest of the file counts', () => {
  const events = parsed('damaged-records');
  expect(events.map(({ kind, inputText, toolCallName }) => [kind, inputText ?? toolCallName])).toEqual([
    ['HumanMessage', 'before'],
    ['HumanMessage', 'no time'],
    ['HumanMessage', 'a time that is none'],
    ['AiMessage', 'no model'],
    ['AiMessage', 'fine'],
    ['ToolCall', 'glob'],
  ]);
  expect(events.at(-1)).toMatchObject({ error: true, startTs: second(4) });
  expect(events.at(-1)).not.toHaveProperty('observedDurationMs');
});

describe('whatever the fixture', () => describeProperties('gemini'));
