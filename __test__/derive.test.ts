import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DERIVER_VERSION, encodeRows, inputHash, promptId, SessionSettler } from '../index.js';
import { dateTime64, type Row } from './rows-model';
import { thrown } from './support';

const RECEIVED = Date.UTC(2026, 10, 26, 12);
const TIME = '2026-11-26T11:59:00.250Z';
const START = Date.parse(TIME);
const SESSION = promptId('claude', '0c1d');

interface Sent {
  tool?: string;
  values?: Record<string, unknown>;
  attributes?: Record<string, unknown>;
  receivedAtMs?: number;
  t?: number;
}

/** The rows that one record gives, by table. */
function rowsOf(
  record: unknown,
  { tool = 'claude', values = {}, attributes = {}, receivedAtMs = RECEIVED, t = START / 1000 }: Sent = {},
) {
  const raw = typeof record === 'string' ? record : JSON.stringify(record);
  const a = JSON.stringify({ 0: '1.6.9', 20: tool, 23: '0c1d', 24: 's_1', ...attributes });
  const others = JSON.stringify(values).slice(1, -1);
  const body = `{"v":1,"events":[{"t":${Math.floor(t)},"e":5,"v":{"0":${raw}${others === '' ? '' : `,${others}`}},"a":${a}}]}`;
  const { tables, errors } = encodeRows(body, { orgId: 'acme', receivedAtMs, format: 'JSONEachRow' });
  expect(errors).toEqual([]);
  const lines = (name: string): Row[] =>
    (tables.find(({ table }) => table === name)?.rows.toString() ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { records: lines('session_records'), events: lines('prompt_event_deliveries') };
}

const set = (row: Row): Row => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));

/** Ids are hashes of the kind `derived`, which no event has, so they equal no id of a client's own. */
const idOf = (content: string, session = SESSION): string =>
  `${session}:${createHash('sha256').update(`${session}:derived:${content}:0`).digest('hex').slice(0, 12)}`;

const user = (content: unknown, more: object = {}) => ({
  type: 'user',
  uuid: 'u1',
  timestamp: TIME,
  message: { content },
  ...more,
});
const assistant = (content: unknown) => ({
  type: 'assistant',
  uuid: 'u2',
  timestamp: TIME,
  message: { model: 'opus', content },
});

describe('known answers', () => {
  const COMMON = {
    org_id: 'acme',
    prompt_id: SESSION,
    event_ts: dateTime64(START),
    emitted_at: '2026-11-26 11:59:00',
    received_at: dateTime64(RECEIVED),
    heard_at: dateTime64(RECEIVED),
    derived: true,
    derived_from: 's_1',
    git_ai_version: '1.6.9',
    tool: 'claude',
    external_prompt_id: '0c1d',
  };

  test('a message and the record beside it', () => {
    const { records, events } = rowsOf(user('Hello'), { values: { 1: 'r1' } });
    expect(records).toMatchObject([{ record_key: 'r1', prompt_id: SESSION, deriver_version: DERIVER_VERSION }]);
    expect(events.map(set)).toEqual([
      {
        ...COMMON,
        event_id: idOf('record:HumanMessage:r1:0'),
        kind: 'HumanMessage',
        start_ts: START,
        input_hash: inputHash('Hello'),
        input_text: 'Hello',
      },
    ]);
  });

  test('the blocks of one record are a chain', () => {
    const { events } = rowsOf(
      assistant([
        { type: 'thinking', thinking: 'Hm' },
        { type: 'text', text: 'I look' },
        { type: 'tool_use', id: 'toolu_1', name: 'Edit', input: {} },
      ]),
      { values: { 1: 'r2' } },
    );
    expect(events).toMatchObject([
      { kind: 'ThinkingMessage', event_id: idOf('record:ThinkingMessage:r2:0'), parent_id: null, model: 'opus' },
      {
        kind: 'AiMessage',
        event_id: idOf('record:AiMessage:r2:1'),
        parent_id: events[0].event_id,
        input_text: 'I look',
      },
      {
        kind: 'FileWrite',
        event_id: idOf('call:toolu_1'),
        parent_id: events[1].event_id,
        tool_call_name: 'Edit',
        error: null,
      },
    ]);
  });

  test.each([
    ['success', {}, 0],
    ['an error', { is_error: true }, 1],
    ['a refusal', { is_error: true, content: "The user doesn't want to proceed with this tool use." }, 2],
  ])('a result is a delivery of its call’s event: %s', (_, block, verdict) => {
    const { events } = rowsOf(user([{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'x', ...block }]));
    expect(events.map(set)).toEqual([{ ...COMMON, event_id: idOf('call:toolu_1'), result: START * 4 + verdict }]);
  });

  test('a reported duration has the rank of its source above it', () => {
    const reported = (toolUseResult: object) =>
      rowsOf(user([{ type: 'tool_result', tool_use_id: 'toolu_1' }], { toolUseResult })).events[0]
        .ranked_duration as number;
    expect(Math.floor(reported({ durationSeconds: 2 }) / 2 ** 53)).toBeLessThan(
      Math.floor(reported({ durationMs: 1 }) / 2 ** 53),
    );
    expect(Math.floor(reported({ status: 'async_launched', durationMs: 9 }) / 2 ** 53)).toBe(11);
  });

  test('a subagent’s events belong to the session that started it', () => {
    const { records, events } = rowsOf(
      { ...assistant([{ type: 'text', text: 'Hi' }]), isSidechain: true, agentId: 'a1' },
      { attributes: { 23: 'agent-a1', 26: 's_parent', 27: '0c1d' } },
    );
    expect(records).toMatchObject([{ prompt_id: promptId('claude', 'agent-a1'), external_prompt_id: 'agent-a1' }]);
    expect(events).toMatchObject([{ prompt_id: SESSION, external_prompt_id: '0c1d', derived_from: 's_1' }]);
  });

  test.each<[string, object]>([
    ['gemini', { id: 'm1', timestamp: TIME, type: 'user', content: [{ text: 'Explore' }] }],
    [
      'opencode',
      {
        message: { id: 'msg_1', data: '{"role":"user"}' },
        parts: [{ id: 'prt_1', data: '{"type":"text","text":"Explore"}' }],
      },
    ],
    ['codex', { timestamp: TIME, type: 'event_msg', payload: { type: 'user_message', message: 'Explore' } }],
  ])('prompts of a subagent of %s are no human’s, if its client names the session that started it', (tool, record) => {
    const kinds = (attributes: Record<string, unknown>) =>
      rowsOf(record, { tool, attributes }).events.map(({ kind }) => kind);
    expect(kinds({})).toEqual(['HumanMessage']);
    expect(kinds({ 27: 'parent' })).toEqual([]);
    expect(kinds({ 26: 's_parent' })).toEqual([]);
  });

  describe('the outcome of a call with a long result', () => {
    const LONG = 'Ünder "quotes" 🙂\\\n'.repeat(200);
    const gemini = (output: string) => ({
      id: 'm1',
      timestamp: TIME,
      type: 'gemini',
      toolCalls: [
        {
          id: 'call_1',
          name: 'run_shell_command',
          status: 'success',
          timestamp: TIME,
          result: [{ functionResponse: { name: 'run_shell_command', response: { output } } }],
        },
      ],
    });
    const copilot = (content: string) => ({
      type: 'tool.execution_complete',
      timestamp: TIME,
      data: { toolCallId: 'call_1', success: true, result: { content } },
    });
    const codex = (output: unknown) => ({
      timestamp: TIME,
      type: 'response_item',
      payload: { type: 'function_call_output', call_id: 'call_1', output },
    });
    const MARK = 'x'.repeat(600);

    test.each<[string, string, unknown, boolean]>([
      ['its last lines', 'gemini', gemini(`Output: ${LONG}\nExit Code: 3\nProcess Group PGID: 6898`), true],
      ['a success', 'gemini', gemini(`Output: ${LONG}\nProcess Group PGID: 6898`), false],
      ['lines of the output itself', 'gemini', gemini(`Output: Exit Code: 3\nExit Code: 3\n${LONG}`), false],
      ['its only line', 'gemini', gemini(`Exit Code: ${' '.repeat(600)}3`), true],
      [
        'a line before long ones',
        'gemini',
        gemini(`${LONG}\nExit Code: 3\nBackground PIDs: ${'1, '.repeat(400)}`),
        true,
      ],
      ['blank lines at its end', 'gemini', gemini(`${LONG}\nExit Code: 3${'\n'.repeat(600)}`), true],
      ['its mark', 'github-copilot-cli', copilot(`${LONG}<shellId: 0 completed with exit code 1>`), true],
      ['a mark of success', 'github-copilot-cli', copilot(`${LONG}<shellId: 0 completed with exit code 0>`), false],
      ['no mark', 'github-copilot-cli', copilot(`${LONG}exit code 1`), false],
      ['a long mark', 'github-copilot-cli', copilot(`${LONG}<${MARK} exit code 1>`), true],
      ['a mark before blanks', 'github-copilot-cli', copilot(`${LONG}<exit code 1>${' '.repeat(600)}`), true],
      ['its head', 'codex', codex(`Wall time: 2 seconds\nProcess exited with code 1\nOutput:\n${LONG}`), true],
      ['a head of success', 'codex', codex(`Exit code: 0\nOutput:\n${LONG}\nExit code: 1\nOutput:\n`), false],
      ['a long head', 'codex', codex(`Command: ${LONG}\nProcess exited with code 1\nOutput:\nno`), true],
      ['how it begins', 'codex', codex(`exec_command failed: ${LONG}`), true],
      ['JSON', 'codex', codex(JSON.stringify({ output: `\nOutput:${LONG}`, metadata: { exit_code: 1 } })), true],
      ['parts', 'codex', codex([{ text: 'Script failed' }, { text: LONG }]), true],
    ])('%s, of %s', (_, tool, record, isError) => {
      const { events } = rowsOf(record, { tool });
      expect(events.map(({ result }) => result).filter(Boolean)).toEqual([START * 4 + Number(isError)]);
    });
  });

  test('a record is the same one wherever it stands in its upload', () => {
    const long = 'Ünder "quotes"\n'.repeat(60);
    const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: long }] };
    const records = [
      user([result], { toolUseResult: { stdout: long, durationMs: 5 } }),
      assistant([{ type: 'text', text: long }]),
      user(long),
    ];
    const alone = records.flatMap((record, n) => rowsOf(record, { values: { 1: `r${n}` } }).events);
    const events = records.map((record, n) => {
      const attributes = { 0: '1.6.9', 20: 'claude', 23: '0c1d', 24: 's_1' };
      return { t: START / 1000 - 0.25, e: 5, v: { 0: record, 1: `r${n}` }, a: attributes };
    });
    const body = JSON.stringify({ v: 1, events });
    const { tables } = encodeRows(body, { orgId: 'acme', receivedAtMs: RECEIVED, format: 'JSONEachRow' });
    const rows = tables.find(({ table }) => table === 'prompt_event_deliveries')?.rows.toString() ?? '';
    expect(
      rows
        .trim()
        .split('\n')
        .map((row) => JSON.parse(row)),
    ).toEqual(alone);
    expect(alone.map(({ input_hash }) => input_hash)).toEqual([null, inputHash(long), inputHash(long)]);
  });

  test('without the agent’s own session id, attribute 24 is the session', () => {
    const { events } = rowsOf(user('Hello'), { attributes: { 23: null } });
    expect(events).toMatchObject([{ prompt_id: 's_1' }]);
  });

  test('a look back over 7 days makes nothing live', () => {
    const { events } = rowsOf(user('Hello'), { receivedAtMs: RECEIVED + 7 * 86_400_000 });
    expect(events).toMatchObject([{ heard_at: null }]);
  });

  test('an agent that isn’t known: its records are stored, and found by a later version', () => {
    const { records, events } = rowsOf(user('Hello'), { tool: 'windsurf' });
    expect([records.length, records[0].deriver_version, events]).toEqual([1, 0, []]);
  });
});

describe('no file of the server is read', () => {
  test('a skill’s path is the record’s, without time and hash', () => {
    const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-derive-'));
    writeFileSync(join(folder, 'SKILL.md'), 'a skill');
    const { events } = rowsOf(
      user([{ type: 'text', text: `Base directory for this skill: ${folder}\n` }], {
        isMeta: true,
        sourceToolUseID: 'toolu_1',
      }),
    );
    expect(events.map(set)).toMatchObject([
      { event_id: idOf('call:toolu_1'), skill_file_path: join(folder, 'SKILL.md') },
    ]);
    expect(events[0].skill_file_hash).toBe(null);
    expect(events[0].skill_file_mtime).toBe(null);
    rmSync(folder, { recursive: true });
  });

  test.each(['../x', 'relative', '/a/../../etc', '/a\u0007'])('a folder that is no absolute path: %j', (folder) => {
    const { events } = rowsOf(
      user([{ type: 'text', text: `Base directory for this skill: ${folder}\n` }], {
        isMeta: true,
        sourceToolUseID: 'toolu_1',
      }),
    );
    expect(events).toEqual([]);
  });

  test('of another system', () => {
    const { events } = rowsOf(
      user([{ type: 'text', text: 'Base directory for this skill: C:\\Users\\dev\\ship\n' }], {
        isMeta: true,
        sourceToolUseID: 'toolu_1',
      }),
    );
    expect(events).toMatchObject([{ skill_file_path: 'C:\\Users\\dev\\ship\\SKILL.md' }]);
  });
});

describe('hostile records are stored, and derive nothing or little', () => {
  test.each<[string, unknown]>([
    ['a number', 5],
    ['a text', '"x"'],
    ['an array', []],
    ['an array of arrays', `${'['.repeat(120)}${']'.repeat(120)}`],
    ['blocks that are none', assistant([null, 5, 'x', [], {}])],
    [
      'calls without ids',
      assistant([{ type: 'tool_use' }, { type: 'tool_use', id: 'x'.repeat(5000), name: 'n'.repeat(5000) }]),
    ],
    ['results of nothing', user([{ type: 'tool_result' }, { type: 'tool_result', tool_use_id: '' }])],
    ['times of other ages', { ...user('x'), timestamp: '-009999-01-01T00:00:00.000Z' }],
    ['half a surrogate pair', '{"type":"user","message":{"content":"\\ud800"}}'],
    ['the same key often', '{"type":"user","type":"assistant","message":{"content":1},"message":{"content":[]}}'],
    ['many blocks', assistant(Array.from({ length: 20_000 }, () => ({ type: 'text', text: 'a' })))],
  ])('%s', (_, record) => {
    for (const tool of [
      'claude',
      'codex',
      'github-copilot-cli',
      'github-copilot',
      'gemini',
      'qwen',
      'opencode',
      'kimi',
      'droid',
      'pi',
      'cursor',
    ]) {
      const { records, events } = rowsOf(record, { tool });
      expect(records).toHaveLength(1);
      for (const event of events)
        expect(event).toMatchObject({ org_id: 'acme', prompt_id: promptId(tool, '0c1d'), derived: true });
    }
  });
});

test('otel traces are stored as they are', () => {
  const raw = '{"span":{"name":"x"},"attributes":{},"events":[]}';
  const body = `{"v":1,"events":[{"t":1,"e":6,"v":{"0":${raw}},"a":{"20":"github-copilot"}}]}`;
  const { tables } = encodeRows(body, { orgId: 'acme', format: 'JSONEachRow' });
  expect(tables.map(({ table }) => table)).toEqual(['metric_events']);
  expect(JSON.parse(tables[0].rows.toString()).values_json).toBe(`{"0":${raw}}`);
});

test.each<[string, () => unknown]>([
  ['options', () => new SessionSettler(undefined as never)],
  ['options.orgId', () => new SessionSettler({ orgId: '', sessionId: 's', bytes: 1 })],
  ['options.bytes', () => new SessionSettler({ orgId: 'o', sessionId: 's', bytes: -1 })],
  ['options.settled', () => new SessionSettler({ orgId: 'o', sessionId: 's', bytes: 1, settled: {} as never })],
  [
    'options.receivedAtMs',
    () => new SessionSettler({ orgId: 'o', sessionId: 's', bytes: 1 }).read('{}', { receivedAtMs: 1 }),
  ],
])('an argument that is none: %s', (path, call) => {
  expect(thrown(call)).toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining(`${path}: expected `),
  });
});
