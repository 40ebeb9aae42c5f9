import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { encodePromptEventRows, PROMPT_EVENT_COLUMNS, parseMetricsBatch, type RowOptions } from '../index.js';
import { almostBatchText, batchText } from './random';
import { dateTime64, isPromptEvent, type Row, rowOf } from './rows-model';
import { bodyOf, promptBody, thrown } from './support';

const CONTEXT = { orgId: 'acme', receivedAtMs: Date.UTC(2026, 10, 22, 12) };

const jsonRows = (body: Uint8Array | string, options: Partial<RowOptions> = {}): Row[] =>
  encodePromptEventRows(body, { ...CONTEXT, ...options, format: 'JSONEachRow' })
    .rows.toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

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
  '"23":"ext","25":"t","26":"p","27":"e","30":"{}"';

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
    session_id: null,
    trace_id: 't',
    parent_session_id: 'p',
    external_parent_session_id: 'e',
    custom_attributes: '{}',
  });
});

test('a row in RowBinary, byte by byte', () => {
  const { rows } = encodePromptEventRows(promptBody('"0":"é","1":"p:1","3":true,"9":258'), {
    orgId: 'o',
    receivedAtMs: 1_700_000_000_000,
  });
  const text = (value: string) => Buffer.from([Buffer.byteLength(value), ...Buffer.from(value)]);
  const int64 = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  };
  const NULL = Buffer.from([1]);
  const set = (bytes: Buffer) => Buffer.concat([Buffer.from([0]), bytes]);
  const nulls = (count: number) => Array<Buffer>(count).fill(NULL);
  expect(rows).toEqual(
    Buffer.concat([
      ...['o', 'p', 'p:1'].map(text),
      ...[int64(Date.UTC(2020)), Buffer.from([1, 0, 0, 0]), int64(1_700_000_000_000), NULL],
      ...[set(text('é')), NULL, set(Buffer.from([1])), ...nulls(5), set(int64(258)), ...nulls(6), ...nulls(14)],
    ]),
  );
});

test('RowBinary is the default format, and now the default time', () => {
  const before = Date.now();
  const { rows } = encodePromptEventRows(promptBody('"1":"p:1"'), { orgId: 'acme' });
  const after = Date.now();
  expect(rows.subarray(0, 5).toString()).toBe('\x04acme');
  const received = Number(rows.readBigInt64LE(5 + 2 + 4 + 8 + 4));
  expect(received).toBeGreaterThanOrEqual(before);
  expect(received).toBeLessThanOrEqual(after);
});

test('bytes, views into larger memory and strings are taken alike', () => {
  const body = promptBody('"1":"é:1"');
  const wide = Buffer.from(`  ${body}  `);
  const view = new Uint8Array(wide.buffer, wide.byteOffset + 2, Buffer.byteLength(body));
  const rows = encodePromptEventRows(body, CONTEXT);
  expect(encodePromptEventRows(Buffer.from(body), CONTEXT)).toEqual(rows);
  expect(encodePromptEventRows(view, CONTEXT)).toEqual(rows);
});

describe('the rows are the caller’s own', () => {
  test('a later call changes nothing in them, whatever the sizes', () => {
    const sizes = [0, 10, 1000, 100_000, 300_000, 600_000, 2_000_000, 5];
    const results = Array.from({ length: 40 }, (_, n) => {
      const text = String.fromCharCode(97 + (n % 26)).repeat(sizes[n % sizes.length]);
      const { rows } = encodePromptEventRows(n % 7 === 6 ? bodyOf() : promptBody(`"11":"${text}"`), CONTEXT);
      return { rows, text, copy: Buffer.from(rows) };
    });
    for (const { rows, text, copy } of results) {
      expect(rows.equals(copy)).toBe(true);
      expect(rows.length === 0 || rows.includes(text)).toBe(true);
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

  test('a transfer of one takes no other along', () => {
    const [first, second] = ['first', 'second'].map((text) =>
      encodePromptEventRows(promptBody(`"11":"${text}"`), CONTEXT),
    );
    const copy = Buffer.from(second.rows);
    // Node 20 clones what may not be transferred, later versions throw.
    try {
      structuredClone(first.rows.buffer, { transfer: [first.rows.buffer as ArrayBuffer] });
    } catch (error) {
      expect((error as Error).name).toBe('DataCloneError');
    }
    expect(second.rows.equals(copy)).toBe(true);
    expect(onlyRow(promptBody('"11":"third"'))).toMatchObject({ input_text: 'third' });
  });
});

describe('what is no prompt event is skipped', () => {
  test('other metrics, known or not', () => {
    const events = [1, 2, 3, 4, 6, 65_535].map((id) => `{"t":1,"e":${id},"v":{"0":"ToolCall"},"a":{}}`);
    expect(encodePromptEventRows(bodyOf(...events), CONTEXT)).toMatchObject({ rowCount: 0, skipped: 6, errors: [] });
  });

  test('the early shape of event 5, whose position 0 is an object', () => {
    expect(encodePromptEventRows(promptBody('"0":{"id":1},"1":"p:1"'), CONTEXT)).toMatchObject({
      rowCount: 0,
      skipped: 1,
    });
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
  test('prompt_id, where it is not set, is what stands before the colon of event_id', () => {
    expect(onlyRow(promptBody('"1":"abc:def"')).prompt_id).toBe('abc');
    expect(onlyRow(promptBody('"1":"abc:def"', '"22":null')).prompt_id).toBe('abc');
    expect(onlyRow(promptBody('"1":"abc:def"', '"22":"other"')).prompt_id).toBe('other');
    expect(onlyRow(promptBody('"1":"without a colon"')).prompt_id).toBe('');
  });

  test('an event without an id gets one of its content', () => {
    const id = (body: string, options?: Partial<RowOptions>) => onlyRow(body, options).event_id;
    const one = id(promptBody('"11":"one"', '"22":"p"'));
    expect(one).toMatch(/^p:[0-9a-f]{12}$/);
    expect(id(promptBody('"1":null,"11":"one"', '"22":"p"'), { receivedAtMs: 1 })).toBe(one);
    expect(id(promptBody('"11":"two"', '"22":"p"'))).not.toBe(one);
    expect(id(promptBody('"11":"one"', '"22":"q"'))).not.toBe(one);
    expect(id(promptBody('"11":"one"', '"22":"p","5":"main"'))).not.toBe(one);
    expect(onlyRow(promptBody('"11":"one"'))).toMatchObject({ prompt_id: '', event_id: expect.stringMatching(/^:/) });
    // Of what stands on the wire, so that it stays the same when a later version names more of it.
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
    ['1970', 0, Date.UTC(2020)],
    ['just before 2020', Date.UTC(2020) - 1, Date.UTC(2020)],
    ['2020', Date.UTC(2020), Date.UTC(2020)],
    ['a day ahead', now + day, now + day],
    ['over a day ahead', now + day + 1, now + day],
    ['the year 9999', Date.UTC(9999), now + day],
    ['2^53 - 1', Number.MAX_SAFE_INTEGER, now + day],
  ])('%s', (_, startTs, filed) => {
    const row = onlyRow(promptBody(`"7":${startTs}`));
    expect(row).toMatchObject({ event_ts: dateTime64(filed), start_ts: startTs });
  });

  test('t, in seconds, where there is no start_ts', () => {
    const t = Math.floor(now / 1000);
    for (const values of ['', '"7":null', '"7":-1', '"7":"soon"', '"7":9007199254740993']) {
      expect(onlyRow(bodyOf(`{"t":${t},"e":5,"v":{${values}},"a":{}}`))).toMatchObject({
        event_ts: dateTime64(t * 1000),
        emitted_at: dateTime64(t * 1000).slice(0, -4),
        start_ts: null,
      });
    }
  });

  test('2020 also for what arrived before', () => {
    expect(onlyRow(promptBody(''), { receivedAtMs: 0 })).toMatchObject({
      event_ts: '2020-01-01 00:00:00.000',
      received_at: '1970-01-01 00:00:00.000',
    });
  });

  test('days are those of the calendar', () => {
    for (let ms = 0; ms < Date.UTC(2299, 11, 30); ms += 39.7 * day) {
      const receivedAtMs = Math.floor(ms);
      expect(onlyRow(promptBody(''), { receivedAtMs }).received_at).toBe(dateTime64(receivedAtMs));
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
    // RowBinary: after the ids, three times, and whether it is null.
    const { rows } = encodePromptEventRows(body, CONTEXT);
    const { event_id, prompt_id } = onlyRow(body);
    const place = 3 + Buffer.byteLength(`acme${prompt_id}${event_id}`) + 20;
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

test('of two lists of events the last one counts', () => {
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
    ['another format', { ...CONTEXT, format: 'rowbinary' }, 'options.format'],
    ['null for a format', { ...CONTEXT, format: null }, 'options.format'],
    ['a negative time', { ...CONTEXT, receivedAtMs: -1 }, 'options.receivedAtMs'],
    ['half a millisecond', { ...CONTEXT, receivedAtMs: 0.5 }, 'options.receivedAtMs'],
    ['NaN', { ...CONTEXT, receivedAtMs: Number.NaN }, 'options.receivedAtMs'],
    ['a Date', { ...CONTEXT, receivedAtMs: new Date() }, 'options.receivedAtMs'],
    ['the year 2300', { ...CONTEXT, receivedAtMs: Date.UTC(2300) }, 'options.receivedAtMs'],
  ])('%s', (_, options, place) => {
    const error = thrown(() => encodePromptEventRows(promptBody(''), options as RowOptions));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    expect(error.message).toMatch(new RegExp(`^${place.replace('.', '\\.')}: expected `));
  });

  test('a body that is neither bytes nor a string', () => {
    for (const body of [null, 1, [], {}, new ArrayBuffer(4), new DataView(new ArrayBuffer(4))]) {
      expect(thrown(() => encodePromptEventRows(body as unknown as string, CONTEXT)).code).toBe('ERR_INVALID_ARGUMENT');
    }
  });
});

test('the columns cannot be changed', () => {
  expect(() => (PROMPT_EVENT_COLUMNS as string[]).push('x')).toThrow(TypeError);
});

test('any upload: rows are what parsing and a plain mapping give', () => {
  fc.assert(
    fc.property(batchText(8), (body) => {
      const { events } = parseMetricsBatch(body);
      const prompts = events.filter(isPromptEvent);
      const result = encodePromptEventRows(body, { ...CONTEXT, format: 'JSONEachRow' });
      expect([result.rowCount, result.skipped]).toEqual([prompts.length, events.length - prompts.length]);
      const rows = jsonRows(body);
      const expected = prompts.map((event, n) => {
        const row = rowOf(event, CONTEXT);
        // Of an event without an id only the form is told here.
        if (row.event_id === null) {
          row.prompt_id ??= '';
          expect(rows[n].event_id).toBe(`${row.prompt_id}${String(rows[n].event_id).slice(-13)}`);
          row.event_id = rows[n].event_id;
        }
        return row;
      });
      expect(rows).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
