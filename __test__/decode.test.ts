import { parseMetricsBatch } from '../index.js';
import { ATTRIBUTES, METRICS } from './model';
import { bodyOf, dialectAttributes, expectAsModelled, expectNoUndefined, onlyEvent, promptBody } from './support';

/** A value of each type, on the wire and in JavaScript. */
const SAMPLES = {
  u32: ['4294967295', 4_294_967_295],
  u64: ['9007199254740991', 9_007_199_254_740_991],
  bool: ['false', false],
  string: ['"\\u00e9 😀"', 'é 😀'],
  'u32[]': ['[0,4294967295]', [0, 4_294_967_295]],
  'u64[]': ['[9007199254740991,0]', [9_007_199_254_740_991, 0]],
  'string[]': ['["all",""]', ['all', '']],
  json: ['{"a" : [1.0, null]}', '{"a" : [1.0, null]}'],
} as const;

const TABLE = METRICS.flatMap((metric) =>
  metric.fields.map((field) => ({ ...field, id: metric.id, metric: metric.name })),
);

test('the example of the wire format', () => {
  const body =
    '{"v":1,"events":[{"t":1775587555,"e":5,"v":{"0":"ToolCall","2":null},"a":{"0":"1.1.23","20":"claude"}}]}';
  const batch = {
    version: 1,
    events: [
      {
        metric: 'prompt_event',
        timestamp: 1_775_587_555,
        values: { kind: 'ToolCall', parentId: null },
        attributes: { gitAiVersion: '1.1.23', tool: 'claude' },
      },
    ],
    errors: [],
  };
  expect(parseMetricsBatch(Buffer.from(body))).toEqual(batch);
  expect(parseMetricsBatch(body)).toEqual(batch);
  expectNoUndefined(parseMetricsBatch(body));
});

test('an empty batch', () => {
  expect(parseMetricsBatch('{"v":1,"events":[]}')).toEqual({ version: 1, events: [], errors: [] });
});

describe('every field', () => {
  test.each(TABLE)('$metric $position is $name, $type', ({ id, metric, position, name, type }) => {
    const [wire, value] = SAMPLES[type];
    const { wire: attributes } = dialectAttributes(metric);
    const event = onlyEvent(bodyOf(`{"t":0,"e":${id},"v":{"${position}":${wire}},"a":{${attributes}}}`));
    expect(event.values).toEqual({ [name]: value });
    expect('unknown' in event).toBe(false);
  });

  test.each(TABLE)('$metric, $name null is null', ({ id, metric, position, name }) => {
    const { wire: attributes } = dialectAttributes(metric);
    const event = onlyEvent(bodyOf(`{"t":0,"e":${id},"v":{"${position}":null},"a":{${attributes}}}`));
    expect(event.values).toEqual({ [name]: null });
    expect('unknown' in event).toBe(false);
  });

  const TYPED = TABLE.filter(({ type }) => type !== 'json');
  test.each(TYPED)(
    '$metric, $name is kept as unknown where it is of another type',
    ({ id, metric, position, name, type }) => {
      for (const [other, [wire]] of Object.entries({ ...SAMPLES, fraction: ['1.5'] })) {
        // Every u32 is also a u64, but the largest u64 isn't a u32. The other types have no values in common.
        const fits = other === type || (type === 'u64' && other === 'u32') || (type === 'u64[]' && other === 'u32[]');
        // An object or an array at position 0 would make it a session event.
        if (fits || (metric === 'prompt_event' && position === 0 && /^[{[]/.test(wire))) continue;
        const { wire: attributes } = dialectAttributes(metric);
        const event = onlyEvent(bodyOf(`{"t":0,"e":${id},"v":{"${position}":${wire}},"a":{${attributes}}}`));
        expect(name in event.values).toBe(false);
        expect(event.unknown).toEqual([{ section: 'values', position: String(position), json: wire }]);
      }
    },
  );

  test.each(ATTRIBUTES)('attribute $position is $name', ({ position, name }) => {
    for (const { id } of METRICS) {
      const attributes = (wire: string) =>
        onlyEvent(bodyOf(`{"t":0,"e":${id},"v":{},"a":{"${position}":${wire}}}`)).attributes;
      expect(attributes('"x"')).toEqual({ [name]: 'x' });
      expect(attributes('null')).toEqual({ [name]: null });
    }
  });

  test.each(ATTRIBUTES)('attribute $name is kept as unknown where it is no string', ({ position, name }) => {
    for (const wire of ['1', 'true', '["x"]', '{}']) {
      const event = onlyEvent(bodyOf(`{"t":0,"e":2,"v":{},"a":{"${position}":${wire}}}`));
      expect(name in event.attributes).toBe(false);
      expect(event.unknown).toEqual([{ section: 'attributes', position: String(position), json: wire }]);
    }
  });

  test('one past the last position of every metric is unknown', () => {
    for (const { id, name, fields } of METRICS) {
      const { wire, attributes } = dialectAttributes(name);
      const next = String((fields.at(-1)?.position ?? -1) + 1);
      const members = [wire, '"6":1,"19":2,"28":3,"31":4'].filter(Boolean);
      const event = onlyEvent(bodyOf(`{"t":0,"e":${id},"v":{"${next}":"x"},"a":{${members}}}`));
      expect(event.metric).toBe(name);
      expect(event.values).toEqual({});
      expect(event.attributes).toEqual(attributes);
      expect(event.unknown).toEqual([
        { section: 'values', position: next, json: '"x"' },
        { section: 'attributes', position: '6', json: '1' },
        { section: 'attributes', position: '19', json: '2' },
        { section: 'attributes', position: '28', json: '3' },
        { section: 'attributes', position: '31', json: '4' },
      ]);
    }
  });

  test('all fields at once, in reverse order of positions', () => {
    for (const { id, name, fields } of METRICS) {
      const members = [...fields].reverse().map(({ position, type }) => `"${position}":${SAMPLES[type][0]}`);
      const event = onlyEvent(bodyOf(`{"t":7,"e":${id},"v":{${members}},"a":{}}`));
      expect(event).toEqual({
        metric: name,
        timestamp: 7,
        values: Object.fromEntries(fields.map((field) => [field.name, SAMPLES[field.type][1]])),
        attributes: {},
      });
    }
  });
});

describe('JSON fields', () => {
  const rawOf = (wire: string) => onlyEvent(bodyOf(`{"t":0,"e":6,"v":{"0": ${wire} },"a":{}}`)).values.rawJson;

  test.each([
    '{}',
    '[]',
    '"x"',
    '"\\ud800\\u0041"',
    '1.0',
    '-0',
    '18446744073709551616',
    'true',
    '{ "b" : [ 1.0 , 1e3 ],\n\t"b":"\\u0041", "é": null }',
  ])('keep the text of any value, byte for byte: %s', (json) => {
    expect(rawOf(json)).toBe(json);
  });

  test('null is the explicit null', () => {
    expect(rawOf('null')).toBe(null);
  });

  test('nested 100,000 deep', () => {
    const json = `${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`;
    expect(rawOf(json)).toBe(json);
  });
});

describe('the dialects of metric 5', () => {
  const metricOf = (values: string, attributes: string) => onlyEvent(promptBody(values, attributes)).metric;

  test.each([
    ['an object', '"0":{"type":"user"}', ''],
    ['an array', '"0":[]', ''],
    ['an object behind other values', '"1":"u1","0":{}', ''],
    ['an object under an escaped key', '"\\u0030":{}', ''],
    ['the last of two at position 0 an object', '"0":"HumanMessage","0":{}', ''],
    ['session_id set', '"0":"HumanMessage"', '"24":"s_1"'],
    ['session_id empty', '', '"24":""'],
    ['session_id null', '"0":"HumanMessage"', '"24":null'],
  ])('a session event: %s', (_, values, attributes) => {
    expect(metricOf(values, attributes)).toBe('session_event');
  });

  test.each([
    ['a kind', '"0":"HumanMessage"', '"22":"p"'],
    ['nothing', '', ''],
    ['null', '"0":null', ''],
    ['a number', '"0":5', ''],
    ['the last of two at position 0 a text', '"0":{},"0":"HumanMessage"', ''],
    ['an object at position 00', '"00":{}', ''],
    ['session_id of a wrong type', '"0":"HumanMessage"', '"24":5'],
    ['the last of two session_ids of a wrong type', '"0":"HumanMessage"', '"24":"s_1","24":{}'],
  ])('a prompt event: %s', (_, values, attributes) => {
    expect(metricOf(values, attributes)).toBe('prompt_event');
  });

  test('in any order of members', () => {
    const members = ['"t":1', '"e":5', '"v":{"0":"x","1":"u1"}', '"a":{"24":"s_1"}'];
    for (let n = 0; n < 24; n++) {
      const rest = [...members];
      const order = [4, 3, 2, 1].map((count, i) => rest.splice(Math.floor(n / [6, 2, 1, 1][i]) % count, 1)[0]);
      expect(onlyEvent(bodyOf(`{${order}}`))).toEqual({
        metric: 'session_event',
        timestamp: 1,
        values: { rawJson: '"x"', externalEventId: 'u1' },
        attributes: { sessionId: 's_1' },
      });
    }
  });

  test('the last of duplicate members decides', () => {
    const last = '"e":5,"v":{"0":{"a":1}},"a":{}';
    for (const first of ['"e":1,"v":{"0":[1]},"a":{"24":"s"}', '"e":6,"v":{},"a":{}', '"v":{"0":"x"},"a":{"24":"s"}']) {
      expect(onlyEvent(bodyOf(`{"t":1,${first},${last}}`))).toEqual({
        metric: 'session_event',
        timestamp: 1,
        values: { rawJson: '{"a":1}' },
        attributes: {},
      });
    }
    // Read for metric 1 first, where an array at position 3 is a list.
    const event = onlyEvent(bodyOf('{"t":1,"e":1,"v":{"3":["x"],"0":"AiMessage"},"e":5,"a":{}}'));
    expect(event.metric).toBe('prompt_event');
    expect(event.values).toEqual({ kind: 'AiMessage' });
  });

  test('events of both in turns, sharing attributes', () => {
    const record = '{"t":1,"e":5,"v":{"0":{"n":1},"1":"u"},"a":{"20":"claude"}}';
    const prompt = '{"t":1,"e":5,"v":{"0":"AiMessage","1":"p:1"},"a":{"20":"claude"}}';
    expectAsModelled(bodyOf(record, prompt, record, prompt));
    const { events } = parseMetricsBatch(bodyOf(record, prompt, record, prompt));
    expect(events.map(({ metric }) => metric)).toEqual([
      'session_event',
      'prompt_event',
      'session_event',
      'prompt_event',
    ]);
  });
});

describe('too many unknown fields', () => {
  const unknown = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) => `"p${from + n}":${n}`).join();
  const event = (values: string, attributes = '', id = 5) => `{"t":1,"e":${id},"v":{${values}},"a":{${attributes}}}`;
  const codeOf = (body: string) => parseMetricsBatch(body).errors.map(({ code }) => code);

  test('1,024 in values and attributes together are accepted', () => {
    const body = bodyOf(event(unknown(0, 1000), unknown(0, 24)));
    expect(onlyEvent(body).unknown).toHaveLength(1024);
    expectAsModelled(body);
  });

  test.each([
    ['values', unknown(0, 1025), ''],
    ['attributes', '', unknown(0, 1025)],
    ['both together', unknown(0, 1000), unknown(0, 25)],
    ['very many', unknown(0, 50_000), ''],
  ])('one more is an error of the event alone: %s', (_, values, attributes) => {
    const good = '{"t":1,"e":2,"v":{},"a":{}}';
    for (const id of [2, 5, 999]) {
      const batch = parseMetricsBatch(bodyOf(good, event(values, attributes, id), good));
      expect(batch.events).toHaveLength(2);
      expect(batch.errors).toEqual([
        {
          index: 1,
          code: 'ERR_TOO_MANY_FIELDS',
          error: 'events[1]: expected at most 1024 unknown fields, found more',
        },
      ]);
    }
  });

  test('duplicate keys count once', () => {
    const twice = `${unknown(0, 1024)},${unknown(0, 1024)},${'"p0":7,'.repeat(5_000)}"p0":8`;
    const event = onlyEvent(promptBody(twice));
    expect(event.unknown).toHaveLength(1024);
    expect(event.unknown?.at(-1)).toEqual({ section: 'values', position: 'p0', json: '8' });
  });

  test('a value of a wrong type counts, unless one of the right type comes after it', () => {
    expect(codeOf(promptBody(`"5":1,${unknown(0, 1024)}`))).toEqual(['ERR_TOO_MANY_FIELDS']);
    expect(codeOf(promptBody(`"5":1,${unknown(0, 1024)},"5":"opus"`))).toEqual([]);
  });

  test("they are counted by the table of the event's own dialect", () => {
    const named = '"0":{},"4":1,"5":2';
    // Two of the three are unknown to a session event.
    expect(codeOf(promptBody(`${unknown(0, 1022)},${named}`))).toEqual([]);
    expect(codeOf(promptBody(`${unknown(0, 1023)},${named}`))).toEqual(['ERR_TOO_MANY_FIELDS']);
    expect(codeOf(promptBody(`${unknown(0, 1024)},"4":"Read"`))).toEqual([]);
    expect(codeOf(promptBody(`${unknown(0, 1024)},"4":"Read"`, '"24":"s"'))).toEqual(['ERR_TOO_MANY_FIELDS']);
  });

  test('an event after one with too many shares nothing with it', () => {
    const attributes = unknown(0, 1025);
    const batch = parseMetricsBatch(bodyOf(event('', attributes), event('', '"20":"x"'), event('', attributes)));
    expect(batch.errors.map(({ index }) => index)).toEqual([0, 2]);
    expect(batch.events).toHaveLength(1);
  });
});

describe('the three states', () => {
  test('stay distinct', () => {
    const { values } = onlyEvent(promptBody('"5":null,"6":false'));
    expect(values).toEqual({ model: null, error: false });
    expect('model' in values).toBe(true);
    expect('kind' in values).toBe(false);
    expect(Object.keys(values)).toHaveLength(2);
  });

  test('an empty text, an empty list, zero and false are values', () => {
    expect(onlyEvent(promptBody('"0":"","3":false,"7":0')).values).toEqual({
      kind: '',
      parentIdEstimated: false,
      startTs: 0,
    });
    expect(onlyEvent(bodyOf('{"t":0,"e":1,"v":{"0":0,"3":[],"4":[],"9":[]},"a":{}}')).values).toEqual({
      humanAdditions: 0,
      toolModelPairs: [],
      mixedAdditions: [],
      timeWaitingForAi: [],
    });
  });
});

describe('lists', () => {
  const committed = (members: string) => onlyEvent(bodyOf(`{"t":0,"e":1,"v":{${members}},"a":{}}`));

  test.each([
    ['a null', '4', '[1,null]'],
    ['a text', '4', '[1,"2"]'],
    ['a number out of range', '4', '[1,4294967296]'],
    ['a negative number', '4', '[-1]'],
    ['a fraction', '5', '[1.0]'],
    ['an exponent', '5', '[1e3]'],
    ['a list', '6', '[[1]]'],
    ['a number out of the safe integers', '9', '[1,9007199254740992,2]'],
    ['a number among texts', '3', '["all",1]'],
    ['a null among texts', '3', '["all", null ]'],
    ['an object', '8', '[{}]'],
  ])('one bad element keeps the whole list as it stood: %s', (_, position, json) => {
    const event = committed(`"${position}": ${json} `);
    expect(event.values).toEqual({});
    expect(event.unknown).toEqual([{ section: 'values', position, json }]);
  });

  test('the fields about a bad one are not touched', () => {
    const event = committed('"3":["all"],"4":[1,-1],"5":[2],"9":[9007199254740991]');
    expect(event.values).toEqual({
      toolModelPairs: ['all'],
      aiAdditions: [2],
      timeWaitingForAi: [9_007_199_254_740_991],
    });
    expect(event.unknown).toEqual([{ section: 'values', position: '4', json: '[1,-1]' }]);
  });

  test('white space within a list is nothing', () => {
    expect(committed('"3" : [ "all" ,\n\t"claude"\r\n] , "4":[ ], "5" : [ 1 , 2 ]').values).toEqual({
      toolModelPairs: ['all', 'claude'],
      mixedAdditions: [],
      aiAdditions: [1, 2],
    });
  });

  test('a list of 100,000', () => {
    const numbers = Array.from({ length: 100_000 }, (_, index) => index * 42_949);
    expect(committed(`"4":${JSON.stringify(numbers)}`).values).toEqual({ mixedAdditions: numbers });
    const texts = numbers.map((number) => `é${number}`);
    expect(committed(`"3":${JSON.stringify(texts)}`).values).toEqual({ toolModelPairs: texts });
  });
});

describe('values that are new to this version', () => {
  test('a kind that has no name yet decodes as it is', () => {
    const { values, unknown } = onlyEvent(promptBody('"0":"Telepathy","15":"boredom"'));
    expect(values).toEqual({ kind: 'Telepathy', endReason: 'boredom' });
    expect(unknown).toBeUndefined();
  });

  test.each([0, 9, 10, 255, 256, 257, 261, 65_535])('the metric id %i', (id) => {
    const body = bodyOf(`{"t":9,"e":${id},"v":{"0":"x","1": [ 1 ],"x":null},"a":{"0":"1.2","7":8}}`);
    expect(parseMetricsBatch(body)).toEqual({
      version: 1,
      events: [
        {
          metric: 'unknown',
          metricId: id,
          timestamp: 9,
          values: {},
          attributes: { gitAiVersion: '1.2' },
          unknown: [
            { section: 'values', position: '0', json: '"x"' },
            { section: 'values', position: '1', json: '[ 1 ]' },
            { section: 'values', position: 'x', json: 'null' },
            { section: 'attributes', position: '7', json: '8' },
          ],
        },
      ],
      errors: [],
    });
  });

  test('a metric that has no name yet and says nothing has no unknown fields', () => {
    const event = onlyEvent(bodyOf('{"t":9,"e":9,"v":{},"a":{}}'));
    expect(event).toEqual({ metric: 'unknown', metricId: 9, timestamp: 9, values: {}, attributes: {} });
    expect('unknown' in event).toBe(false);
  });

  test('only an unknown metric has a metricId', () => {
    for (const { id } of METRICS)
      expect('metricId' in onlyEvent(bodyOf(`{"t":9,"e":${id},"v":{},"a":{}}`))).toBe(false);
  });

  test('agent_usage has no values, so each of its positions is unknown', () => {
    const event = onlyEvent(bodyOf('{"t":9,"e":2,"v":{"0":"x"},"a":{"20":"claude"}}'));
    expect(event).toEqual({
      metric: 'agent_usage',
      timestamp: 9,
      values: {},
      attributes: { tool: 'claude' },
      unknown: [{ section: 'values', position: '0', json: '"x"' }],
    });
  });

  test('unknown fields come in the order of the wire, those of values first', () => {
    const event = onlyEvent(
      bodyOf('{"a":{"9":1,"8":2},"v":{"30":1,"b":2,"16":3,"a":4,"0":"HumanMessage","007":5},"e":5,"t":9}'),
    );
    expect(event.unknown?.map(({ section, position }) => `${section} ${position}`)).toEqual([
      'values 30',
      'values b',
      'values 16',
      'values a',
      'values 007',
      'attributes 9',
      'attributes 8',
    ]);
  });

  test('the text of an unknown value is kept exactly', () => {
    const json = '{ "b" : [ 1.0 , 1e3,\n\t-0 ] , "a":"\\u0041\\/\\ud800é", "a" : 12345678901234567890123 }';
    expect(onlyEvent(promptBody(`"99": ${json} `)).unknown).toEqual([{ section: 'values', position: '99', json }]);
  });
});

describe('the envelopes', () => {
  test('keys in any order', () => {
    const event = { metric: 'prompt_event', timestamp: 5, values: { kind: 'x' }, attributes: { tool: 'y' } };
    const members = ['"t":5', '"e":5', '"v":{"0":"x"}', '"a":{"20":"y"}'];
    const orders = members.flatMap((a) =>
      members.flatMap((b) => members.flatMap((c) => members.map((d) => [a, b, c, d]))),
    );
    const permutations = orders.filter((order) => new Set(order).size === 4);
    expect(permutations).toHaveLength(24);
    for (const order of permutations) {
      expect(parseMetricsBatch(`{"events":[{${order}}],"v":1}`).events).toEqual([event]);
    }
  });

  test('the metric id after the values of another type', () => {
    // The meaning of position 0 is unknown until `e` is read.
    const event = onlyEvent(bodyOf('{"v":{"0":7,"1":"HumanMessage","3":["all"]},"a":{},"t":5,"e":1}'));
    expect(event.values).toEqual({ humanAdditions: 7, toolModelPairs: ['all'] });
    expect(event.unknown).toEqual([{ section: 'values', position: '1', json: '"HumanMessage"' }]);
  });

  test('keys that have no meaning are skipped', () => {
    const body =
      '{"x":[{"v":2}],"v":1,"sent":"now","events":[{"t":5,"id":{"t":"x"},"e":2,"v":{},"a":{},"z":null}],"":0}';
    expect(parseMetricsBatch(body)).toEqual({
      version: 1,
      events: [{ metric: 'agent_usage', timestamp: 5, values: {}, attributes: {} }],
      errors: [],
    });
  });

  test('keys are case-sensitive', () => {
    expect(parseMetricsBatch('{"V":2,"v":1,"Events":3,"events":[{"T":1,"t":2,"e":2,"v":{},"a":{}}]}').events).toEqual([
      { metric: 'agent_usage', timestamp: 2, values: {}, attributes: {} },
    ]);
  });

  test('the smallest and largest t and e', () => {
    expect(onlyEvent(bodyOf('{"t":0,"e":0,"v":{},"a":{}}'))).toMatchObject({ timestamp: 0, metricId: 0 });
    expect(onlyEvent(bodyOf('{"t":4294967295,"e":65535,"v":{},"a":{}}'))).toMatchObject({
      timestamp: 4_294_967_295,
      metricId: 65_535,
    });
  });

  test('white space everywhere', () => {
    const body =
      '\r\n\t {\n"v" :\t1 ,\r"events"\n:\n[ \n{ "t" : 5 , "e" : 5 , "v" : { "0" : "x" , "2" : null , "3" : true , "7" : 1 } , "a" : { } } ,\n{"t":6,"e":2,"v":{ },"a":{\n}}\n] } \n\t\r ';
    expect(parseMetricsBatch(body).events).toEqual([
      {
        metric: 'prompt_event',
        timestamp: 5,
        values: { kind: 'x', parentId: null, parentIdEstimated: true, startTs: 1 },
        attributes: {},
      },
      { metric: 'agent_usage', timestamp: 6, values: {}, attributes: {} },
    ]);
  });

  test('keys written with escapes', () => {
    const body =
      '{"\\u0076":1,"\\u0065vents":[{"\\u0074":5,"\\u0065":5,"\\u0076":{"\\u0030":"x","1\\u0030":"h"},"\\u0061":{"2\\u0030":"c"}}]}';
    expect(parseMetricsBatch(body).events).toEqual([
      { metric: 'prompt_event', timestamp: 5, values: { kind: 'x', inputHash: 'h' }, attributes: { tool: 'c' } },
    ]);
  });
});

describe('texts', () => {
  test.each([
    ['every short escape', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
    ['hexadecimal in both cases', '"\\u00e9\\u00E9\\u006A\\u006a"', 'ééjj'],
    ['a pair of escapes', '"\\ud83d\\ude00"', '😀'],
    ['a NUL', '"a\\u0000b"', 'a\0b'],
    ['characters of one to four bytes', '"aé漢😀"', 'aé漢😀'],
    ['Latin-1 only', '"naïve ÿ"', 'naïve ÿ'],
    ['DEL and C1', '"\x7f\u0080\u009f"', '\x7f\u0080\u009f'],
    ['line separators', '"\u2028\u2029"', '\u2028\u2029'],
    ['a BOM inside', '"\ufeffx"', '\ufeffx'],
    ['noncharacters', '"\ufffe\uffff\u{10ffff}"', '\ufffe\uffff\u{10ffff}'],
    ['what looks like JSON', '"{\\"t\\":1}],[\\\\"', '{"t":1}],[\\'],
  ])('%s', (_, wire, value) => {
    expect(JSON.parse(wire)).toBe(value);
    const event = onlyEvent(promptBody(`"0":${wire},"11":${wire}`, `"0":${wire},"30":${wire}`));
    expect(event.values).toEqual({ kind: value, inputText: value });
    expect(event.attributes).toEqual({ gitAiVersion: value, customAttributes: value });
  });

  test('attributes of several sessions that begin or end alike, or are short', () => {
    const attributes = [
      '{"2":"a@example.com","22":"one","30":"{\\"team\\":\\"core\\"}"}',
      '{"2":"b@example.com","22":"two","30":"{\\"team\\":\\"core\\"}"}',
      '{"2":"a@example.com","22":"one"}',
      '{"2":"a@example.com","22":"one!"}',
      '{}',
      '{"2":1}',
    ];
    const turns = [0, 1, 0, 1, 2, 3, 2, 0, 4, 4, 5, 4, 1, 3, 5, 0, 1, 5, 4];
    for (const end of turns.keys()) {
      const events = turns.slice(0, end + 1).map((turn, n) => `{"t":${n},"e":5,"v":{"0":"x"},"a":${attributes[turn]}}`);
      expectAsModelled(bodyOf(...events));
    }
  });

  test('an ASCII event next to a Latin-1 one next to a Chinese one', () => {
    const events = ['plain', 'naïve', '漢字', 'plain', '😀', 'ÿ'].map(
      (value, index) => `{"t":${index},"e":5,"v":{"11":"${value}","1":"id${index}"},"a":{"2":"${value}"}}`,
    );
    expectAsModelled(bodyOf(...events));
    expectAsModelled(Buffer.from(bodyOf(...events)));
  });

  test('of every length around the scanner’s block sizes', () => {
    const lengths = Array.from({ length: 140 }, (_, length) => length);
    for (const unit of ['x', 'é', '漢', '😀', '\\n', '\\u00e9']) {
      const events = lengths.map(
        (length) => `{"t":${length},"e":5,"v":{"11":"${unit.repeat(length)}"},"a":{"0":"${'y'.repeat(length)}"}}`,
      );
      expectAsModelled(bodyOf(...events));
    }
  });

  test('with an escape at every place of a long text', () => {
    for (let place = 0; place < 80; place++) {
      for (const special of ['\\"', '\\\\', '\\u00e9', '\\ud83d\\ude00', 'é', '😀']) {
        const wire = `${'x'.repeat(place)}${special}${'x'.repeat(80 - place)}`;
        expect(onlyEvent(promptBody(`"11":"${wire}"`)).values).toEqual({ inputText: JSON.parse(`"${wire}"`) });
      }
    }
  });

  test('that repeat from event to event, and that nearly do', () => {
    const values = ['claude', 'claudf', 'claude', 'claude ', 'Claude', 'claud', 'claude', 'clаude', ''];
    const events = values.map((value, index) => `{"t":${index},"e":2,"v":{},"a":{"20":"${value}","21":"${value}"}}`);
    const batch = parseMetricsBatch(bodyOf(...events));
    expect(batch.events.map(({ attributes }) => [attributes.tool, attributes.model])).toEqual(
      values.map((value) => [value, value]),
    );
  });

  test('of one megabyte', () => {
    for (const unit of ['x', 'é', '😀']) {
      const value = unit.repeat(1_000_000 / Buffer.byteLength(unit));
      expect(onlyEvent(promptBody(`"11":"${value}"`)).values.inputText).toBe(value);
    }
  });
});

describe('many events', () => {
  test('stay in the order of the request', () => {
    const events = Array.from({ length: 1_000 }, (_, index) => `{"t":${index},"e":${(index % 7) + 1},"v":{},"a":{}}`);
    const batch = parseMetricsBatch(bodyOf(...events));
    expect(batch.errors).toEqual([]);
    expect(batch.events.map(({ timestamp }) => timestamp)).toEqual(events.map((_, index) => index));
  });

  test('each with another set of fields', () => {
    // All 2^13 sets of thirteen fields, once with values and once with nulls.
    for (let first = 0; first < 2 ** 13; first += 1_000) {
      const events = Array.from({ length: Math.min(1_000, 2 ** 13 - first) }, (_, index) => {
        const set = first + index;
        const members = METRICS[0].fields
          .filter(({ position }) => (set >> position) & 1)
          .map(({ position, type }) => `"${position}":${position % 3 === set % 3 ? 'null' : SAMPLES[type][0]}`);
        return `{"t":${set},"e":1,"v":{${members}},"a":{}}`;
      });
      expectAsModelled(bodyOf(...events));
    }
  });

  test('one set of fields again and again, each time with other values', () => {
    // Frequent shapes take another code path than rare ones, but the values must be the same.
    const value = (type: keyof typeof SAMPLES, round: number): string => {
      if (type.endsWith('[]')) {
        const items = Array.from({ length: round % 4 }, (_, n) => value(type.slice(0, -2) as 'u32', round + n));
        return `[${items}]`;
      }
      if (type === 'string') return JSON.stringify(['', 'x', `é${round}`, '漢', '😀'.repeat(round % 30)][round % 5]);
      if (type === 'bool') return String(round % 2 === 0);
      const most = type === 'u32' ? 4_294_967_295 : 9_007_199_254_740_991;
      return String([0, 1, most, round, most - round, 65_536][round % 6]);
    };
    for (const { id, fields } of METRICS) {
      for (const odd of [-1, ...fields.map(({ position }) => position)]) {
        const events = Array.from({ length: 150 }, (_, round) => {
          const members = fields.map(({ position, type }) => {
            // One field is sometimes null and sometimes of the wrong type.
            const strange = position === odd ? ['null', '{}', '-1', 'null'][round % 7] : undefined;
            return `"${position}":${strange ?? value(type, round + position)}`;
          });
          return `{"t":${round},"e":${id},"v":{${members}},"a":{"0":"${round}","30":null,"20":"${round % 3}"}}`;
        });
        expectAsModelled(bodyOf(...events));
      }
    }
  });

  test('growing numbers of events, of fields and of elements', () => {
    for (let count = 1; count < 15_000; count = Math.ceil(count * 1.15)) {
      const numbers = Array.from({ length: count }, (_, index) => index);
      const positions = numbers.slice(0, 1024);
      const unknown = positions.map((index) => `"p${index}":[${index}]`);
      const texts = numbers.map((index) => `"t${index}"`);
      const events = [
        ...numbers.slice(0, 900).map((index) => `{"t":${index},"e":5,"v":{"7":${index},"1":"${index}"},"a":{}}`),
        `{"t":1,"e":1,"v":{"3":[${texts}],"4":[${numbers}],"9":[${numbers}],"12":"end"},"a":{"0":"x"}}`,
        `{"t":1,"e":5,"v":{${unknown}},"a":{"0":"y"}}`,
      ];
      const batch = parseMetricsBatch(bodyOf(...events));
      expect(batch.events).toHaveLength(events.length);
      expect(batch.events.at(-2)).toEqual({
        metric: 'committed',
        timestamp: 1,
        values: {
          toolModelPairs: numbers.map((index) => `t${index}`),
          mixedAdditions: numbers,
          timeWaitingForAi: numbers,
          commitBody: 'end',
        },
        attributes: { gitAiVersion: 'x' },
      });
      expect(batch.events.at(-1)).toEqual({
        metric: 'prompt_event',
        timestamp: 1,
        values: {},
        attributes: { gitAiVersion: 'y' },
        unknown: positions.map((index) => ({ section: 'values', position: `p${index}`, json: `[${index}]` })),
      });
    }
  });

  test('a body decodes alike as text and as bytes', () => {
    const body = bodyOf('{"t":1,"e":5,"v":{"11":"é漢😀"},"a":{}}', '5', '{"t":"x"}');
    expect(parseMetricsBatch(Buffer.from(body))).toEqual(parseMetricsBatch(body));
  });
});
