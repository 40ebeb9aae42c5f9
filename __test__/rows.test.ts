import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  DERIVER_VERSION,
  encodeMetricsBatch,
  encodePromptEventRows,
  encodeRows,
  joinRows,
  PROMPT_EVENT_COLUMNS,
  parseMetricsBatch,
  promptId,
  ROW_COLUMNS,
  type RowOptions,
  type RowTable,
} from '../index.js';
import { almostBatchText, batchText } from './random';
import { dateTime64, type Row, rowOf, tableOf } from './rows-model';
import { bodyOf, promptBody, thrown } from './support';

const CONTEXT = { orgId: 'acme', receivedAtMs: Date.UTC(2026, 10, 22, 12) };

const lines = (rows: Buffer): Row[] =>
  rows
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const jsonRows = (body: Uint8Array | string, options: Partial<RowOptions> = {}): Row[] =>
  lines(encodePromptEventRows(body, { ...CONTEXT, ...options, format: 'JSONEachRow' }).rows);

/** All rows of an upload, by table. */
function rowsByTable(body: Uint8Array | string, options: Partial<RowOptions> = {}): Partial<Record<RowTable, Row[]>> {
  const { tables } = encodeRows(body, { ...CONTEXT, ...options, format: 'JSONEachRow' });
  return Object.fromEntries(tables.map(({ table, rows }) => [table, lines(rows)]));
}

const onlyRow = (body: Uint8Array | string, options?: Partial<RowOptions>): Row => {
  const rows = jsonRows(body, options);
  expect(rows).toHaveLength(1);
  return rows[0];
};

const FULL_VALUES =
  '"0":"ToolCall","1":"0123456789abcdef:a1b2c3d4e5f6","2":null,"3":false,"4":"Bash","5":"opus","6":true,' +
  '"7":1775587555123,"8":12,"9":34,"10":"00","11":"text","12":"/s","13":1,"14":"ff","15":"signal"';
const FULL_ATTRIBUTES =
  '"0":"1.1.23","1":"url","2":"ann","3":"c","4":"b","5":"main","20":"claude","21":"m","22":"0123456789abcdef",' +
  '"23":"ext","25":"t_1","26":"s_1","27":"ext 1","30":"{}"';

test('a row has every column, under its name and in the order of the columns', () => {
  const row = onlyRow(promptBody(FULL_VALUES, FULL_ATTRIBUTES));
  expect(Object.keys(row)).toEqual([...PROMPT_EVENT_COLUMNS]);
  expect(row).toEqual({
    org_id: 'acme',
    prompt_id: '0123456789abcdef',
    event_id: '0123456789abcdef:a1b2c3d4e5f6',
    event_ts: '2026-04-07 18:45:55.123',
    emitted_at: '1970-01-01 00:00:01',
    received_at: '2026-11-22 12:00:00.000',
    heard_at: null,
    derived: false,
    derived_from: null,
    verdict: null,
    result: null,
    ranked_duration: null,
    settled: null,
    kind: 'ToolCall',
    parent_id: null,
    parent_id_estimated: false,
    tool_call_name: 'Bash',
    model: 'opus',
    error: true,
    start_ts: 1775587555123,
    reported_duration_ms: 12,
    observed_duration_ms: 34,
    input_hash: '00',
    input_text: 'text',
    skill_file_path: '/s',
    skill_file_mtime: 1,
    skill_file_hash: 'ff',
    end_reason: 'signal',
    git_ai_version: '1.1.23',
    repo_url: 'url',
    human_author: 'ann',
    commit_sha: 'c',
    base_commit_sha: 'b',
    branch: 'main',
    tool: 'claude',
    attr_model: 'm',
    external_prompt_id: 'ext',
    trace_id: 't_1',
    parent_session_id: 's_1',
    external_parent_session_id: 'ext 1',
    custom_attributes: '{}',
    named_author: 'ann',
    installation: null,
  });
});

const text = (value: string) => Buffer.from([Buffer.byteLength(value), ...Buffer.from(value)]);

/** The names of a table's columns, before the first row; their count takes two bytes. */
const header = (table: RowTable) => {
  const names = ROW_COLUMNS[table].map(({ name }) => text(name));
  return Buffer.concat([Buffer.from([names.length | 0x80, 0]), ...names]);
};

test('a row in RowBinaryWithNames, byte by byte', () => {
  const { rows, headerLength } = encodePromptEventRows(promptBody('"0":"é","1":"p:1","3":true,"9":258'), {
    orgId: 'o',
    receivedAtMs: 1_700_000_000_000,
    installation: 'i',
  });
  const int64 = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  };
  const NULL = Buffer.from([1]);
  const set = (bytes: Buffer) => Buffer.concat([Buffer.from([0]), bytes]);
  const nulls = (count: number) => Array<Buffer>(count).fill(NULL);
  expect(rows.subarray(0, headerLength)).toEqual(header('prompt_event_deliveries'));
  expect(rows.subarray(headerLength)).toEqual(
    Buffer.concat([
      ...['o', 'p', 'p:1'].map(text),
      ...[int64(Date.UTC(2020)), Buffer.from([1, 0, 0, 0]), int64(1_700_000_000_000), NULL],
      ...[Buffer.from([0]), ...nulls(5)],
      ...[set(text('é')), NULL, set(Buffer.from([1])), ...nulls(5), set(int64(258)), ...nulls(6)],
      ...[...nulls(14), set(text('i'))],
    ]),
  );
});

test('RowBinaryWithNames is the default format, and now the default time', () => {
  const before = Date.now();
  const { rows, headerLength } = encodePromptEventRows(promptBody('"1":"p:1"'), { orgId: 'acme' });
  const after = Date.now();
  const row = rows.subarray(headerLength);
  expect(row.subarray(0, 5).toString()).toBe('\x04acme');
  const received = Number(row.readBigInt64LE(5 + 2 + 4 + 8 + 4));
  expect(received).toBeGreaterThanOrEqual(before);
  expect(received).toBeLessThanOrEqual(after);
});

test('without rows there is still a header, so that the rows can be inserted as they are', () => {
  const { rows, rowCount, headerLength } = encodePromptEventRows(bodyOf(), CONTEXT);
  expect([rows, rowCount, headerLength]).toEqual([header('prompt_event_deliveries'), 0, rows.length]);
  expect(encodeRows(bodyOf(), CONTEXT)).toEqual({ tables: [], errors: [], newestMs: null });
});

test('bytes, views into larger memory and strings give equal rows', () => {
  const body = promptBody('"1":"é:1"');
  const wide = Buffer.from(`  ${body}  `);
  const view = new Uint8Array(wide.buffer, wide.byteOffset + 2, Buffer.byteLength(body));
  const rows = encodePromptEventRows(body, CONTEXT);
  expect(encodePromptEventRows(Buffer.from(body), CONTEXT)).toEqual(rows);
  expect(encodePromptEventRows(view, CONTEXT)).toEqual(rows);
});

describe('the rows are the caller’s own', () => {
  test('later calls of any size don’t change them', () => {
    const sizes = [0, 10, 1000, 100_000, 300_000, 600_000, 2_000_000, 5];
    const results = Array.from({ length: 40 }, (_, n) => {
      const text = n % 7 === 6 ? '' : String.fromCharCode(97 + (n % 26)).repeat(sizes[n % sizes.length]);
      const { rows } = encodePromptEventRows(text === '' ? bodyOf() : promptBody(`"11":"${text}"`), CONTEXT);
      return { rows, text, copy: Buffer.from(rows) };
    });
    for (const { rows, text, copy } of results) {
      expect(rows.equals(copy)).toBe(true);
      expect(rows.includes(text)).toBe(true);
    }
  });

  test('one that is written to changes no other', () => {
    const [first, second] = ['first', 'second'].map((text) =>
      encodePromptEventRows(promptBody(`"11":"${text}"`), CONTEXT),
    );
    const copy = Buffer.from(second.rows);
    first.rows.fill(0xff);
    expect(second.rows).toEqual(copy);
    expect(onlyRow(promptBody('"11":"third"'))).toMatchObject({ input_text: 'third' });
  });

  const SECRET = 'a secret of another org';
  /** An upload of another org, then one of our own in both APIs: the buffers of ours. */
  function ownBuffers(): Buffer[] {
    const body = (text: string) => promptBody(`"1":"p:1","11":"${text}"`);
    encodeRows(body(SECRET), { ...CONTEXT, orgId: 'other' });
    const own = [
      encodePromptEventRows(body('ours'), CONTEXT).rows,
      ...encodeRows(body('ours'), CONTEXT).tables.map(({ rows }) => rows),
      encodeMetricsBatch(parseMetricsBatch(body('ours')).events),
    ];
    encodeRows(body(SECRET), { ...CONTEXT, orgId: 'other' });
    return own;
  }

  test('each has memory of its own, without spare bytes', () => {
    for (const rows of ownBuffers()) expect([rows.byteOffset, rows.buffer.byteLength]).toEqual([0, rows.length]);
  });

  test('a clone carries no bytes of another upload', () => {
    for (const rows of ownBuffers()) {
      const { buffer } = structuredClone(rows);
      expect(buffer.byteLength).toBe(rows.length);
      expect(Buffer.from(buffer).includes(SECRET)).toBe(false);
      const moved = structuredClone(rows.buffer, { transfer: [rows.buffer as ArrayBuffer] });
      expect(moved.byteLength).toBe(buffer.byteLength);
    }
  });

  test('one posted to another thread carries none either', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       parentPort.on('message', ({ buffer }) =>
         parentPort.postMessage({ length: buffer.byteLength, text: Buffer.from(buffer).toString('latin1') }));`,
      { eval: true },
    );
    for (const rows of ownBuffers()) {
      const answer = new Promise<{ length: number; text: string }>((resolve) => worker.once('message', resolve));
      worker.postMessage(rows);
      expect(await answer).toEqual({ length: rows.length, text: rows.toString('latin1') });
      expect(rows.includes(SECRET)).toBe(false);
    }
    await worker.terminate();
  });
});

describe('other events are skipped', () => {
  test('other metrics, known or not', () => {
    const events = [1, 2, 3, 4, 6, 65_535].map((id) => `{"t":1,"e":${id},"v":{"0":"ToolCall"},"a":{}}`);
    expect(encodePromptEventRows(bodyOf(...events), CONTEXT)).toMatchObject({ rowCount: 0, skipped: 6, errors: [] });
  });

  test('session records', () => {
    for (const [values, attributes] of [
      ['"0":{"id":1}'],
      ['"0":[]'],
      ['"0":"text"', '"24":"s_1"'],
      ['', '"24":null'],
    ]) {
      expect(encodePromptEventRows(promptBody(values, attributes), CONTEXT)).toMatchObject({ rowCount: 0, skipped: 1 });
    }
  });

  test('but not a prompt event whose kind is of another wrong type, or missing', () => {
    for (const kind of ['"0":1,', '"0":null,', '"1":{},', '']) {
      expect(onlyRow(promptBody(`${kind}"11":"x"`))).toMatchObject({ kind: null, input_text: 'x' });
    }
  });

  test('nor one whose object was overridden by a later key', () => {
    expect(onlyRow(promptBody('"0":{},"0":"ToolCall"'))).toMatchObject({ kind: 'ToolCall' });
    expect(encodePromptEventRows(promptBody('"0":"ToolCall","0":{}'), CONTEXT).skipped).toBe(1);
  });
});

describe('identity', () => {
  test('an unset prompt_id is the part of event_id before the colon', () => {
    expect(onlyRow(promptBody('"1":"abc:def"')).prompt_id).toBe('abc');
    expect(onlyRow(promptBody('"1":"abc:def"', '"22":null')).prompt_id).toBe('abc');
    expect(onlyRow(promptBody('"1":"abc:def"', '"22":"other"')).prompt_id).toBe('other');
    expect(onlyRow(promptBody('"1":"without a colon"')).prompt_id).toBe('');
    // The session's id may contain colons; the last one precedes the event's own part.
    expect(onlyRow(promptBody('"1":"a:b:c"')).prompt_id).toBe('a:b');
  });

  test('an event without an id gets one of its content', () => {
    const id = (body: string, options?: Partial<RowOptions>) => onlyRow(body, options).event_id;
    const one = id(promptBody('"11":"one"', '"22":"p"'));
    expect(one).toMatch(/^p:[0-9a-f]{12}$/);
    expect(id(promptBody('"1":null,"11":"one"', '"22":"p"'), { receivedAtMs: CONTEXT.receivedAtMs + 1 })).toBe(one);
    expect(id(promptBody('"11":"one","12":null', '"22":"p"'))).toBe(one);
    expect(id(promptBody('"11":"one"', '"5":null,"22":"p","30":null'))).toBe(one);
    // Clients make a new one each time they read a transcript.
    expect(id(promptBody('"11":"one"', '"22":"p","25":"t_1"'))).toBe(one);
    expect(id(promptBody('"11":"one"', '"22":"p"'), { author: 'ann', installation: 'i' })).toBe(one);
    expect(id(promptBody('"11":"two"', '"22":"p"'))).not.toBe(one);
    expect(id(promptBody('"11":"one"', '"22":"q"'))).not.toBe(one);
    expect(id(promptBody('"11":"one"', '"22":"p","5":"main"'))).not.toBe(one);
    expect(onlyRow(promptBody('"11":"one"'))).toMatchObject({ prompt_id: '', event_id: expect.stringMatching(/^:/) });
    // It hashes the JSON, so it doesn't change when a later version knows more fields.
    const hash = createHash('sha256')
      .update(Buffer.from([1, 0, 0, 0]))
      .update('{"11":"one"}{"22":"p"}')
      .digest('hex');
    expect(one).toBe(`p:${hash.slice(0, 12)}`);
  });

  test('an empty id is none: events that have it stay apart', () => {
    const [one, two] = jsonRows(
      bodyOf(...['one', 'two'].map((text) => `{"t":1,"e":5,"v":{"1":"","11":"${text}"},"a":{"22":"p"}}`)),
    );
    expect(one.event_id).toMatch(/^p:[0-9a-f]{12}$/);
    expect(two.event_id).not.toBe(one.event_id);
    expect(onlyRow(promptBody('"1":"s:1"', '"22":""')).prompt_id).toBe('s');
  });
});

describe('event_ts', () => {
  const now = CONTEXT.receivedAtMs;
  const day = 86_400_000;
  test.each([
    ['start_ts', now - 5, now - 5],
    ['2020', Date.UTC(2020), Date.UTC(2020)],
    ['a day ahead', now + day, now + day],
  ])('%s', (_, startTs, filed) => {
    const row = onlyRow(promptBody(`"7":${startTs}`));
    expect(row).toMatchObject({ event_ts: dateTime64(filed), start_ts: startTs });
  });

  describe('t, in seconds, where there is no start_ts, or an absurd one', () => {
    const t = Math.floor(now / 1000) - 3;
    test.each<[string, string, number | null]>([
      ['none', '', null],
      ['null', '"7":null', null],
      ['a negative one', '"7":-1', null],
      ['a text', '"7":"soon"', null],
      ['over 2^53', '"7":9007199254740993', null],
      ['1970', '"7":0', 0],
      ['one in seconds', `"7":${t}`, t],
      ['just before 2020', `"7":${Date.UTC(2020) - 1}`, Date.UTC(2020) - 1],
      ['over a day ahead', `"7":${now + day + 1}`, now + day + 1],
      ['the year 9999', `"7":${Date.UTC(9999)}`, Date.UTC(9999)],
      ['2^53 - 1', `"7":${Number.MAX_SAFE_INTEGER}`, Number.MAX_SAFE_INTEGER],
    ])('%s', (_, values, startTs) => {
      expect(onlyRow(bodyOf(`{"t":${t},"e":5,"v":{${values}},"a":{}}`))).toMatchObject({
        event_ts: dateTime64(t * 1000),
        emitted_at: dateTime64(t * 1000).slice(0, -4),
        start_ts: startTs,
      });
    });
  });

  test.each([
    ['2020', 0, Date.UTC(2020)],
    ['a day after the arrival', 4_294_967_295, now + day],
  ])('%s where t is absurd too', (_, t, filed) => {
    for (const values of ['', '"7":0', `"7":${Number.MAX_SAFE_INTEGER}`]) {
      expect(onlyRow(bodyOf(`{"t":${t},"e":5,"v":{${values}},"a":{}}`)).event_ts).toBe(dateTime64(filed));
    }
  });

  test('2020, even for earlier arrivals', () => {
    expect(onlyRow(promptBody(''), { receivedAtMs: Date.UTC(2001) })).toMatchObject({
      event_ts: '2020-01-01 00:00:00.000',
      received_at: '2001-01-01 00:00:00.000',
    });
  });

  test('days are those of the calendar', () => {
    const arrivals = Array.from({ length: 2750 }, (_, n) => Math.floor(Date.UTC(2001) + n * 39.7 * day));
    for (const receivedAtMs of arrivals) {
      expect(onlyRow(promptBody(''), { receivedAtMs }).received_at).toBe(dateTime64(receivedAtMs));
    }
  });

  test('leap days are where the calendar has them', () => {
    // 2000 and 2024 have one, 2100 has none.
    for (const year of [2000, 2024, 2100]) {
      for (let ms = Date.UTC(year, 1, 27); ms <= Date.UTC(year, 2, 2); ms += day / 2) {
        const seconds = ms / 1000;
        expect(onlyRow(bodyOf(`{"t":${seconds},"e":5,"v":{},"a":{}}`)).emitted_at).toBe(dateTime64(ms).slice(0, -4));
        if (year === 2000) continue;
        expect(onlyRow(promptBody(''), { receivedAtMs: ms + 7 }).received_at).toBe(dateTime64(ms + 7));
      }
    }
  });
});

describe('heard_at is the arrival of an event that was not old then', () => {
  const now = CONTEXT.receivedAtMs;
  const minutes = (n: number) => n * 60_000;
  test.each<[string, { began?: number; recorded: number }, boolean]>([
    ['just recorded', { recorded: now }, true],
    ['recorded 10 minutes before', { recorded: now - minutes(10) }, true],
    ['recorded longer ago', { recorded: now - minutes(10) - 1000 }, false],
    ['begun 10 minutes before', { began: now - minutes(10), recorded: 1000 }, true],
    ['begun longer ago', { began: now - minutes(10) - 1, recorded: 1000 }, false],
    ['begun long ago, recorded again with its result', { began: now - minutes(90), recorded: now }, true],
    ['of a clock that is ahead', { began: Number.MAX_SAFE_INTEGER, recorded: now }, true],
  ])('%s', (_, { began, recorded }, heard) => {
    const values = began === undefined ? '' : `"7":${began}`;
    const body = bodyOf(`{"t":${recorded / 1000},"e":5,"v":{${values}},"a":{}}`);
    expect(onlyRow(body).heard_at).toBe(heard ? dateTime64(now) : null);
    // RowBinaryWithNames: after the ids, three times, and whether it is null.
    const { rows, headerLength } = encodePromptEventRows(body, CONTEXT);
    const { event_id, prompt_id } = onlyRow(body);
    const place = headerLength + 3 + Buffer.byteLength(`acme${prompt_id}${event_id}`) + 20;
    expect(rows[place]).toBe(heard ? 0 : 1);
    if (heard) expect(Number(rows.readBigInt64LE(place + 1))).toBe(now);
  });
});

test('a lone surrogate is one U+FFFD, in text and in a stand-in id', () => {
  const row = onlyRow(promptBody('"11":"a\\ud800b\\udc00","12":"\\ud83d\\ude00"', '"22":"\\ud800"'));
  expect(row).toMatchObject({ input_text: 'a\ufffdb\ufffd', skill_file_path: '😀', prompt_id: '\ufffd' });
  expect(row.event_id).toMatch(/^\ufffd:/);
});

test('attributes are those of each event, however few differ', () => {
  const events = Array.from({ length: 40 }, (_, n) => `{"t":1,"e":5,"v":{"1":"p:${n}"},"a":{"5":"branch ${n % 7}"}}`);
  const rows = jsonRows(bodyOf(...events));
  expect(rows.map(({ event_id, branch }) => [event_id, branch])).toEqual(
    events.map((_, n) => [`p:${n}`, `branch ${n % 7}`]),
  );
});

test('the last of two lists of events counts', () => {
  const event = (text: string) => `{"t":1,"e":5,"v":{"1":"p:1","11":"${text}"},"a":{"5":"${text}"}}`;
  const body = `{"events":[${event('a')},${event('b')},{"t":1,"e":1,"v":{},"a":{}},1],"v":1,"events":[${event('c')}]}`;
  expect(encodePromptEventRows(body, CONTEXT)).toMatchObject({ rowCount: 1, skipped: 0, errors: [] });
  expect(onlyRow(body)).toMatchObject({ input_text: 'c', branch: 'c' });
});

describe('as strict as parsing', () => {
  const outcome = (run: () => unknown) => {
    try {
      return run();
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message };
    }
  };

  test('the same errors for the same bodies, whole or in part', () => {
    fc.assert(
      fc.property(fc.oneof(batchText(8), almostBatchText()), (body) => {
        const parsed = outcome(() => parseMetricsBatch(body).errors);
        expect(outcome(() => encodePromptEventRows(body, CONTEXT).errors)).toEqual(parsed);
      }),
      { numRuns: 500 },
    );
  });

  test('the same limits', () => {
    const body = bodyOf(...Array<string>(3).fill('{"t":1,"e":5,"v":{},"a":{}}'));
    for (const limits of [{ maxEvents: 2 }, { maxBytes: 20 }, { maxEvents: -1 }, { maxBytes: 1.5 }]) {
      const error = thrown(() => encodePromptEventRows(body, { ...CONTEXT, ...limits }));
      expect(error).toEqual(thrown(() => parseMetricsBatch(body, limits)));
    }
    expect(encodePromptEventRows(body, { ...CONTEXT, maxEvents: 3, maxBytes: body.length }).rowCount).toBe(3);
  });

  test('a failed call spoils nothing for the next one', () => {
    thrown(() => encodePromptEventRows(`${promptBody('"11":"left over"')}x`, CONTEXT));
    expect(jsonRows(bodyOf())).toEqual([]);
    expect(onlyRow(promptBody('"11":"next"'))).toMatchObject({ input_text: 'next' });
  });
});

describe('arguments', () => {
  test.each<[string, unknown, string]>([
    ['no options', undefined, 'options'],
    ['null for options', null, 'options'],
    ['no orgId', {}, 'options.orgId'],
    ['an empty orgId', { orgId: '' }, 'options.orgId'],
    ['a number for orgId', { orgId: 7 }, 'options.orgId'],
    ['an unknown option', { ...CONTEXT, orgID: 'x' }, 'options.orgID'],
    ['another format', { ...CONTEXT, format: 'RowBinary' }, 'options.format'],
    ['a number for an author', { ...CONTEXT, author: 7 }, 'options.author'],
    ['null for an installation', { ...CONTEXT, installation: null }, 'options.installation'],
    ['seconds for a time', { ...CONTEXT, receivedAtMs: 1_775_587_555 }, 'options.receivedAtMs'],
    ['a time before 2001', { ...CONTEXT, receivedAtMs: Date.UTC(2001) - 1 }, 'options.receivedAtMs'],
    ['null for a format', { ...CONTEXT, format: null }, 'options.format'],
    ['a negative time', { ...CONTEXT, receivedAtMs: -1 }, 'options.receivedAtMs'],
    ['half a millisecond', { ...CONTEXT, receivedAtMs: 0.5 }, 'options.receivedAtMs'],
    ['NaN', { ...CONTEXT, receivedAtMs: Number.NaN }, 'options.receivedAtMs'],
    ['a Date', { ...CONTEXT, receivedAtMs: new Date() }, 'options.receivedAtMs'],
    ['the year 2300', { ...CONTEXT, receivedAtMs: Date.UTC(2300) }, 'options.receivedAtMs'],
  ])('%s', (_, options, place) => {
    for (const encode of [encodePromptEventRows, encodeRows]) {
      const error = thrown(() => encode(promptBody(''), options as RowOptions));
      expect(error.code).toBe('ERR_INVALID_ARGUMENT');
      expect(error.message).toMatch(new RegExp(`^${place.replace('.', '\\.')}: expected `));
    }
  });

  test('a body that is neither bytes nor a string', () => {
    for (const body of [null, 1, [], {}, new ArrayBuffer(4), new DataView(new ArrayBuffer(4))]) {
      expect(thrown(() => encodePromptEventRows(body as unknown as string, CONTEXT)).code).toBe('ERR_INVALID_ARGUMENT');
    }
  });
});

test('the columns cannot be changed', () => {
  for (const list of [PROMPT_EVENT_COLUMNS, ...Object.values(ROW_COLUMNS)]) {
    expect(() => (list as unknown[]).push('x')).toThrow(TypeError);
  }
  expect(PROMPT_EVENT_COLUMNS).toEqual(ROW_COLUMNS.prompt_event_deliveries.map(({ name }) => name));
});

describe('author and installation of the request', () => {
  const REQUEST = { author: 'Dev Ün <d@x>', installation: 'c0ffee' };
  const event = (id: number, attributes: string) => bodyOf(`{"t":1,"e":${id},"v":{"0":{}},"a":{${attributes}}}`);
  const prompt = (attributes: string) => promptBody('"1":"p:1"', attributes);

  test('stand in for an author that no event names', () => {
    for (const attributes of ['', '"2":null', '"2":""', '"2":7']) {
      for (const body of [prompt(attributes), event(5, attributes), event(1, attributes)]) {
        const [[row]] = Object.values(rowsByTable(body, REQUEST));
        expect(row).toMatchObject({ human_author: 'Dev Ün <d@x>', installation: 'c0ffee' });
        expect(row.named_author ?? null).toBeNull();
      }
    }
  });

  test('leave an author that the event names, also that of a recovered checkpoint', () => {
    for (const body of [prompt('"2":"Ann"'), event(5, '"2":"Ann"')]) {
      const [[row]] = Object.values(rowsByTable(body, REQUEST));
      expect(row).toMatchObject({ human_author: 'Ann', named_author: 'Ann' });
    }
    const [row] = rowsByTable(event(4, '"2":"s_1::t_2"'), REQUEST).metric_events as Row[];
    expect(row).toMatchObject({ human_author: 's_1::t_2', attributes_json: '{"2":"s_1::t_2"}' });
  });

  test('may be missing: then there is none', () => {
    for (const options of [{}, { author: '', installation: '' }, { author: undefined, installation: undefined }]) {
      expect(onlyRow(prompt(''), options)).toMatchObject({ human_author: null, installation: null });
    }
  });
});

describe('custom attributes are stored in one form', () => {
  const stored = (map: string) => onlyRow(promptBody('"1":"p:1"', `"30":${JSON.stringify(map)}`)).custom_attributes;
  test.each([
    ['sorted', '{"b":"2","a":"1"}', '{"a":"1","b":"2"}'],
    ['without white space', ' { "a" : "1" }\n', '{"a":"1"}'],
    ['without needless escapes', '{"\\u0061":"\\/\\u00e9"}', '{"a":"/é"}'],
    ['with the last of equal keys', '{"a":"1","b":"x","a":"2"}', '{"a":"2","b":"x"}'],
    ['empty', '{ }', '{}'],
    [
      'by code point',
      '{"\u{10000}":"","\uffff":"","é":"","Z":"","":""}',
      '{"":"","Z":"","é":"","\uffff":"","\u{10000}":""}',
    ],
    [
      'with values that are no strings as they are',
      '{"b":1.0,"a":{"d":[ 1 ],"c":2}}',
      '{"a":{"d":[ 1 ],"c":2},"b":1.0}',
    ],
    ['with escapes of lone surrogates', '{"b":"\\ud800","a":""}', '{"a":"","b":"\\ud800"}'],
  ])('%s', (_, map, expected) => {
    expect(stored(map)).toBe(expected);
  });

  test.each(['', 'no JSON', '{"b":1,"a"', '["b","a"]', '"text"', 'null', '{"b":"1"} {}'])(
    '%j stays as it is',
    (map) => {
      expect(stored(map)).toBe(map);
    },
  );

  test('in every table, and in an event’s identity', () => {
    const maps = ['{"b":"2","a":"1"}', '{"a":"1","b":"2"}'].map((map) => `"30":${JSON.stringify(map)}`);
    for (const [id, values] of [
      [5, ''],
      [5, '"0":{}'],
      [1, '"0":1'],
    ] as const) {
      const [one, other] = maps.map((map) => rowsByTable(bodyOf(`{"t":1,"e":${id},"v":{${values}},"a":{${map}}}`)));
      expect(one).toEqual(other);
    }
  });
});

describe('every event that decodes has a row', () => {
  test('in the table of its metric', () => {
    const event = (id: number, values = '', attributes = '') => `{"t":1,"e":${id},"v":{${values}},"a":{${attributes}}}`;
    const body = bodyOf(
      event(5, '"0":"ToolCall","1":"p:1"'),
      event(5, '"0":{"type":"user"},"1":"r1"', '"24":"s_1"'),
      ...[1, 2, 3, 4, 6, 7, 8, 9, 0, 65_535].map((id) => event(id)),
      '{"t":-1,"e":5,"v":{},"a":{}}',
    );
    const { tables, errors } = encodeRows(body, CONTEXT);
    expect(tables.map(({ table, rowCount }) => [table, rowCount])).toEqual([
      ['prompt_event_deliveries', 1],
      ['session_records', 1],
      ['metric_events', 10],
    ]);
    expect(errors).toMatchObject([{ index: 12, code: 'ERR_OUT_OF_RANGE' }]);
    for (const { table, rows, headerLength } of tables) {
      expect([rows.subarray(0, headerLength), rows.byteOffset, rows.buffer.byteLength]).toEqual([
        header(table),
        0,
        rows.length,
      ]);
    }
    const metrics = rowsByTable(body).metric_events?.map(({ metric_id, metric }) => [metric_id, metric]);
    expect(metrics).toEqual([
      [1, 'committed'],
      [2, 'agent_usage'],
      [3, 'install_hooks'],
      [4, 'checkpoint'],
      [6, 'otel_trace'],
      [7, 'rewrite_committed'],
      [8, 'daemon_ingest_anomaly'],
      ...[9, 0, 65_535].map((id) => [id, 'unknown']),
    ]);
  });

  const RAW = '{ "type":"user","n":1.0,"big":9007199254740993,"e":"\\u00e9\\ud800","nested":{"b":1,"a":[ ]} }';
  const record = (values: string, attributes: string, options: Partial<RowOptions> = {}): Row => {
    const rows = rowsByTable(bodyOf(`{"t":1795348700,"e":5,"v":{${values}},"a":{${attributes}}}`), options);
    expect(Object.keys(rows)).toEqual(['session_records']);
    return (rows.session_records as Row[])[0];
  };

  test('a session record has every column, its JSON byte for byte', () => {
    const row = record(
      `"0":${RAW},"1":"r1","2":"r0","3":"toolu_1"`,
      '"0":"1.6.9","1":"url","3":"c","4":"b","5":"main","20":"claude","21":"opus","23":"0c1d","24":"s_a386ade188cc40",' +
        '"25":"t_1","26":"s_parent","27":"parent","30":"{}"',
      { author: 'ann', installation: 'i', receivedAtMs: 1_795_348_701_000 },
    );
    expect(Object.keys(row)).toEqual(ROW_COLUMNS.session_records.map(({ name }) => name));
    expect(row).toEqual({
      org_id: 'acme',
      session_id: 's_a386ade188cc40',
      record_key: 'r1',
      prompt_id: 'a386ade188cc4043',
      event_ts: '2026-11-22 11:58:20.000',
      emitted_at: '2026-11-22 11:58:20',
      received_at: '2026-11-22 11:58:21.000',
      heard_at: '2026-11-22 11:58:21.000',
      deriver_version: DERIVER_VERSION,
      raw_json: RAW,
      external_event_id: 'r1',
      external_parent_event_id: 'r0',
      external_tool_use_id: 'toolu_1',
      git_ai_version: '1.6.9',
      repo_url: 'url',
      human_author: 'ann',
      commit_sha: 'c',
      base_commit_sha: 'b',
      branch: 'main',
      tool: 'claude',
      attr_model: 'opus',
      external_prompt_id: '0c1d',
      trace_id: 't_1',
      parent_session_id: 's_parent',
      external_parent_session_id: 'parent',
      custom_attributes: '{}',
      named_author: null,
      installation: 'i',
    });
  });

  test('a record’s session, from either of its ids', () => {
    const ids = (attributes: string) => {
      const { session_id, prompt_id } = record('"0":{}', attributes);
      return [session_id, prompt_id];
    };
    const hashed = promptId('claude', '0c1d');
    expect(ids('"20":"claude","23":"0c1d","24":"s_sent"')).toEqual(['s_sent', hashed]);
    expect(ids('"20":"claude","23":"0c1d"')).toEqual([`s_${hashed.slice(0, 14)}`, hashed]);
    expect(ids('"20":"claude","23":"0c1d","24":""')).toEqual([`s_${hashed.slice(0, 14)}`, hashed]);
    expect(ids('"20":"claude","24":"s_sent"')).toEqual(['s_sent', 's_sent']);
    expect(ids('"23":"0c1d","24":"s_sent"')).toEqual(['s_sent', 's_sent']);
    expect(ids('"22":"0123456789abcdef"')).toEqual(['s_0123456789abcd', '0123456789abcdef']);
    expect(ids('')).toEqual(['', '']);
  });

  test('a record without an id has a key of its time and its JSON', () => {
    const key = (values: string, attributes = '"24":"s_1"') => record(values, attributes).record_key;
    const hash = createHash('sha256').update(RAW).digest('hex').slice(0, 16);
    expect(key(`"0":${RAW}`)).toBe(`1795348700:${hash}`);
    expect(key(`"0":${RAW},"1":""`)).toBe(`1795348700:${hash}`);
    expect(key(`"0":${RAW}`, '"24":"s_1","25":"t_2"')).toBe(`1795348700:${hash}`);
    expect(key(`"0":${RAW} `)).toBe(`1795348700:${hash}`);
    expect(key('"0":{}')).not.toBe(`1795348700:${hash}`);
    expect(key('"3":"a"')).not.toBe(key('"3":"b"'));
    expect(key(`"0":${RAW},"1":"r1"`)).toBe('r1');
  });

  test('a metric event keeps everything, and its key is a hash of it', () => {
    const row = (t: number, id: number, values: string, attributes: string): Row =>
      (rowsByTable(bodyOf(`{"t":${t},"e":${id},"v":{${values}},"a":{${attributes}}}`)).metric_events as Row[])[0];
    const one = row(7, 6, `"0":${RAW},"99":[ 1 ],"1":"x"`, '"40":{},"0":"1"');
    expect(Object.keys(one)).toEqual(ROW_COLUMNS.metric_events.map(({ name }) => name));
    expect(one).toMatchObject({
      metric_id: 6,
      metric: 'otel_trace',
      emitted_at: '1970-01-01 00:00:07',
      event_ts: '2020-01-01 00:00:00.000',
      values_json: `{"0":${RAW},"1":"x","99":[ 1 ]}`,
      attributes_json: '{"0":"1","40":{}}',
    });
    expect(one.event_key).toMatch(/^[0-9a-f]{16}$/);
    // The same event, written differently or read again.
    expect(row(7, 6, `"1":"\\u0078","0":${RAW},"99":[ 1 ]`, '"0":"1","25":"t_1","40":{}').event_key).toBe(
      one.event_key,
    );
    const others = [
      row(8, 6, `"0":${RAW},"1":"x","99":[ 1 ]`, '"0":"1","40":{}'),
      row(7, 7, `"0":${RAW},"1":"x","99":[ 1 ]`, '"0":"1","40":{}'),
      row(7, 6, `"0":${RAW},"1":"y","99":[ 1 ]`, '"0":"1","40":{}'),
      row(7, 6, `"0":${RAW},"1":"x","99":[ 1 ]`, '"0":"2","40":{}'),
    ];
    expect(new Set([one, ...others].map(({ event_key }) => event_key)).size).toBe(5);
  });
});

describe('joinRows', () => {
  const rows = (text: string, options: Partial<RowOptions> = {}) =>
    encodePromptEventRows(promptBody(`"1":"p:1","11":"${text}"`), { ...CONTEXT, ...options });

  test('puts rows of several uploads under one header', () => {
    const [one, two, none] = [rows('one'), rows('two'), encodePromptEventRows(bodyOf(), CONTEXT)];
    const joined = joinRows([one, none, two]);
    expect(joined).toEqual(Buffer.concat([one.rows, two.rows.subarray(two.headerLength)]));
    expect(joinRows([none, two])).toEqual(two.rows);
    const json = ['one', 'two'].map((text) => rows(text, { format: 'JSONEachRow' }));
    expect(lines(joinRows(json)).map(({ input_text }) => input_text)).toEqual(['one', 'two']);
    expect(joinRows([])).toEqual(Buffer.alloc(0));
  });

  test('has memory of its own, which a clone carries no other rows in', () => {
    const joined = joinRows([rows('secret of one'), rows('more of one')]);
    joinRows([rows('secret of another')]);
    expect(joined.buffer.byteLength).toBe(joined.length);
    expect(Buffer.from(structuredClone(joined).buffer).includes('another')).toBe(false);
  });

  test('refuses parts of different tables or formats', () => {
    const [binary, json] = [rows('one'), rows('one', { format: 'JSONEachRow' })];
    const [records] = encodeRows(bodyOf('{"t":1,"e":5,"v":{"0":{}},"a":{}}'), CONTEXT).tables;
    for (const [parts, place] of [
      [[binary, json], 'parts[1].rows'],
      [[json, binary], 'parts[1].rows'],
      [[binary, records], 'parts[1].table'],
      [
        [json, encodeRows(bodyOf('{"t":1,"e":2,"v":{},"a":{}}'), { ...CONTEXT, format: 'JSONEachRow' }).tables[0]],
        'parts[1].table',
      ],
      [[binary, { ...binary, headerLength: -1 }], 'parts[1].headerLength'],
      [[binary, { ...binary, rows: Buffer.alloc(1), headerLength: 2 }], 'parts[1].headerLength'],
      [[binary, { ...binary, rows: 7 }], 'parts[1].rows'],
      [[null], 'parts[0]'],
      [binary, 'parts'],
    ] as const) {
      const error = thrown(() => joinRows(parts as never));
      expect([error.code, error.message.split(':')[0]]).toEqual(['ERR_INVALID_ARGUMENT', place]);
    }
  });
});

test('any upload: rows equal parsing and a plain mapping, in each table', () => {
  fc.assert(
    fc.property(batchText(8), fc.boolean(), (body, named) => {
      const context = named ? { ...CONTEXT, author: 'Ünal', installation: 'i 1' } : CONTEXT;
      const { events } = parseMetricsBatch(body);
      const expected: Partial<Record<RowTable, Row[]>> = {};
      for (const event of events) {
        const table = tableOf(event);
        expected[table] = [...(expected[table] ?? []), rowOf(event, context)];
      }
      expect(rowsByTable(body, context)).toEqual(expected);
      const prompts = expected.prompt_event_deliveries ?? [];
      const alone = encodePromptEventRows(body, { ...context, format: 'JSONEachRow' });
      expect([alone.rowCount, alone.skipped]).toEqual([prompts.length, events.length - prompts.length]);
      expect(lines(alone.rows)).toEqual(prompts);
    }),
    { numRuns: 500 },
  );
});
