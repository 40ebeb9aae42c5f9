import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { encodeMetricsBatch, encodePromptEventRows, type PromptEvent, parseMetricsBatch } from '../index.js';
import { METRICS } from './model';
import { batchText, NUMBER_TEXTS } from './random';
import { bodyOf, decoded, each, expectAsModelled, inChild, modelled, onlyEvent, promptBody, thrown } from './support';

const CODES = [
  'ERR_INVALID_JSON',
  'ERR_INVALID_BATCH',
  'ERR_UNSUPPORTED_VERSION',
  'ERR_TOO_MANY_EVENTS',
  'ERR_BODY_TOO_LARGE',
];

/** Fails unless the body survives decoding and encoding. */
const expectSameAgain = (body: string) => {
  expect(encodeMetricsBatch(parseMetricsBatch(body).events).toString()).toBe(body);
};

describe('keys that could hurt', () => {
  test.each(
    each('__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'toJSON', 'then', 'length'),
  )('%s is just an unknown position', (key) => {
    for (const json of ['1', 'null', '{"polluted":true}', '"x"', '[]']) {
      const body = promptBody(`"0":"x","${key}":${json}`, `"${key}":${json}`);
      const event = onlyEvent(body);
      expect(Object.keys(event.values)).toEqual(['kind']);
      expect(Object.keys(event.attributes)).toEqual([]);
      expect(Object.getPrototypeOf(event.values)).toBe(Object.prototype);
      expect(event.unknown).toEqual([
        { section: 'values', position: key, json },
        { section: 'attributes', position: key, json },
      ]);
      expectSameAgain(body);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('__proto__ in the envelopes is nothing', () => {
    const body =
      '{"__proto__":{"v":2},"v":1,"events":[{"__proto__":{"t":9},"t":1,"e":2,"v":{},"a":{}},{"__proto__":{"t":1,"e":2,"v":{},"a":{}}}]}';
    const batch = parseMetricsBatch(body);
    expect(batch.events).toEqual([{ metric: 'agent_usage', timestamp: 1, values: {}, attributes: {} }]);
    expect(batch.errors).toMatchObject([{ index: 1, code: 'ERR_MISSING_KEY' }]);
  });

  test('names of our own are positions like any other', () => {
    const body = promptBody('"kind":1,"unknown":2,"metric":3', '"gitAiVersion":4,"section":5');
    expect(onlyEvent(body)).toMatchObject({ metric: 'prompt_event', values: {}, attributes: {} });
    expectSameAgain(body);
  });

  test.each([
    ['007', '007'],
    ['00', '00'],
    ['01', '01'],
    ['a space before', ' 7'],
    ['a space after', '7 '],
    ['a plus', '+7'],
    ['a minus', '-7'],
    ['minus zero', '-0'],
    ['a fraction', '7.0'],
    ['an exponent', '7e0'],
    ['hexadecimal', '0x7'],
    ['an underscore', '1_0'],
    ['an empty key', ''],
    ['a NUL', '\0'],
    ['a NUL after a position', '7\0'],
    ['a NUL before a position', '\x007'],
    ['a line feed after a position', '7\n'],
    ['digits of another script', '٧'],
    ['full-width digits', '７'],
    ['a BOM before', '\ufeff7'],
    ['2^8 more than a position', '263'],
    ['2^16 more than a position', '65543'],
    ['2^32 more than a position', '4294967303'],
    ['2^64 more than a position', '18446744073709551623'],
    ['a very long number', `1${'0'.repeat(10_000)}`],
  ])('a position that is none: %s', (_, key) => {
    const body = promptBody(`${JSON.stringify(key)}:7`, `${JSON.stringify(key)}:"x"`);
    const event = onlyEvent(body);
    expect(event.values).toEqual({});
    expect(event.attributes).toEqual({});
    expect(event.unknown).toEqual([
      { section: 'values', position: key, json: '7' },
      { section: 'attributes', position: key, json: '"x"' },
    ]);
    expectAsModelled(encodeMetricsBatch(parseMetricsBatch(body).events));
    expect(parseMetricsBatch(encodeMetricsBatch(parseMetricsBatch(body).events)).events).toEqual([event]);
  });

  test('a key of a megabyte', () => {
    const key = 'é'.repeat(500_000);
    expect(onlyEvent(promptBody(`"${key}":1`)).unknown).toEqual([{ section: 'values', position: key, json: '1' }]);
  });

  test('as many unknown positions as there may be', () => {
    const positions = Array.from({ length: 1_024 }, (_, index) => String(1_024 - index + 99));
    const body = promptBody(positions.map((position) => `"${position}":${position}`).join());
    expect(onlyEvent(body).unknown).toEqual(
      positions.map((position) => ({ section: 'values', position, json: position })),
    );
    expectSameAgain(body);
  });

  test('nothing is read from a polluted prototype', () => {
    const found = inChild(`
      Object.prototype.kind = 'forged';
      Object.prototype['0'] = 'forged';
      const { events } = api.parseMetricsBatch('{"v":1,"events":[{"t":1,"e":5,"v":{"5":"x"},"a":{}}]}');
      answer([Object.keys(events[0].values), Object.keys(events[0]).sort()]);
    `);
    expect(found).toEqual([['model'], ['attributes', 'metric', 'timestamp', 'values']]);
  });
});

describe('the last of duplicate keys wins', () => {
  test.each([
    ['a good version last', '{"v":2,"v":1,"events":[]}', undefined],
    ['a bad version last', '{"v":1,"v":2,"events":[]}', 'ERR_UNSUPPORTED_VERSION'],
    ['a version that is no number last', '{"v":1,"v":"1","events":[]}', 'ERR_INVALID_BATCH'],
    ['events that are a list last', '{"v":1,"events":5,"events":[]}', undefined],
    ['events that are no list last', '{"v":1,"events":[],"events":5}', 'ERR_INVALID_BATCH'],
    ['written with escapes', '{"v":2,"\\u0076":1,"events":5,"event\\u0073":[]}', undefined],
    ['written with escapes, the other way round', '{"\\u0076":1,"v":2,"events":[]}', 'ERR_UNSUPPORTED_VERSION'],
  ])('of the batch: %s', (_, body, code) => {
    if (code === undefined) expect(parseMetricsBatch(body)).toEqual({ version: 1, events: [], errors: [] });
    else expect(thrown(() => parseMetricsBatch(body)).code).toBe(code);
  });

  test('two lists of events: nothing of the first is left', () => {
    const first = '[{"t":1,"e":5,"v":{"0":"first"},"a":{}},5,{"t":"x"}]';
    const last = '[{"t":2,"e":5,"v":{"1":"last"},"a":{}}]';
    expect(parseMetricsBatch(`{"v":1,"events":${first},"events":${last}}`)).toEqual({
      version: 1,
      events: [{ metric: 'prompt_event', timestamp: 2, values: { eventId: 'last' }, attributes: {} }],
      errors: [],
    });
    expect(parseMetricsBatch(`{"v":1,"events":${first},"events":[]}`).events).toEqual([]);
  });

  test('two lists of events: only the last one counts against the limit', () => {
    const event = '{"t":2,"e":2,"v":{},"a":{}}';
    const [one, two] = [`[${event}]`, `[${event},${event}]`];
    expect(parseMetricsBatch(`{"v":1,"events":${two},"events":${one}}`, { maxEvents: 1 }).events).toHaveLength(1);
    const error = thrown(() => parseMetricsBatch(`{"v":1,"events":${one},"events":${two}}`, { maxEvents: 1 }));
    expect(error.code).toBe('ERR_TOO_MANY_EVENTS');
  });

  test.each([
    ['t good last', '{"t":"x","e":2,"v":{},"a":{},"t":1}', undefined],
    ['t bad last', '{"t":1,"e":2,"v":{},"a":{},"t":"x"}', 'ERR_WRONG_TYPE'],
    ['t out of range last', '{"t":1,"e":2,"v":{},"a":{},"t":-1}', 'ERR_OUT_OF_RANGE'],
    ['e good last', '{"t":1,"e":99999,"e":2,"v":{},"a":{}}', undefined],
    ['e bad last', '{"t":1,"e":2,"e":99999,"v":{},"a":{}}', 'ERR_OUT_OF_RANGE'],
    ['v good last', '{"t":1,"e":2,"v":5,"v":{},"a":{}}', undefined],
    ['v bad last', '{"t":1,"e":2,"v":{},"v":null,"a":{}}', 'ERR_WRONG_TYPE'],
    ['a good last', '{"t":1,"e":2,"v":{},"a":5,"a":{}}', undefined],
    ['a bad last', '{"t":1,"e":2,"v":{},"a":{},"a":[]}', 'ERR_WRONG_TYPE'],
    ['a bad last, with an escape', '{"t":1,"e":2,"v":{},"a":{},"\\u0061":[]}', 'ERR_WRONG_TYPE'],
  ])('of an event: %s', (_, event, code) => {
    const batch = parseMetricsBatch(bodyOf(event));
    if (code === undefined)
      expect(batch.events).toEqual([{ metric: 'agent_usage', timestamp: 1, values: {}, attributes: {} }]);
    else expect(batch.errors).toMatchObject([{ index: 0, code }]);
  });

  test('two sections: nothing of the first is left', () => {
    const event = onlyEvent(
      bodyOf('{"t":1,"e":5,"v":{"0":"a","99":1,"7":-1},"a":{"0":"a","99":1},"v":{"1":"b"},"a":{"20":"b"}}'),
    );
    expect(event).toEqual({
      metric: 'prompt_event',
      timestamp: 1,
      values: { eventId: 'b' },
      attributes: { tool: 'b' },
    });
  });

  test('two metric ids: the values are those of the last', () => {
    expect(onlyEvent(bodyOf('{"t":1,"e":5,"v":{"0":7},"a":{},"e":1}')).values).toEqual({ humanAdditions: 7 });
    expect(onlyEvent(bodyOf('{"t":1,"e":1,"v":{"0":"x"},"a":{},"e":5}')).values).toEqual({ kind: 'x' });
    expect(onlyEvent(bodyOf('{"t":1,"e":1,"v":{"0":"x"},"e":5,"a":{},"e":9}'))).toMatchObject({
      metric: 'unknown',
      metricId: 9,
      unknown: [{ position: '0', json: '"x"' }],
    });
  });

  test.each([
    ['good, good', '"0":"a","0":"b"', { kind: 'b' }, []],
    ['good, null', '"0":"a","0":null', { kind: null }, []],
    ['null, good', '"0":null,"0":"b"', { kind: 'b' }, []],
    ['good, bad', '"0":"a","0":5', {}, [['0', '5']]],
    ['bad, good', '"0":5,"0":"b"', { kind: 'b' }, []],
    ['bad, null', '"0":5,"0":null', { kind: null }, []],
    ['bad, bad', '"0":5,"0":6', {}, [['0', '6']]],
    ['good, bad, good', '"0":"a","0":5,"0":"c"', { kind: 'c' }, []],
    ['bad, good, bad', '"0":5,"0":"b","0":7', {}, [['0', '7']]],
    ['by an escape', '"0":"a","\\u0030":"b"', { kind: 'b' }, []],
    ['by an escape, the other way round', '"\\u0030":"a","0":5', {}, [['0', '5']]],
    ['unknown', '"99":1,"99":2', {}, [['99', '2']]],
    [
      'unknown, in the place of the last',
      '"99":1,"98":2,"99":3',
      {},
      [
        ['98', '2'],
        ['99', '3'],
      ],
    ],
    [
      'bad, in the place of the last',
      '"7":-1,"98":2,"7":-3',
      {},
      [
        ['98', '2'],
        ['7', '-3'],
      ],
    ],
    ['unknown, by an escape', '"x":1,"\\u0078":2', {}, [['x', '2']]],
    ['empty keys', '"":1,"":2', {}, [['', '2']]],
    ['not the same position', '"0":"a","00":"b"', { kind: 'a' }, [['00', '"b"']]],
    ['of lists', '"0":"a","99":[1],"99":[2]', { kind: 'a' }, [['99', '[2]']]],
  ] as [string, string, object, [string, string][]][])('of the values: %s', (_, members, values, unknown) => {
    const event = onlyEvent(promptBody(members));
    expect(event.values).toEqual(values);
    expect((event.unknown ?? []).map(({ position, json }) => [position, json])).toEqual(unknown);
    expect('unknown' in event).toBe(unknown.length > 0);
  });

  test.each([
    ['good, bad', '"20":"a","20":5', {}, '5'],
    ['bad, good', '"20":5,"20":"b"', { tool: 'b' }, undefined],
    ['good, null', '"20":"a","20":null', { tool: null }, undefined],
    ['unknown', '"x":1,"x":2', {}, '2'],
  ])('of the attributes: %s', (_, members, attributes, json) => {
    const event = onlyEvent(promptBody('', members));
    expect(event.attributes).toEqual(attributes);
    expect(event.unknown?.map((field) => field.json)).toEqual(json === undefined ? undefined : [json]);
  });

  test('a position in values and the same in attributes are two', () => {
    expect(onlyEvent(promptBody('"99":1', '"99":2')).unknown).toHaveLength(2);
  });

  test('one key a hundred thousand times', () => {
    const members = Array.from({ length: 100_000 }, (_, index) => `"99":${index}`).join();
    expect(onlyEvent(promptBody(members)).unknown).toEqual([{ section: 'values', position: '99', json: '99999' }]);
  });
});

describe('numbers', () => {
  const FIELDS = [
    ['u32', 1, '0', 'humanAdditions', 4_294_967_295n],
    ['u64', 5, '7', 'startTs', 9_007_199_254_740_991n],
  ] as const;

  test.each(FIELDS)('%s', (_, id, position, name, most) => {
    for (const number of NUMBER_TEXTS) {
      const event = onlyEvent(bodyOf(`{"t":0,"e":${id},"v":{"${position}":${number}},"a":{}}`));
      if (/^\d+$/.test(number) && BigInt(number) <= most) {
        expect(event.values).toEqual({ [name]: Number(number) });
        expect(event.unknown).toBeUndefined();
      } else {
        expect(event.values).toEqual({});
        expect(event.unknown).toEqual([{ section: 'values', position, json: number }]);
      }
    }
  });

  test('every number at and about every power of two up to 2^70', () => {
    const members: string[] = [];
    for (let power = 0n; power <= 70n; power++) {
      for (let about = -2n; about <= 2n; about++) members.push(String(2n ** power + about));
    }
    for (const number of members) {
      expectAsModelled(bodyOf(`{"t":0,"e":5,"v":{"7":${number},"99":${number}},"a":{}}`));
      expectAsModelled(bodyOf(`{"t":${number},"e":5,"v":{},"a":{}}`));
      expectAsModelled(bodyOf(`{"t":0,"e":${number},"v":{},"a":{}}`));
      expectAsModelled(bodyOf(`{"t":0,"e":1,"v":{"0":${number},"4":[${number}],"9":[0,${number}]},"a":{}}`));
    }
  });

  test.each(each('1.0', '1e3', '-0', '0.0', '1E+2', '-1'))('%s stays as it was written', (number) => {
    expectSameAgain(promptBody(`"7":${number}`));
    expectSameAgain(bodyOf(`{"t":0,"e":1,"v":{"4":[1,${number}]},"a":{}}`));
  });

  test('a number of a million digits', () => {
    const number = '9'.repeat(1_000_000);
    expectSameAgain(promptBody(`"7":${number}`));
    expectSameAgain(promptBody(`"99":-${number}.${number}e-${number}`));
    expect(thrown(() => parseMetricsBatch(`{"v":${number},"events":[]}`)).code).toBe('ERR_UNSUPPORTED_VERSION');
    expect(parseMetricsBatch(bodyOf(`{"t":${number},"e":5,"v":{},"a":{}}`)).errors[0].code).toBe('ERR_OUT_OF_RANGE');
  });
});

/** Whether the platform's own strict readers accept the bytes as JSON. */
function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Every place of a value: known, unknown, skipped, and in an event that is refused. */
const PLACES: [string, string, string][] = [
  ['the whole body', '', ''],
  ['a key without meaning', '{"v":1,"events":[],"x":', '}'],
  ['after a batch', '{"v":1,"events":[]}', ''],
  ['the version', '{"v":', ',"events":[]}'],
  ['the events', '{"v":1,"events":', '}'],
  ['an event', '{"v":1,"events":[', ']}'],
  ['the second event', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{}},', ']}'],
  ['a time', '{"v":1,"events":[{"t":', ',"e":5,"v":{},"a":{}}]}'],
  ['a metric id', '{"v":1,"events":[{"t":1,"e":', ',"v":{},"a":{}}]}'],
  ['the values', '{"v":1,"events":[{"t":1,"e":5,"v":', ',"a":{}}]}'],
  ['the attributes', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":', '}]}'],
  ['a key without meaning of an event', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{},"x":', '}]}'],
  ['a text field', '{"v":1,"events":[{"t":1,"e":5,"v":{"0":', '},"a":{}}]}'],
  ['a number field', '{"v":1,"events":[{"t":1,"e":5,"v":{"7":', '},"a":{}}]}'],
  ['a bool field', '{"v":1,"events":[{"t":1,"e":5,"v":{"6":', '},"a":{}}]}'],
  ['a list of numbers', '{"v":1,"events":[{"t":1,"e":1,"v":{"4":', '},"a":{}}]}'],
  ['in a list of numbers', '{"v":1,"events":[{"t":1,"e":1,"v":{"4":[1,', ',2]},"a":{}}]}'],
  ['in a list of texts', '{"v":1,"events":[{"t":1,"e":1,"v":{"3":["all",', ']},"a":{}}]}'],
  ['an unknown position', '{"v":1,"events":[{"t":1,"e":5,"v":{"99":', '},"a":{}}]}'],
  ['deep in an unknown position', '{"v":1,"events":[{"t":1,"e":5,"v":{"99":[{"a":', '}]},"a":{}}]}'],
  ['a field of an unknown metric', '{"v":1,"events":[{"t":1,"e":99,"v":{"0":', '},"a":{}}]}'],
  ['values before their metric id', '{"v":1,"events":[{"v":{"0":', '},"a":{},"e":5,"t":1}]}'],
  ['an attribute', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{"0":', '}}]}'],
  ['a value that a later one replaces', '{"v":1,"events":[{"t":1,"e":5,"v":{"0":', ',"0":"x"},"a":{}}]}'],
  ['an event of a list that a later one replaces', '{"v":1,"events":[', '],"events":[]}'],
  ['an event that has a wrong time', '{"v":1,"events":[{"t":"x","e":5,"v":{"0":', '},"a":{}}]}'],
  ['a batch of another version', '{"v":2,"events":[{"t":1,"e":5,"v":{"0":', '},"a":{}}]}'],
];

// biome-ignore format: a list of two hundred reads better in rows.
const FRAGMENTS = [
  // nothing, and incomplete values
  '', ' ', '\n', ',', ':', '[', ']', '{', '}', '"', '\\', '/', '[]', '{}', '[[]]', '[{}]', '{"a":{}}', ' [ ] ', ' { } ',
  '[1', '[1,', '{"a"', '{"a":', '{"a":1', '{"a":1,', '[1]]', '{}}', '[)', '(1)', '[1;2]',
  // commas and colons
  '[,]', '[1,]', '[,1]', '[1,,2]', '[1 2]', '["a" "b"]', '{,}', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a" 1}',
  '{"a"::1}', '{"a":1 "b":2}', '{"a",1}', '{"a"}', '[:1]', '["a":1]', '{"a":1:2}', '{1:2}', '{a:1}', "{'a':1}", '{null:1}',
  '{[]:1}', '{"a":}', '{:1}',
  // words
  'null', 'true', 'false', 'nul', 'nulll', 'NULL', 'Null', 'tru', 'truee', 'True', 'fals', 'falsee', 'undefined', 'NaN',
  'Infinity', '-Infinity', '-NaN', 'n', 't', 'f', 'truefalse', 'true false', 'null,null', 'nu ll',
  // numbers
  '0', '-0', '1', '-1', '10', '00', '01', '-01', '-00', '+1', '1+', '--1', '-', '- 1', '1-', '.1', '1.', '-.1', '1.0',
  '1..0', '1.0.0', '1.e1', '0.', '1e', '1e+', '1e-', '1e1', '1E1', '1e+1', '1e-1', '1e01', '1e1.0', '1ee1', 'e1', '1e 1',
  '1 .0', '0x10', '0b1', '0o7', '1_0', '1,0', '1a', '1n', '1f', '1d', '٣', '１', '1e400', '123456789012345678901234567890',
  // texts
  '""', '"a"', '"a', 'a"', "'a'", '`a`', '"a""b"', '"\\"', '"\\\\"', '"\\\\\\"', '"\\/"', '"\\a"', '"\\0"', '"\\x41"',
  "\"\\'\"", '"\\ "', '"\\\n"', '"\\B"', '"\\N"', '"\\U0041"', '"\\u"', '"\\u0"', '"\\u00"', '"\\u004"', '"\\u0041"',
  '"\\u00411"', '"\\u004g"', '"\\u+041"', '"\\u 041"', '"\\u-041"', '"\\u{41}"', '"\\u0041\\"', '"\\ud800"',
  '"\\udc00"', '"\\ud800\\ud800"', '"\\ud83d\\ude00"', '"\\ud83d\\n"', '"\\ud83dx"', '"\\ud83d\\u"', '"\\ud83d\\u0041"',
  '"\\uDBFF\\uDFFF"', '"\\u0000"', '"\0"', '"\x01"', '"\t"', '"\n"', '"\r"', '"\x1f"', '"\x7f"', '"\u0080"', '"\u2028"',
  '"\u2029"', '"\ufeff"', '"\uffff"', '"é"', '"漢"', '"😀"', '"a\0b"', '"12345678901234567890123456789012\t"',
  '"12345678901234567890123456789012\\q"', `"${'x'.repeat(63)}\n"`, `"${'x'.repeat(64)}\\u12"`,
  // white space that JSON doesn't allow, comments, more than one value
  '\v1', '\f1', '\u00a01', '\u20281', '\ufeff1', '1\ufeff', '1\0', '\x001', '\b', '//1', '1//', '/**/1', '1/**/', '#1',
  '1 1', '1\n1', '[] []', '{} {}', 'null null', '"a" 1', '<!--', ' 1 ', '\r\n1\r\n', '\t1\t',
];

describe('exactly the texts that aren’t JSON are refused', () => {
  test.each(PLACES)('as %s', (_, before, after) => {
    for (const fragment of FRAGMENTS) {
      const body = Buffer.from(before + fragment + after);
      // Compare the fragment too, so that a failure shows it.
      const refused = (decoded(body) as { code?: string }).code === 'ERR_INVALID_JSON';
      expect({ fragment, refused }).toEqual({ fragment, refused: !isJson(body) });
      expectAsModelled(body);
      expectAsModelled(body.toString());
    }
  });

  const KEYS = FRAGMENTS.filter((fragment) => fragment.startsWith('"'));

  test.each([
    ['of the batch', '{"v":1,"events":[],', ':1}'],
    ['of an event', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{},', ':1}]}'],
    ['of the values', '{"v":1,"events":[{"t":1,"e":5,"v":{', ':"x"},"a":{}}]}'],
    ['of the attributes', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{', ':"x"}}]}'],
    ['in an unknown value', '{"v":1,"events":[{"t":1,"e":5,"v":{"99":{', ':1}},"a":{}}]}'],
    ['in what is skipped', '{"v":1,"events":[],"x":{', ':1}}'],
  ])('as a key %s', (_, before, after) => {
    for (const key of KEYS) {
      const body = Buffer.from(before + key + after);
      const refused = (decoded(body) as { code?: string }).code === 'ERR_INVALID_JSON';
      expect({ key, refused }).toEqual({ key, refused: !isJson(body) });
      expectAsModelled(body);
    }
  });

  test('every byte at every place of a small body', () => {
    const body = Buffer.from(
      '{"v":1,"events":[{"t":1,"e":5,"v":{"0":"é\\n","7":10,"99":[-1.5e3,null]},"a":{"0":"x"}}]}',
    );
    const wrong: unknown[] = [];
    for (let place = 0; place <= body.length; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const inserted = Buffer.concat([body.subarray(0, place), Buffer.from([byte]), body.subarray(place)]);
        const replaced = Buffer.from(body);
        if (place < body.length) replaced[place] = byte;
        for (const damaged of [inserted, replaced]) {
          const found = decoded(damaged) as { code?: string };
          // JSON.parse judges most of the 45,000; the model is asked only where it is JSON, which is rare.
          const json = isJson(damaged);
          if (json && byte % 16 === place % 16) expect(found).toEqual(modelled(damaged));
          else if (json === (found.code === 'ERR_INVALID_JSON')) wrong.push([place, byte, found.code]);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

const NOT_UTF8: [string, number[]][] = [
  ['a lone continuation byte', [0x80]],
  ['another lone continuation byte', [0xbf]],
  ['two bytes cut short', [0xc3]],
  ['three bytes cut to one', [0xe2]],
  ['three bytes cut to two', [0xe2, 0x82]],
  ['four bytes cut to one', [0xf0]],
  ['four bytes cut to two', [0xf0, 0x9f]],
  ['four bytes cut to three', [0xf0, 0x9f, 0x98]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['an overlong quote of two bytes', [0xc0, 0xa2]],
  ['an overlong slash of two bytes', [0xc1, 0xaf]],
  ['an overlong slash of three bytes', [0xe0, 0x80, 0xaf]],
  ['an overlong slash of four bytes', [0xf0, 0x80, 0x80, 0xaf]],
  ['the last overlong of three bytes', [0xe0, 0x9f, 0xbf]],
  ['the last overlong of four bytes', [0xf0, 0x8f, 0xbf, 0xbf]],
  ['the first surrogate', [0xed, 0xa0, 0x80]],
  ['the last surrogate', [0xed, 0xbf, 0xbf]],
  ['a pair of surrogates, as CESU-8 has it', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['a first byte of F5', [0xf5, 0x80, 0x80, 0x80]],
  ['five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['six bytes', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ['FE', [0xfe]],
  ['FF', [0xff]],
  ['a BOM of UTF-16', [0xff, 0xfe]],
  ['a character cut by an ASCII one', [0xe2, 0x41, 0xac]],
  ['a continuation byte too much', [0xc3, 0xa9, 0xa9]],
];

describe('invalid UTF-8 is refused', () => {
  const surroundings: [string, string, string][] = [
    ['in a text field', '{"v":1,"events":[{"t":1,"e":5,"v":{"11":"', '"},"a":{}}]}'],
    [
      'in a long text field',
      `{"v":1,"events":[{"t":1,"e":5,"v":{"11":"${'x'.repeat(100)}`,
      `${'x'.repeat(100)}"},"a":{}}]}`,
    ],
    ['in a list of texts', '{"v":1,"events":[{"t":1,"e":1,"v":{"3":["all","', '"]},"a":{}}]}'],
    ['in an unknown value', '{"v":1,"events":[{"t":1,"e":5,"v":{"99":{"a":["', '"]}},"a":{}}]}'],
    ['in a position', '{"v":1,"events":[{"t":1,"e":5,"v":{"', '":1},"a":{}}]}'],
    ['in an attribute', '{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{"0":"', '"}}]}'],
    ['in what is skipped', '{"v":1,"events":[],"x":{"a":"', '"}}'],
    ['in a key that is skipped', '{"v":1,"events":[],"', '":1}'],
    ['in an event that is refused', '{"v":1,"events":[{"t":"', '"}]}'],
    ['between tokens', '{"v":1,', '"events":[]}'],
    ['before the body', '', '{"v":1,"events":[]}'],
    ['after the body', '{"v":1,"events":[]}', ''],
  ];

  test.each(NOT_UTF8)('%s', (_, bytes) => {
    for (const [place, before, after] of surroundings) {
      const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
      expect(isJson(body)).toBe(false);
      expect([place, decoded(body)]).toEqual([place, { code: 'ERR_INVALID_JSON' }]);
    }
  });

  test('values at the limit are accepted', () => {
    for (const character of [
      '\x7f',
      '\u0080',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
    ]) {
      expect(onlyEvent(Buffer.from(promptBody(`"11":"${character}"`))).values.inputText).toBe(character);
    }
  });

  test('a text ending in part of a character at the end of the bytes', () => {
    const body = Buffer.from(promptBody('"11":"é'));
    for (let end = 1; end <= body.length; end++)
      expect(decoded(body.subarray(0, end))).toEqual({ code: 'ERR_INVALID_JSON' });
  });

  test('a raw lone surrogate in a text body is U+FFFD, as in any UTF-8 made of it', () => {
    const event = onlyEvent(promptBody('"11":"a\ud800b","\udc00":"\ud83d"'));
    expect(event.values.inputText).toBe('a\ufffdb');
    expect(event.unknown).toEqual([{ section: 'values', position: '\ufffd', json: '"\ufffd"' }]);
  });
});

describe('a byte order mark', () => {
  test.each([
    ['of UTF-8', Buffer.from('\ufeff{"v":1,"events":[]}')],
    ['of UTF-8 alone', Buffer.from('\ufeff')],
    ['at the end', Buffer.from('{"v":1,"events":[]}\ufeff')],
    ['of UTF-16, little-endian', Buffer.from('\ufeff{"v":1,"events":[]}', 'utf16le')],
    ['none, but UTF-16', Buffer.from('{"v":1,"events":[]}', 'utf16le')],
  ])('%s', (_, body) => {
    expect(decoded(body)).toEqual({ code: 'ERR_INVALID_JSON' });
  });

  test('in a body given as text', () => {
    expect(decoded('\ufeff{"v":1,"events":[]}')).toEqual({ code: 'ERR_INVALID_JSON' });
  });
});

describe('lone surrogates', () => {
  test.each(
    each(
      '\\ud800',
      '\\udbff',
      '\\udc00',
      '\\udfff',
      'a\\ud83d',
      '\\ude00\\ud83d',
      '\\ud83d\\ud83d\\ude00',
      '\\ud83d\\n',
    ),
  )('%s becomes what JSON.parse makes of it, and is written back as an escape', (escapes) => {
    const value = JSON.parse(`"${escapes}"`);
    const body = promptBody(`"11":"${escapes}","x${escapes}":"${escapes}"`, `"2":"${escapes}"`);
    const event = onlyEvent(body);
    expect(event.values.inputText).toBe(value);
    expect(event.attributes.author).toBe(value);
    expect(event.unknown).toEqual([{ section: 'values', position: `x${value}`, json: `"${escapes}"` }]);
    const bytes = encodeMetricsBatch(parseMetricsBatch(body).events);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    expect(text).toContain(`"11":${JSON.stringify(value)}`);
    expect(parseMetricsBatch(bytes).events).toEqual([event]);
  });

  test('in a list of texts', () => {
    const body = bodyOf('{"t":1,"e":1,"v":{"3":["all","\\ud800","\\ud83d\\ude00"]},"a":{}}');
    expect(onlyEvent(body).values).toEqual({ toolModelPairs: ['all', '\ud800', '😀'] });
  });

  test('next to texts of every kind in one batch', () => {
    const texts = ['plain', 'naïve', '\\ud800', '漢字', '😀\\udc00', 'plain', '\\u0000'];
    expectAsModelled(
      bodyOf(...texts.map((text) => `{"t":1,"e":5,"v":{"11":"${text}","1":"${text}"},"a":{"2":"${text}"}}`)),
    );
  });

  test('two halves in neighbouring texts do not become one character', () => {
    const event = onlyEvent(promptBody('"0":"\\ud83d","1":"\\ude00","11":"x\\ud83d","12":"\\ude00x"'));
    expect(event.values).toEqual({ kind: '\ud83d', eventId: '\ude00', inputText: 'x\ud83d', skillFilePath: '\ude00x' });
  });
});

describe('damage', () => {
  const SAMPLE = bodyOf(
    '{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"a386ade188cc4043:69a00476559c","2":null,"3":false,"7":1775587505123,"11":"“nulls” \\ud83d\\ude00 é 😀\\n"},"a":{"0":"1.1.23","20":"claude"}}',
    '{"a":{"0":"1.1.23","30":null},"v":{"3":["all","claude::opus"],"4":[1,22,333],"9":[1,9007199254740991],"99":{"a":[1.0,-2e3,true]}},"e":1,"t":1}',
    '{"t":"x"}',
    '{"t":1,"e":77,"v":{"0":[[]]},"a":{"__proto__":1}}',
  );

  test('a body cut at any byte is no JSON', () => {
    const body = Buffer.from(SAMPLE);
    expectAsModelled(body);
    for (let end = 0; end < body.length; end++) {
      expect([end, decoded(body.subarray(0, end))]).toEqual([end, { code: 'ERR_INVALID_JSON' }]);
    }
  });

  test('a body that lacks its first bytes is judged as the model judges it', () => {
    const body = Buffer.from(SAMPLE);
    for (let start = 1; start < body.length; start++)
      expect(decoded(body.subarray(start))).toEqual(modelled(body.subarray(start)));
  });

  test('nothing beyond the end of a view is looked at', () => {
    const body = Buffer.from(`${SAMPLE}${SAMPLE}`);
    for (const end of [SAMPLE.length - 1, SAMPLE.length - 2, 10]) {
      expect(decoded(new Uint8Array(body.buffer, body.byteOffset, end))).toEqual({ code: 'ERR_INVALID_JSON' });
    }
  });

  test('any bits flipped: an error that has a code, or the answer of the model', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(fc.constant(SAMPLE), batchText(3)), flips, (text, bits) => {
        const body = Buffer.from(text);
        for (const [place, bit] of bits) body[place % body.length] ^= 1 << bit;
        const found = decoded(body);
        if ('code' in found) expect(CODES).toContain(found.code);
        expect(found).toEqual(modelled(body));
      }),
      { numRuns: 1_000 },
    );
  });

  test('any piece removed, doubled or moved', () => {
    const piece = fc.tuple(batchText(3), fc.nat(), fc.nat(40), fc.nat());
    fc.assert(
      fc.property(piece, fc.constantFrom('remove', 'double', 'move'), ([text, from, length, to], how) => {
        const start = from % (text.length + 1);
        const taken = text.slice(start, start + length);
        const rest = text.slice(0, start) + text.slice(start + length);
        const target = to % (rest.length + 1);
        const moved = rest.slice(0, target) + taken + rest.slice(target);
        const body =
          how === 'remove' ? rest : how === 'move' ? moved : text.slice(0, start) + taken + text.slice(start);
        expect(decoded(body)).toEqual(modelled(body));
      }),
      { numRuns: 800 },
    );
  });

  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(decoded(bytes)).toEqual(modelled(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  test('any text', () => {
    const json = fc.array(
      fc.constantFrom(...'{}[],:"\\0123456789.eE+-tfnuv \n'.split(''), '"v":1', '"events":[', '"t":', 'é', '\ud800'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          json.map((all) => all.join('')),
        ),
        (text) => {
          expect(decoded(text)).toEqual(modelled(text));
        },
      ),
      { numRuns: 800 },
    );
  });

  test('after an error the next call is as good as before', () => {
    const before = parseMetricsBatch(SAMPLE);
    for (let end = 0; end < SAMPLE.length; end += 7) {
      expect(() => parseMetricsBatch(SAMPLE.slice(0, end))).toThrow();
      expect(parseMetricsBatch(SAMPLE)).toEqual(before);
    }
  });
});

describe('the bytes may lie anywhere', () => {
  const TEXT = promptBody('"0":"HumanMessage","11":"é漢😀","99":[1.0]', '"0":"1.1.23"');
  const BYTES = Buffer.from(TEXT);
  const EXPECTED = parseMetricsBatch(TEXT);

  test('a view with an offset', () => {
    for (const offset of [0, 1, 2, 3, 7, 8, 13, 64]) {
      const memory = new ArrayBuffer(offset + BYTES.length + 5);
      new Uint8Array(memory).fill(0x7b);
      const view = new Uint8Array(memory, offset, BYTES.length);
      view.set(BYTES);
      expect(parseMetricsBatch(view)).toEqual(EXPECTED);
      expect(parseMetricsBatch(Buffer.from(memory, offset, BYTES.length))).toEqual(EXPECTED);
    }
  });

  test('slices of a Buffer, pooled and not', () => {
    const long = Buffer.concat([Buffer.from('xxx'), BYTES, Buffer.from('xxx')]);
    expect(parseMetricsBatch(long.subarray(3, -3))).toEqual(EXPECTED);
    expect(parseMetricsBatch(long.subarray(1).subarray(2).subarray(0, -3))).toEqual(EXPECTED);
    expect(parseMetricsBatch(Buffer.allocUnsafeSlow(BYTES.length).fill(BYTES))).toEqual(EXPECTED);
    expect(() => parseMetricsBatch(long.subarray(2, -3))).toThrow();
  });

  test('a class of its own on top of Uint8Array', () => {
    class Body extends Uint8Array {}
    expect(parseMetricsBatch(new Body(BYTES))).toEqual(EXPECTED);
  });

  test('shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(BYTES.length + 3), 3);
    shared.set(BYTES);
    expect(parseMetricsBatch(shared)).toEqual(EXPECTED);
  });

  test('shared memory that another thread writes to meanwhile: an error that has a code, or some batch', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(BYTES.length));
    shared.set(BYTES);
    const scribbler = new Worker(
      `const { parentPort, workerData: bytes } = require('node:worker_threads');
       parentPort.postMessage('at work');
       const good = bytes.slice();
       for (let round = 0; ; round = (round + 7) % (bytes.length * 251)) {
         bytes[round % bytes.length] = round % 251;
         bytes[round % bytes.length] = good[round % bytes.length];
       }`,
      { eval: true, workerData: shared },
    );
    await new Promise((resolve) => scribbler.once('message', resolve));
    for (let round = 0; round < 20_000; round++) {
      const found = decoded(shared);
      if ('code' in found) expect(CODES).toContain(found.code);
      else expect(found.version).toBe(1);
    }
    await scribbler.terminate();
  });

  test('memory that can be resized', () => {
    // The types of Node 20 don't have this option yet.
    const memory = Reflect.construct(ArrayBuffer, [BYTES.length + 2, { maxByteLength: 4_096 }]) as ArrayBuffer & {
      resize(size: number): void;
    };
    const tracking = new Uint8Array(memory);
    tracking.fill(0x20);
    tracking.set(BYTES, 2);
    expect(parseMetricsBatch(tracking)).toEqual(EXPECTED);
    memory.resize(4_000);
    tracking.fill(0x20, BYTES.length + 2);
    expect(parseMetricsBatch(tracking)).toEqual(EXPECTED);
    const fixed = new Uint8Array(memory, 2, BYTES.length);
    expect(parseMetricsBatch(fixed)).toEqual(EXPECTED);
    memory.resize(10);
    // The fixed view now lies outside of its memory and has no bytes.
    expect(['ERR_INVALID_JSON', 'ERR_INVALID_ARGUMENT']).toContain(thrown(() => parseMetricsBatch(fixed)).code);
    expect(thrown(() => parseMetricsBatch(tracking)).code).toBe('ERR_INVALID_JSON');
  });

  test('memory that was handed away has no bytes', () => {
    const view = new Uint8Array(BYTES);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    expect(view.length).toBe(0);
    expect(['ERR_INVALID_JSON', 'ERR_INVALID_ARGUMENT']).toContain(thrown(() => parseMetricsBatch(view)).code);
  });

  test('a getter of the options that detaches the memory doesn’t lead to freed memory', () => {
    const view = new Uint8Array(BYTES);
    const options = {
      get maxEvents() {
        structuredClone(view.buffer, { transfer: [view.buffer] });
        return 5;
      },
    };
    const found = decoded(view, options);
    if ('code' in found) expect(['ERR_INVALID_JSON', 'ERR_INVALID_ARGUMENT']).toContain(found.code);
    else expect(found.events).toEqual(EXPECTED.events);
  });

  test('a text in every form that the engine keeps texts in', () => {
    const sliced = `${'x'.repeat(50)}${TEXT}${'y'.repeat(50)}`.slice(50, -50);
    const joined = TEXT.slice(0, 40) + TEXT.slice(40);
    const ascii = promptBody('"0":"HumanMessage"');
    expect(parseMetricsBatch(sliced)).toEqual(EXPECTED);
    expect(parseMetricsBatch(joined)).toEqual(EXPECTED);
    // V8 stores it with two bytes per character although one would be enough.
    expect(parseMetricsBatch(`漢${ascii}`.slice(1))).toEqual(parseMetricsBatch(ascii));
  });
});

describe('wrong arguments', () => {
  const NO_BODIES: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a boolean', true],
    ['a symbol', Symbol('s')],
    ['a bigint', 5n],
    ['a function', () => '{"v":1,"events":[]}'],
    ['an object', {}],
    ['the parsed batch', { v: 1, events: [] }],
    ['a list of bytes', [...Buffer.from('{"v":1,"events":[]}')]],
    ['a String object', Object('{"v":1,"events":[]}')],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['a SharedArrayBuffer', new SharedArrayBuffer(8)],
    ['a DataView', new DataView(new ArrayBuffer(8))],
    ['an Int8Array', new Int8Array(8)],
    ['a Uint8ClampedArray', new Uint8ClampedArray(8)],
    ['a Uint16Array', new Uint16Array(8)],
    ['a Float64Array', new Float64Array(8)],
    ['a BigUint64Array', new BigUint64Array(8)],
    ['something with the prototype of Uint8Array', Object.create(Uint8Array.prototype)],
    ['something with the prototype of Buffer', Object.create(Buffer.prototype)],
    ['something with the tag of Uint8Array', { [Symbol.toStringTag]: 'Uint8Array', length: 2, 0: 0x7b, 1: 0x7d }],
    ['a proxy of a Uint8Array', new Proxy(new Uint8Array(8), {})],
    ['a promise', Promise.resolve('{"v":1,"events":[]}')],
  ];

  test.each(NO_BODIES)('a body that is %s', (_, body) => {
    const error = thrown(() => parseMetricsBatch(body as string));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    expect(error.message).toContain('body');
  });

  test('a view of another kind under the name of Uint8Array', () => {
    const views = [new DataView(new ArrayBuffer(8)), new Int8Array(8), new Uint16Array(8), new Uint8ClampedArray(8)];
    for (const view of views) {
      const disguised = Object.defineProperty(view, Symbol.toStringTag, { value: 'Uint8Array' });
      expect(thrown(() => parseMetricsBatch(disguised as unknown as Uint8Array)).code).toBe('ERR_INVALID_ARGUMENT');
    }
  });

  test('no argument at all', () => {
    const parse = parseMetricsBatch as unknown as () => void;
    const encode = encodeMetricsBatch as unknown as () => void;
    expect(thrown(() => parse()).code).toBe('ERR_INVALID_ARGUMENT');
    expect(thrown(() => encode()).code).toBe('ERR_INVALID_ARGUMENT');
  });

  test('an empty body is an empty body, not a wrong argument', () => {
    for (const empty of ['', ' ', new Uint8Array(), Buffer.alloc(0), new Uint8Array(new ArrayBuffer(8), 8)]) {
      expect(thrown(() => parseMetricsBatch(empty)).code).toBe('ERR_INVALID_JSON');
    }
  });
});

describe('large bodies', () => {
  test('16 MiB of one text', () => {
    const frame = promptBody('"11":""');
    const text = 'x'.repeat(16 * 1024 * 1024 - frame.length);
    expect(onlyEvent(Buffer.from(promptBody(`"11":"${text}"`))).values.inputText === text).toBe(true);
  });

  test('16 MiB of one text of two-byte characters, with an escape at its end', () => {
    const text = 'é'.repeat(8 * 1024 * 1024 - 64);
    expect(onlyEvent(promptBody(`"11":"${text}\\n"`)).values.inputText === `${text}\n`).toBe(true);
  });

  test('16 MiB of one unknown value', () => {
    const json = `[${'1.0, '.repeat(3_000_000)}"é"]`;
    const event = onlyEvent(promptBody(`"99":${json}`));
    expect(event.unknown?.[0].json === json).toBe(true);
  });

  test('16 MiB of small texts in one list', () => {
    const texts = Array.from({ length: 1_000_000 }, (_, index) => `t${index}`);
    const event = onlyEvent(bodyOf(`{"t":1,"e":1,"v":{"3":${JSON.stringify(texts)}},"a":{}}`));
    const found = event.values.toolModelPairs as string[];
    expect(found.length).toBe(texts.length);
    expect(found.every((text, index) => text === texts[index])).toBe(true);
  });

  test('a thousand events of 16 kB', () => {
    const texts = Array.from(
      { length: 1_000 },
      (_, index) => (index % 2 ? 'x'.repeat(16_000) : 'é'.repeat(8_000)) + index,
    );
    const events = texts.map((text, index) => `{"t":${index},"e":5,"v":{"0":"AiMessage","11":"${text}"},"a":{}}`);
    const found = parseMetricsBatch(bodyOf(...events), { maxBytes: 20_000_000 }).events as PromptEvent[];
    expect(found.every((event, index) => event.values.inputText === texts[index])).toBe(true);
    expect(found).toHaveLength(1_000);
  });

  test('two hundred thousand events, where so many are allowed', () => {
    const list = Array.from({ length: 200_000 }, (_, index) => `{"t":${index},"e":2,"v":{},"a":{}}`);
    const body = `{"v":1,"events":[${list}]}`;
    const { events } = parseMetricsBatch(body, { maxEvents: 200_000 });
    expect(events.length).toBe(200_000);
    expect(events.every((event, index) => event.timestamp === index)).toBe(true);
  });
});

describe('the cost that a sender can cause', () => {
  /** The peak memory, in MB, of a process that runs this code. */
  const peakOf = (code: string) => {
    const script = `const { parseMetricsBatch } = require('.'); ${code}; console.log(process.resourceUsage().maxRSS / 1024)`;
    return Number(execFileSync(process.execPath, ['-e', script], { cwd: join(__dirname, '..'), encoding: 'utf8' }));
  };
  const MANY = `let many = []; for (let n = 0; n < 300_000; n++) many.push(' '.repeat(n % 40) );`;

  test.each([
    [
      'attributes that are overridden, hundreds of thousands of times',
      `${MANY} parseMetricsBatch(Buffer.from('{"v":1,"events":[{"t":1,"e":5,"v":{},' + many.map((s) => '"a":{' + s + '}').join() + '}]}'))`,
    ],
    [
      'attributes of events that are refused or counted twice',
      `${MANY} const one = many.slice(0, 900).map((s) => '{"t":-1,"a":{' + s + '}}').join();
       parseMetricsBatch(Buffer.from('{"v":1,' + Array.from({ length: 200 }, () => '"events":[' + one + ']').join() + '}'))`,
    ],
    [
      'lists of events that are overridden, a hundred thousand times',
      `parseMetricsBatch(Buffer.from('{"v":1' + ',"events":[{"t":1,"e":5,"v":{},"a":{}}]'.repeat(100_000) + '}'))`,
    ],
  ])('%s', (_, code) => {
    expect(peakOf(code)).toBeLessThan(peakOf('') + 200);
  });
});

describe('a failure between native code and JavaScript', () => {
  const small = bodyOf('{"t":1,"e":1,"v":{"9":[1]},"a":{}}');

  test('spoils no later call', () => {
    // The list needs more cells than there is room for at first.
    const script = `
      const { parseMetricsBatch } = require('.');
      const listOf = (length) => '{"v":1,"events":[{"t":1,"e":1,"v":{"9":[' + Array(length).fill(1) + ']},"a":{}}]}';
      const original = globalThis.Uint32Array;
      globalThis.Uint32Array = class { constructor() { throw new RangeError('no memory') } };
      try { parseMetricsBatch(listOf(9_000)); console.log('it did not fail') } catch {}
      globalThis.Uint32Array = original;
      console.log(JSON.stringify(parseMetricsBatch(listOf(1)).events[0].values));`;
    const printed = execFileSync(process.execPath, ['-e', script], { cwd: join(__dirname, '..'), encoding: 'utf8' });
    expect(printed).toBe('{"timeWaitingForAi":[1]}\n');
  });

  test('bodies that fail one after the other, with other fields each, spoil no later call', () => {
    for (let n = 0; n < 12; n++) {
      for (let fields = 1; fields <= n; fields++) {
        const values = Array.from({ length: fields }, (_, position) => `"${position}":${n % 2 ? 'null' : '"x"'}`);
        const broken = `{"v":1,"events":[{"t":1,"e":5,"v":{${values}},"a":{}},{"t":1,"e":4,"v":{},"a":{"${n}":null}}`;
        expect(thrown(() => parseMetricsBatch(broken)).code).toBe('ERR_INVALID_JSON');
      }
      expect(parseMetricsBatch(small).events[0]).toEqual({
        metric: 'committed',
        timestamp: 1,
        values: { timeWaitingForAi: [1] },
        attributes: {},
      });
    }
  });
});

describe('texts that were slow', () => {
  const SURROGATES = '\\ud800'.repeat(100_000);
  const MIXED = '\\ud800 plain é '.repeat(50_000);

  // Each of these once took quadratic time: 1.2 MB took 6 s.
  test.each([
    ['a value', (text: string) => promptBody(`"11":"${text}"`)],
    ['an unknown key', (text: string) => promptBody(`"${text}":1`)],
    ['a key of the attributes', (text: string) => promptBody('', `"${text}":1`)],
    ['custom attributes', (text: string) => promptBody('', `"30":"${text}"`)],
    ['a list', (text: string) => bodyOf(`{"t":1,"e":1,"v":{"3":["${text}"]},"a":{}}`)],
  ])('a hundred thousand lone surrogates in %s', (_, bodyWith) => {
    for (const text of [SURROGATES, MIXED]) {
      const body = bodyWith(text);
      const { events, errors } = parseMetricsBatch(body);
      expect(errors).toEqual([]);
      const again = encodeMetricsBatch(events);
      expect(JSON.parse(again.toString())).toEqual(JSON.parse(body));
      encodePromptEventRows(body, { orgId: 'acme' });
    }
  });

  test('more than a million unknown positions in one event', () => {
    const members = Array.from({ length: 1_400_000 }, (_, n) => `"${n + 100}":1`).join();
    expect(parseMetricsBatch(promptBody(members)).errors).toEqual([
      expect.objectContaining({ index: 0, code: 'ERR_TOO_MANY_FIELDS' }),
    ]);
  });
});

describe('builtins that decode while a batch is decoded', () => {
  test('change nothing in it', () => {
    const found = inChild(`
      const assert = require('node:assert');
      const list = (count, text) => JSON.stringify(Array.from({ length: count }, (_, n) => text + n));
      const body = (count, text) => '{"v":1,"events":[' + [
        '{"t":1,"e":1,"v":{"3":' + list(count, text) + ',"5":[1,2,3]},"a":{"20":"' + text + '","99":1}}',
        '{"t":"x"}',
        '{"t":1,"e":5,"v":{"0":"' + text + '","98":[1],"97":{}},"a":{}}',
      ] + ']}';
      const expected = api.parseMetricsBatch(body(10000, 'outer'));
      const tampered = [Array.prototype, Object.getPrototypeOf([].values()), Uint32Array.prototype.__proto__];
      const restore = [];
      let inside = false;
      for (const target of tampered) {
        for (const name of Reflect.ownKeys(target)) {
          const descriptor = Object.getOwnPropertyDescriptor(target, name);
          if (name === 'constructor' || typeof descriptor.value !== 'function' || !descriptor.writable) continue;
          restore.push(() => Object.defineProperty(target, name, descriptor));
          const real = descriptor.value;
          target[name] = function (...given) {
            if (!inside) {
              inside = true;
              api.parseMetricsBatch(body(3000, 'inner'));
              inside = false;
            }
            return Reflect.apply(real, this, given);
          };
        }
      }
      // The second time with a shape that is new to this decoder.
      const again = api.parseMetricsBatch(body(10000, 'outer'));
      const fresh = api.parseMetricsBatch('{"v":1,"events":[{"t":1,"e":1,"v":{"0":1,"12":"x","16":2},"a":{"21":"y"}}]}');
      inside = true;
      restore.forEach((each) => each());
      assert.deepStrictEqual(again, expected);
      assert.deepStrictEqual(fresh.events, [{
        metric: 'committed',
        timestamp: 1,
        values: { humanAdditions: 1, commitBody: 'x', commitTs: 2 },
        attributes: { model: 'y' },
      }]);
      answer('equal');
    `);
    expect(found).toBe('equal');
  });
});

describe('shapes that a sender makes up', () => {
  const fields = METRICS.find(({ name }) => name === 'prompt_event')?.fields ?? [];
  /** An event with the fields that the bits of `n` select. */
  const eventOf = (n: number) => {
    const members = fields
      .filter((_, bit) => (n >> bit) & 1)
      .map(({ position, type }) => `"${position}":${{ bool: 'true', u64: '7' }[type as string] ?? '"x"'}`);
    return `{"t":${n},"e":5,"v":{${members}},"a":{}}`;
  };

  test('however many there are, each event is read by its own', () => {
    for (let batch = 0; batch < 12; batch++) {
      const numbers = Array.from({ length: 200 }, (_, n) => (batch * 150 + n) % 2048);
      expectAsModelled(bodyOf(...numbers.map(eventOf)));
      expectAsModelled(bodyOf(...numbers.reverse().map(eventOf)));
    }
  });

  test('a new generation clears the old ones, and is then known as they were', () => {
    const many = bodyOf(...Array.from({ length: 900 }, (_, n) => eventOf(n)));
    const few = bodyOf(...Array.from({ length: 20 }, () => eventOf(5)));
    const compiled = inChild(`
      let compiled = 0;
      globalThis.Function = new Proxy(Function, {
        construct: (target, parameters) => (compiled++, Reflect.construct(target, parameters)),
      });
      const after = (body) => (api.parseMetricsBatch(body), compiled);
      answer([${JSON.stringify(many)}, ...Array(4).fill(${JSON.stringify(few)})].map(after).map((count, n, counts) => count - (counts[n - 1] ?? 0)));
    `) as number[];
    // The rare shape is compiled once, not again in each batch.
    expect(compiled.slice(1)).toEqual([1, 0, 0, 0]);
  });
});

describe('strings that come in many batches', () => {
  // Many begin and end alike, or have a length at which the table of strings treats them differently.
  const words = Array.from({ length: 400 }, (_, n) =>
    `model-${'x'.repeat((n * 7) % 60)}-${n % 40}-suffix`.slice(n % 5),
  );
  const bodyOfWords = (from: number, count: number) =>
    bodyOf(
      ...Array.from({ length: count }, (_, n) => {
        const word = (more: number) => JSON.stringify(words[(from + n * more) % words.length]);
        return `{"t":${n},"e":5,"v":{"0":${word(1)},"5":${word(3)},"99":${word(5)}},"a":{"0":${word(7)},"20":${word(11)}}}`;
      }),
    );

  test('each batch has its own, whatever came before and whatever failed in between', () => {
    for (let batch = 0; batch < 200; batch++) {
      const body = bodyOfWords(batch * 13, 1 + (batch % 30));
      if (batch % 3 === 1) expect(() => parseMetricsBatch(body.slice(0, -2))).toThrow();
      if (batch % 7 === 1) expect(() => parseMetricsBatch(body, { maxEvents: 0 })).toThrow();
      if (batch % 5 === 1) {
        const twice = body.replace(
          '"events":',
          () => `"events":${JSON.stringify(JSON.parse(bodyOfWords(batch, 20)).events)},"events":`,
        );
        expectAsModelled(twice);
      }
      expectAsModelled(body);
    }
  });

  test('more strings than a call has arguments', () => {
    const events = Array.from(
      { length: 900 },
      (_, n) =>
        `{"t":${n},"e":5,"v":{"0":"${words[n % 400]}","11":"text ${n}","2":"id ${n}"},"a":{"20":"${words[(n * 3) % 400]}"}}`,
    );
    for (let time = 0; time < 4; time++) expectAsModelled(bodyOf(...events));
  });

  test('nothing else stays in memory', () => {
    const grown = inChild(
      `
      const heap = () => (gc(), process.memoryUsage().heapUsed);
      const body = (model, text) => '{"v":1,"events":[{"t":1,"e":5,"v":{"0":"x","5":"' + model + '","11":"' + text + '"},"a":{}}]}';
      const run = (from) => {
        for (let n = 0; n < 3000; n++) {
          const text = 'text of a message '.repeat(3000) + n;
          for (let time = 0; time < 3; time++) api.parseMetricsBatch(body('model ' + (from + n), text));
        }
      };
      run(0);
      const before = heap();
      run(3000);
      answer(heap() - before);
    `,
      ['--expose-gc'],
    ) as number;
    expect(grown).toBeLessThan(1_000_000);
  });
});

describe('uploads of the size that real clients send', () => {
  test('1,000 session records of 21 MB decode, and come back byte for byte', () => {
    const record = (n: number) =>
      `{"type":"assistant", "uuid":"u-${n}","message":{"content":[{"type":"text","text":"${'naïve \\u0041 “text” '.repeat(850)}"}],"n":1.0}}`;
    const records = Array.from({ length: 1_000 }, (_, n) => record(n));
    const events = records.map(
      (json, n) =>
        `{"t":${1_775_000_000 - n},"e":5,"v":{"0":${json},"1":"u-${n}","2":null},"a":{"0":"1.6.9","20":"claude","24":"s_${n % 7}"}}`,
    );
    const body = Buffer.from(bodyOf(...events));
    expect(body.length).toBeGreaterThan(21_000_000);
    const batch = parseMetricsBatch(body);
    expect(batch.errors).toEqual([]);
    expect(
      batch.events.every((event, n) => event.metric === 'session_event' && event.values.rawJson === records[n]),
    ).toBe(true);
    expect(encodeMetricsBatch(batch.events).equals(body)).toBe(true);
  });
});
