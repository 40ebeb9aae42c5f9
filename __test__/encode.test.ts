import fc from 'fast-check';
import { encodeMetricsBatch, type MetricEvent, parseMetricsBatch } from '../index.js';
import { ATTRIBUTES, canonical, encode as encodeByModel, METRICS, type ModelEvent, readJson } from './model';
import { asDecoded, metricEvents } from './random';
import { dialectAttributes, each, encode, expectNoUndefined, thrown } from './support';

const VALUES = {
  u32: 4_294_967_295,
  u64: 9_007_199_254_740_991,
  bool: false,
  string: 'é "😀"\n',
  'u32[]': [0, 4_294_967_295],
  'u64[]': [9_007_199_254_740_991, 0],
  'string[]': ['all', ''],
  json: '{"a" : [1.0, null]}',
} as const;

const TABLE = METRICS.flatMap((metric) =>
  metric.fields.map((field) => ({ ...field, metric: metric.name, id: metric.id })),
);

const prompt = (more: object = {}): MetricEvent =>
  ({ metric: 'prompt_event', timestamp: 1, values: {}, attributes: {}, ...more }) as MetricEvent;

const textOf = (...events: unknown[]) => encode(events).toString('utf8');

describe('the output', () => {
  test('the example of the wire format', () => {
    const events: MetricEvent[] = [
      {
        metric: 'prompt_event',
        timestamp: 1_775_587_555,
        values: { kind: 'ToolCall', parentId: null },
        attributes: { gitAiVersion: '1.1.23', tool: 'claude' },
      },
    ];
    expect(encodeMetricsBatch(events).toString()).toBe(
      '{"v":1,"events":[{"t":1775587555,"e":5,"v":{"0":"ToolCall","2":null},"a":{"0":"1.1.23","20":"claude"}}]}',
    );
  });

  test('an empty batch', () => {
    expect(textOf()).toBe('{"v":1,"events":[]}');
  });

  test('a Buffer', () => {
    expect(Buffer.isBuffer(encodeMetricsBatch([]))).toBe(true);
  });

  test.each(TABLE)('$metric, $name goes to position $position', ({ metric, id, position, name, type }) => {
    const { wire, attributes } = dialectAttributes(metric);
    const write = (value: unknown) => textOf({ metric, timestamp: 3, values: { [name]: value }, attributes });
    const json = type === 'json' ? VALUES[type] : JSON.stringify(VALUES[type]);
    expect(write(VALUES[type])).toBe(`{"v":1,"events":[{"t":3,"e":${id},"v":{"${position}":${json}},"a":{${wire}}}]}`);
    expect(write(null)).toBe(`{"v":1,"events":[{"t":3,"e":${id},"v":{"${position}":null},"a":{${wire}}}]}`);
    expect(write(undefined)).toBe(`{"v":1,"events":[{"t":3,"e":${id},"v":{},"a":{${wire}}}]}`);
  });

  test.each(ATTRIBUTES)('attribute $name goes to position $position', ({ position, name }) => {
    const write = (value: unknown) =>
      textOf({ metric: 'agent_usage', timestamp: 3, values: {}, attributes: { [name]: value } });
    expect(write('x')).toBe(`{"v":1,"events":[{"t":3,"e":2,"v":{},"a":{"${position}":"x"}}]}`);
    expect(write(null)).toBe(`{"v":1,"events":[{"t":3,"e":2,"v":{},"a":{"${position}":null}}]}`);
    expect(write(undefined)).toBe('{"v":1,"events":[{"t":3,"e":2,"v":{},"a":{}}]}');
  });

  test('known positions ascend, and unknown ones follow in their order', () => {
    const event = {
      unknown: [
        { section: 'attributes', position: 'z', json: '[]' },
        { section: 'values', position: '99', json: '1.0' },
        { section: 'values', position: '16', json: '"x"' },
        { section: 'attributes', position: '7', json: '{}' },
      ],
      attributes: { tool: 'c', gitAiVersion: '1' },
      values: { endReason: 'signal', kind: 'SessionEnd', inputHash: 'h' },
      timestamp: 0,
      metric: 'prompt_event',
    };
    expect(textOf(event)).toBe(
      '{"v":1,"events":[{"t":0,"e":5,"v":{"0":"SessionEnd","10":"h","15":"signal","99":1.0,"16":"x"},"a":{"0":"1","20":"c","z":[],"7":{}}}]}',
    );
  });

  test('an unknown metric by its number', () => {
    const event = {
      metric: 'unknown',
      metricId: 65_535,
      timestamp: 4_294_967_295,
      values: {},
      attributes: {},
      unknown: [{ section: 'values', position: '0', json: '{"a": 1}' }],
    };
    expect(textOf(event)).toBe('{"v":1,"events":[{"t":4294967295,"e":65535,"v":{"0":{"a": 1}},"a":{}}]}');
  });

  test('the text of an unknown value unchanged', () => {
    const json = '{ "b" : [ 1.0 , 1e3 ], "b":"\\u0041\\ud800é" }';
    expect(textOf(prompt({ unknown: [{ section: 'values', position: '99', json }] }))).toContain(`"99":${json}`);
  });

  test('a kind that is new to this version', () => {
    expect(textOf(prompt({ values: { kind: 'Telepathy' } }))).toContain('"v":{"0":"Telepathy"}');
  });

  test('an unknown field that this version can name decodes as the field', () => {
    const body = encode([prompt({ unknown: [{ section: 'values', position: '5', json: '"opus"' }] })]);
    expect(parseMetricsBatch(body).events).toEqual([prompt({ values: { model: 'opus' } })]);
  });

  test('an empty list of unknown fields, or an undefined one, is none', () => {
    for (const unknown of [[], undefined]) {
      expect(textOf(prompt({ unknown }))).toBe('{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{}}]}');
    }
  });

  test('more events than a client puts into one upload', () => {
    const events = Array.from({ length: 5_000 }, (_, timestamp) => prompt({ timestamp }));
    expect(parseMetricsBatch(encodeMetricsBatch(events), { maxEvents: 5_000 }).events).toEqual(events);
  });

  test('lists of growing length, one behind the other', () => {
    // Some length is the first that needs more memory than a call has at its start.
    for (let length = 1; length < 100_000; length = Math.ceil(length * 1.07)) {
      const values = {
        toolModelPairs: Array(length).fill('x'),
        aiAdditions: Array(length).fill(4_294_967_295),
        timeWaitingForAi: Array(length).fill(9_007_199_254_740_991),
        commitBody: 'the end',
      };
      const text = textOf({ metric: 'committed', timestamp: 1, values, attributes: { tool: 'y' } });
      const [event] = JSON.parse(text).events;
      expect([event.v['3'].length, event.v['5'].length, event.v['9'].length]).toEqual([length, length, length]);
      expect(event.v['5'].every((item: number) => item === 4_294_967_295)).toBe(true);
      expect(event.v['9'].every((item: number) => item === 9_007_199_254_740_991)).toBe(true);
      expect([event.v['12'], event.a]).toEqual(['the end', { '20': 'y' }]);
    }
  });

  test('growing numbers of events and of unknown fields', () => {
    for (let count = 1; count < 20_000; count = Math.ceil(count * 1.1)) {
      const events = Array.from({ length: count }, (_, timestamp) =>
        prompt({ timestamp, values: { startTs: 2 ** 40 } }),
      );
      expect(JSON.parse(textOf(...events)).events.at(-1)).toEqual({ t: count - 1, e: 5, v: { '7': 2 ** 40 }, a: {} });
      const unknown = events
        .slice(0, 1024)
        .map((_, position) => ({ section: 'values', position: `p${position}`, json: '[1]' }));
      const event = JSON.parse(textOf(prompt({ unknown, attributes: { tool: 'y' } }))).events[0];
      expect(Object.keys(event.v)).toEqual(unknown.map(({ position }) => position));
      expect(event.a).toEqual({ '20': 'y' });
    }
  });

  test('frozen events, which stay as they were', () => {
    const event = prompt({
      values: Object.freeze({ kind: 'x', model: undefined }),
      attributes: Object.freeze({ tool: 'y' }),
      unknown: Object.freeze([Object.freeze({ section: 'values', position: '99', json: '1' })]),
    });
    const before = structuredClone(event);
    expect(textOf(...Object.freeze([Object.freeze(event)]))).toContain('"0":"x"');
    expect(event).toStrictEqual(before);
  });

  test('decoded events unchanged', () => {
    const body = '{"v":1,"events":[{"t":1,"e":5,"v":{"0":"x","5":null,"99":1.0},"a":{"20":"y","__proto__":1}}]}';
    expect(encodeMetricsBatch(parseMetricsBatch(body).events).toString()).toBe(body);
  });
});

describe('attributes that come again', () => {
  const attributesOf = (...events: unknown[]) =>
    (JSON.parse(textOf(...events)).events as { a: object }[]).map(({ a }) => a);

  test('those of many sessions in turn', () => {
    for (const sessions of [1, 2, 4, 5, 9]) {
      const events = Array.from({ length: 60 }, (_, n) =>
        prompt({ attributes: { tool: 'claude', promptId: `p${n % sessions}`, branch: n % 3 === 0 ? null : 'main' } }),
      );
      expect(attributesOf(...events)).toEqual(
        events.map((_, n) => ({ '5': n % 3 === 0 ? null : 'main', '20': 'claude', '22': `p${n % sessions}` })),
      );
    }
  });

  test('those that differ in one field, in its state or in their order', () => {
    const all = [
      { tool: 'x', model: 'y' },
      { model: 'y', tool: 'x' },
      { tool: 'x' },
      { tool: 'x', model: null },
      { tool: 'x', model: undefined },
      { tool: 'x', branch: 'y' },
      {},
    ];
    const expected = [
      { '20': 'x', '21': 'y' },
      { '20': 'x', '21': 'y' },
      { '20': 'x' },
      { '20': 'x', '21': null },
      { '20': 'x' },
      { '5': 'y', '20': 'x' },
      {},
    ];
    for (let i = 0; i < all.length; i++) {
      for (let j = 0; j < all.length; j++) {
        const events = [i, j, i, j].map((n) => prompt({ attributes: all[n] }));
        expect(attributesOf(...events)).toEqual([i, j, i, j].map((n) => expected[n]));
      }
    }
  });

  test('unknown fields of one event are not those of the next', () => {
    const attributes = { tool: 'x' };
    const unknown = [{ section: 'attributes', position: '99', json: '1' }];
    const events = [{}, { unknown }, {}, { unknown }, {}].map((more) => prompt({ attributes, ...more }));
    const [plain, more] = [{ '20': 'x' }, { '20': 'x', '99': 1 }];
    expect(attributesOf(...events)).toEqual([plain, more, plain, more, plain]);
    expect(attributesOf(...events.slice(1))).toEqual([more, plain, more, plain]);
  });

  test('one object that changes while it is read, of which each value is read once', () => {
    let reads = 0;
    const attributes = {
      get tool() {
        return `t${reads++}`;
      },
      branch: 'main',
    };
    const event = prompt({ attributes });
    expect(attributesOf(event, event, event)).toEqual(['t0', 't1', 't2'].map((tool) => ({ '5': 'main', '20': tool })));
    expect(reads).toBe(3);
  });

  test('a getter that encodes others meanwhile', () => {
    const other = Array.from({ length: 6 }, (_, n) => prompt({ attributes: { tool: `other ${n}` } }));
    const attributes = {
      branch: 'main',
      get tool() {
        expect(attributesOf(...other, ...other)).toHaveLength(12);
        return 'x';
      },
      model: 'y',
    };
    const event = prompt({ attributes });
    const expected = { '5': 'main', '20': 'x', '21': 'y' };
    expect(attributesOf(other[0], event, other[0], event)).toEqual([
      { '20': 'other 0' },
      expected,
      { '20': 'other 0' },
      expected,
    ]);
  });
});

describe('texts', () => {
  const written = (value: string) => {
    const body = encode([prompt({ values: { inputText: value }, attributes: { customAttributes: value } })]);
    // A fatal decoder, because the output must be UTF-8 for every text.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    const event = JSON.parse(text).events[0];
    expect(event.a['30']).toBe(event.v['11']);
    return { text, value: event.v['11'] };
  };

  test('every UTF-16 unit alone', () => {
    const units = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));
    const events = units.map((unit) => prompt({ values: { inputText: unit } }));
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(encodeMetricsBatch(events));
    const read = JSON.parse(text).events.map((event: { v: Record<string, string> }) => event.v['11']);
    expect(read.join()).toBe(units.join());
  });

  test('every control character, quote and backslash at every place', () => {
    for (const character of ['"', '\\', '\0', '\n', '\x1f', '\x7f', '\u2028', 'é', '漢', '😀', '\ud800', '\udc00']) {
      for (let place = 0; place < 40; place++) {
        const value = 'x'.repeat(place) + character + 'x'.repeat(40 - place);
        expect(written(value).value).toBe(value);
      }
    }
  });

  test('a lone surrogate is written as an escape, as JSON.stringify writes it', () => {
    for (const value of ['\ud800', '\udfff', 'a\ud83d', '\ude00\ud83d', 'é\udc00漢', '😀\ud83d']) {
      const { text, value: read } = written(value);
      expect(read).toBe(value);
      expect(text).toContain(JSON.stringify(value));
    }
  });

  test('a lone surrogate in the position of an unknown field', () => {
    const body = encode([prompt({ unknown: [{ section: 'values', position: 'a\ud800', json: '1' }] })]);
    expect(body.toString()).toContain('"a\\ud800":1');
    expect(parseMetricsBatch(body).events[0].unknown?.[0].position).toBe('a\ud800');
  });

  test('a lone surrogate in the JSON of an unknown field never makes bytes that are not UTF-8', () => {
    const events = [prompt({ unknown: [{ section: 'values', position: '99', json: '"\ud800"' }] })];
    let body: Buffer;
    try {
      body = encodeMetricsBatch(events);
    } catch (error) {
      // Refusing it is fine too.
      expect((error as { code: string }).code).toBe('ERR_INVALID_ARGUMENT');
      return;
    }
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(body)).not.toThrow();
    expect(() => parseMetricsBatch(body)).not.toThrow();
  });

  test('of every length around the block sizes of copying', () => {
    for (const unit of ['x', 'é', '漢', '😀', '"']) {
      for (let length = 0; length < 140; length++) expect(written(unit.repeat(length)).value).toBe(unit.repeat(length));
    }
  });

  test('made by slicing and joining', () => {
    // V8 stores such strings in special forms until they are read.
    const base = 'naïve 漢字 text of more than thirteen characters'.repeat(3);
    for (const value of [base.slice(5, 60), base.slice(0, 5) + base.slice(20), `${base}${base}`.replace('text', '')]) {
      expect(written(value).value).toBe(value);
    }
  });

  test('of ten megabytes', () => {
    for (const unit of ['x', '漢', '\n']) {
      const value = unit.repeat(10_000_000 / Buffer.byteLength(unit));
      expect(written(value).value === value).toBe(true);
    }
  });
});

describe('refusals', () => {
  /** The error names the place: ERR_INVALID_ARGUMENT and the path. */
  const expectRefused = (event: unknown, path: string) => {
    // Between valid events, so that the index must be right.
    const error = thrown(() => encode([prompt(), prompt(), prompt(), event, prompt()]));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    const at = error.message.indexOf(`events[3]${path}`);
    expect(at === -1 ? error.message : '').toBe('');
    // The whole path, not the start of a longer one.
    expect(error.message.slice(at + `events[3]${path}`.length)).not.toMatch(/^\w/);
    expect(error.message).not.toContain('\n');
  };

  test.each(each(undefined, null, 5, 'x', {}, { length: 0 }, new Set(), new Uint8Array(2), Symbol('s')))(
    'a list of events that is %p',
    (wrong) => {
      const error = thrown(() => encode(wrong));
      expect(error.code).toBe('ERR_INVALID_ARGUMENT');
      expect(error.message).toContain('events');
    },
  );

  test.each(each(undefined, null, 5, 'x', true, [], () => 0, Symbol('s'), 5n))('an event that is %p', (wrong) => {
    expectRefused(wrong, '');
  });

  test('a hole in the list of events', () => {
    const events = [prompt(), prompt()];
    events.length = 4;
    events[3] = prompt();
    const error = thrown(() => encodeMetricsBatch(events));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    expect(error.message).toContain('events[2]');
  });

  test.each(
    each(undefined, null, 5, '', 'Prompt_event', 'promptEvent', '__proto__', 'constructor', 'toString', {}, []),
  )('the metric %p', (metric) => expectRefused({ ...prompt(), metric }, '.metric'));

  test.each(
    each(undefined, null, '1', -1, 1.5, 4_294_967_296, Number.NaN, Number.POSITIVE_INFINITY, 5n, {}, new Date(0)),
  )('the timestamp %p', (timestamp) => expectRefused({ ...prompt(), timestamp }, '.timestamp'));

  test.each(each(undefined, null, '6', -1, 6.5, 65_536, Number.NaN, 2 ** 32 + 6))('the metricId %p', (metricId) => {
    expectRefused({ metric: 'unknown', metricId, timestamp: 1, values: {}, attributes: {} }, '.metricId');
  });

  test('a metricId on a metric that has a name', () => {
    expectRefused({ ...prompt(), metricId: 5 }, '.metricId');
  });

  test.each(['values', 'attributes'])('%s that are no object', (section) => {
    for (const wrong of [undefined, null, 5, 'x', true, [], ['x'], () => 0]) {
      expectRefused({ ...prompt(), [section]: wrong }, `.${section}`);
    }
  });

  test.each(['extra', 'error', 'index', 'v', 'Timestamp', 'constructor', 'toString'])(
    'an event with the property %s',
    (name) => expectRefused({ ...prompt(), [name]: 1 }, `.${name}`),
  );

  test.each(['kind ', '0', '', 'a.b', 'a"b', 'a\nb', '\ud800'])('values with the property %p', (name) => {
    // Only an identifier can follow a dot.
    for (const section of ['values', 'attributes']) {
      expectRefused(prompt({ [section]: { [name]: 'x' } }), `.${section}[${JSON.stringify(name)}]`);
    }
  });

  test.each(['Kind', 'event_id', 'gitAiVersion', 'constructor', 'toString', 'hasOwnProperty', 'length'])(
    'values and attributes with the property %s',
    (name) => {
      expectRefused(prompt({ values: { [name]: 'x' } }), `.values.${name}`);
      if (name !== 'gitAiVersion') expectRefused(prompt({ attributes: { [name]: 'x' } }), `.attributes.${name}`);
    },
  );

  test('__proto__ as an own property', () => {
    const own = JSON.parse('{"__proto__":"x"}');
    expectRefused(prompt({ values: own }), '.values.__proto__');
    expectRefused(prompt({ attributes: own }), '.attributes.__proto__');
    expectRefused(Object.assign(JSON.parse('{"__proto__":{}}'), prompt()), '.__proto__');
  });

  test('a field of another metric', () => {
    const event = (metric: string, values: object) => ({ metric, timestamp: 1, values, attributes: {} });
    expectRefused(event('committed', { kind: 'x' }), '.values.kind');
    expectRefused(event('prompt_event', { humanAdditions: 1 }), '.values.humanAdditions');
    expectRefused(event('checkpoint', { eventId: 'x' }), '.values.eventId');
    expectRefused(event('install_hooks', { kind: 'x' }), '.values.kind');
    expectRefused(event('agent_usage', { kind: 'x' }), '.values.kind');
    expectRefused({ ...event('unknown', { kind: 'x' }), metricId: 7 }, '.values.kind');
  });

  /** Values that arithmetic would convert to a number, or fail on. */
  const NEVER_NUMBERS = [[1], {}, Object(1), new Date(0), { valueOf: () => 1 }, Symbol('s'), () => 1];
  const WRONG: Record<string, unknown[]> = {
    u32: ['1', true, -1, 1.5, 4_294_967_296, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, -0.5, 5n, ...NEVER_NUMBERS],
    u64: ['1', true, -1, 1.5, 2 ** 53, 2 ** 64, Number.NaN, Number.NEGATIVE_INFINITY, 5n, ...NEVER_NUMBERS],
    bool: [0, 1, '', 'true', [], {}, Object(true), Symbol('s'), 5n, () => true],
    json: [0, true, [], {}, Object('{}'), Symbol('s'), 5n, () => '{}', '', ' {}', '{} ', '{', '1,2', '"\ud800"'],
    string: [0, true, [], ['x'], {}, Object('x'), Symbol('s'), 5n, () => 'x'],
  };

  test.each([...TABLE, ...ATTRIBUTES.map((field) => ({ ...field, metric: '', id: 0 }))])(
    '$metric, $name of a wrong type',
    ({ metric, name, type }) => {
      const section = metric === '' ? 'attributes' : 'values';
      const event = (value: unknown) => ({
        metric: metric || 'agent_usage',
        timestamp: 1,
        values: {},
        ...(section === 'values' ? { attributes: dialectAttributes(metric).attributes } : { attributes: {} }),
        [section]: { [name]: value },
      });
      if (!type.endsWith('[]')) {
        for (const wrong of WRONG[type]) expectRefused(event(wrong), `.${section}.${name}`);
        return;
      }
      for (const wrong of [0, 'x', true, {}, { length: 0 }, new Set(['x']), () => 0]) {
        expectRefused(event(wrong), `.${section}.${name}`);
      }
      for (const wrong of [...WRONG[type.slice(0, -2)], null, undefined]) {
        const good = VALUES[type] as readonly unknown[];
        const error = thrown(() => encode([event([good[0], wrong, good[1]])]));
        expect(error.code).toBe('ERR_INVALID_ARGUMENT');
        expect(error.message).toContain(`events[0].${section}.${name}`);
      }
      // A hole reads as undefined, which isn't allowed in a list.
      const holed = [...(VALUES[type] as readonly unknown[])];
      holed.length = 3;
      expect(thrown(() => encode([event(holed)])).code).toBe('ERR_INVALID_ARGUMENT');
    },
  );

  test.each(each(null, 5, 'x', true, {}, { length: 0 }))('a list of unknown fields that is %p', (unknown) => {
    expectRefused(prompt({ unknown }), '.unknown');
  });

  const good = { section: 'values', position: '98', json: '1' };
  const expectUnknownRefused = (field: unknown, path: string) =>
    expectRefused(prompt({ unknown: [good, field, { ...good, position: '97' }] }), `.unknown[1]${path}`);

  test.each(each(undefined, null, 5, 'x', true, []))('an unknown field that is %p', (field) => {
    expectUnknownRefused(field, '');
  });

  test.each(each(undefined, null, 5, '', 'value', 'Values', 'v', '__proto__', 'metric'))(
    'the section %p',
    (section) => {
      expectUnknownRefused({ section, position: '99', json: '1' }, '.section');
    },
  );

  test.each(each(undefined, null, 99, true, ['99'], Object('99')))('the position %p', (position) => {
    expectUnknownRefused({ section: 'values', position, json: '1' }, '.position');
  });

  test('an unknown field with a property of another name', () => {
    expectUnknownRefused({ section: 'values', position: '99', json: '1', value: 1 }, '.value');
  });

  test.each(each(undefined, null, 5, true, {}, ['1'], Object('1')))('JSON that is no text: %p', (json) => {
    expectUnknownRefused({ section: 'values', position: '99', json }, '.json');
  });

  // A text that isn't exactly one value could inject other JSON into the upload.
  test.each([
    '',
    ' ',
    '1,2',
    '1 2',
    '1,"0":"HumanMessage"',
    '1},"a":{"20":"forged"},"v":{"0":1',
    '1}',
    ']',
    '}',
    ',',
    ':1',
    '{}{}',
    '[][]',
    '"a""b"',
    '"a":1',
    '"a',
    '"a\\"',
    '"\n"',
    '"\0"',
    '"\\x"',
    '"\\u12"',
    '[1',
    '[1,]',
    '[,1]',
    '[1 2]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    "'a'",
    '01',
    '+1',
    '1.',
    '.1',
    '1e',
    '-',
    '0x1',
    '1_000',
    'NaN',
    'Infinity',
    '-Infinity',
    'undefined',
    'nul',
    'nullx',
    'True',
    'tru e',
    '1//',
    '/**/1',
    '\ufeff1',
    '1\ufeff',
    '\u00a01',
    '1\0',
    '\0',
    '1\v',
  ])('JSON that is not exactly one value: %p', (json) => {
    expect(() => JSON.parse(json)).toThrow();
    for (const section of ['values', 'attributes']) {
      expectUnknownRefused({ section, position: '99', json }, '.json');
    }
  });

  test('an unknown field at the place of a field that is set', () => {
    for (const value of ['x', null]) {
      const unknown = [{ section: 'values', position: '5', json: '1' }];
      expectRefused(prompt({ values: { model: value }, unknown }), '.unknown[0]');
    }
    const unknown = [{ section: 'attributes', position: '21', json: '1' }];
    expectRefused(prompt({ attributes: { model: 'x' }, unknown }), '.unknown[0]');
  });

  test('an unknown field at the place of a field that is undefined is at a free place', () => {
    const unknown = [{ section: 'values', position: '5', json: '{}' }];
    expect(textOf(prompt({ values: { model: undefined }, unknown }))).toContain('"v":{"5":{}}');
  });

  test('a prompt event that would decode as a session event', () => {
    for (const sessionId of ['s_1', '', null]) {
      expectRefused(prompt({ attributes: { sessionId } }), '.attributes.sessionId');
      const unknown = [{ section: 'attributes', position: '24', json: JSON.stringify(sessionId) }];
      expectRefused(prompt({ unknown }), '.attributes.sessionId');
    }
    for (const json of ['{}', '[1]']) {
      expectRefused(prompt({ unknown: [{ section: 'values', position: '0', json }] }), '.unknown');
    }
    const harmless = [
      { section: 'attributes', position: '24', json: '5' },
      { section: 'values', position: '0', json: '5' },
    ];
    expect(parseMetricsBatch(encode([prompt({ unknown: harmless })])).events[0]?.metric).toBe('prompt_event');
  });

  test('a session event that would decode as a prompt event', () => {
    const session = (values: object, more = {}) => ({
      metric: 'session_event',
      timestamp: 1,
      values,
      attributes: {},
      ...more,
    });
    for (const rawJson of [undefined, null, '5', '"x"', 'true']) {
      expectRefused(session({ rawJson }), '.values.rawJson');
      expect(textOf(session({ rawJson }, { attributes: { sessionId: '' } }))).toContain('"24":""');
    }
    for (const rawJson of ['{}', '[ ]']) expect(textOf(session({ rawJson }))).toContain(`"0":${rawJson}`);
  });

  test('more than 1,024 unknown fields, which decoding would refuse', () => {
    const unknown = Array.from({ length: 1025 }, (_, n) => ({
      section: n % 2 === 0 ? 'values' : 'attributes',
      position: `p${n}`,
      json: '1',
    }));
    expectRefused(prompt({ unknown }), '.unknown');
    expect(parseMetricsBatch(encode([prompt({ unknown: unknown.slice(1) })])).errors).toEqual([]);
  });

  test('two unknown fields at one place', () => {
    expectUnknownRefused(good, '');
    expectRefused(
      prompt({
        unknown: [
          { section: 'attributes', position: '__proto__', json: '1' },
          { section: 'values', position: '__proto__', json: '1' },
          { section: 'attributes', position: '__proto__', json: '2' },
        ],
      }),
      '.unknown[2]',
    );
  });

  test('after a refusal the next call is as good as before', () => {
    const before = textOf(prompt({ values: { kind: 'x' } }));
    expect(() => encode([prompt({ values: { kind: 'left over' } }), prompt({ values: { model: 5 } })])).toThrow();
    expect(textOf(prompt({ values: { kind: 'x' } }))).toBe(before);
  });
});

describe('events that run code while they are read', () => {
  /** An event whose `kind` runs something when it is read. */
  const reading = (run: () => unknown) =>
    prompt({
      values: {
        get kind() {
          run();
          return 'x';
        },
        model: 'after',
      },
    });
  const plain = '{"t":1,"e":5,"v":{"0":"x","5":"after"},"a":{}}';
  const read = (body: Buffer) => canonical(readJson(new TextDecoder('utf-8', { fatal: true }).decode(body)));

  test('a getter that decodes and encodes others meanwhile', () => {
    const other = prompt({ values: { inputText: '漢'.repeat(5_000), startTs: 5 }, attributes: { tool: 'other' } });
    const event = reading(() => {
      const body = encodeMetricsBatch([other, other, other]);
      expect(parseMetricsBatch(body).events).toEqual([other, other, other]);
    });
    const body = encode([prompt({ values: { kind: 'first' } }), event, prompt({ values: { kind: 'last' } })]);
    expect(read(body)).toEqual(
      canonical(
        readJson(
          `{"v":1,"events":[{"t":1,"e":5,"v":{"0":"first"},"a":{}},${plain},{"t":1,"e":5,"v":{"0":"last"},"a":{}}]}`,
        ),
      ),
    );
  });

  test('a getter that fails: its error comes through, and the next call is as good as before', () => {
    for (const error of [new Error('of the caller'), new RangeError('of the caller'), 'of the caller']) {
      const failing = reading(() => {
        throw error;
      });
      expect(() => encode([prompt(), failing])).toThrow('of the caller');
    }
    expect(textOf(prompt())).toBe('{"v":1,"events":[{"t":1,"e":5,"v":{},"a":{}}]}');
  });

  test('a getter that makes the list of events longer or shorter', () => {
    for (const length of [0, 1, 50]) {
      const events: MetricEvent[] = [prompt(), reading(() => grow()), prompt()];
      const grow = () => {
        while (events.length < length) events.push(prompt());
        events.length = length;
      };
      let body: Buffer;
      try {
        body = encodeMetricsBatch(events);
      } catch (error) {
        expect((error as { code: string }).code).toBe('ERR_INVALID_ARGUMENT');
        continue;
      }
      expect(parseMetricsBatch(body).errors).toEqual([]);
    }
  });

  test('a value that changes at each read never makes an invalid batch', () => {
    const values: unknown[] = [
      '1',
      '1],[',
      '"',
      5,
      null,
      undefined,
      'x'.repeat(10_000),
      '\ud800',
      [1],
      [],
      Symbol('s'),
      -1,
    ];
    const changing = (first: number) => {
      let reads = first;
      return () => values[reads++ % values.length];
    };
    const names = ['kind', 'startTs', 'error', 'inputText'];
    const json = changing(0);
    for (let first = 0; first < values.length; first++) {
      const event = prompt({ values: {}, unknown: [{ section: 'values', position: '99' }] });
      for (const name of names) Object.defineProperty(event.values, name, { enumerable: true, get: changing(first) });
      Object.defineProperty(event.unknown?.[0], 'json', { enumerable: true, get: json });
      const committed = { metric: 'committed', timestamp: 1, values: { aiAdditions: [1, 2, 3] }, attributes: {} };
      Object.defineProperty(committed.values.aiAdditions, 1, { enumerable: true, get: changing(first) });
      for (const each of [event, committed]) {
        let body: Buffer;
        try {
          body = encode([prompt(), each, prompt()]);
        } catch (error) {
          expect((error as { code: string }).code).toBe('ERR_INVALID_ARGUMENT');
          continue;
        }
        const batch = parseMetricsBatch(body);
        expect(batch.errors).toEqual([]);
        expect(batch.events).toHaveLength(3);
        expect(batch.events[2]).toEqual(prompt());
      }
    }
  });

  test('a list that changes its length while it is read', () => {
    for (const length of [0, 1, 500]) {
      const list: unknown[] = ['a', 'b', 'c'];
      Object.defineProperty(list, 1, {
        configurable: true,
        enumerable: true,
        get() {
          while (list.length < length) list.push('more');
          list.length = Math.max(length, 2);
          return 'b';
        },
      });
      const event = {
        metric: 'committed',
        timestamp: 1,
        values: { toolModelPairs: list, aiAdditions: [7] },
        attributes: {},
      };
      let body: Buffer;
      try {
        body = encode([event, prompt()]);
      } catch (error) {
        expect((error as { code: string }).code).toBe('ERR_INVALID_ARGUMENT');
        continue;
      }
      const { events } = parseMetricsBatch(body);
      expect(events[0].values).toMatchObject({ aiAdditions: [7] });
      expect(events[1]).toEqual(prompt());
    }
  });

  test('properties that all objects inherit are of no event', () => {
    const inherited = { kind: 'x', tool: 'y', unknown: 5, surplus: 1 };
    const event = prompt({ values: { model: 'm' }, attributes: { branch: 'b' } });
    const expected = textOf(event, event);
    try {
      for (const [name, value] of Object.entries(inherited)) {
        Object.defineProperty(Object.prototype, name, { configurable: true, enumerable: true, value });
      }
      expect(textOf(event, event)).toBe(expected);
    } finally {
      for (const name of Object.keys(inherited)) Reflect.deleteProperty(Object.prototype, name);
    }
    expect(textOf(event, event)).toBe(expected);
    const bare = { __proto__: null, ...event, values: { __proto__: { kind: 'x' }, model: 'm' } };
    expect(() => textOf(bare)).toThrow();
    expect(textOf({ ...bare, values: { __proto__: null, model: 'm' } }, event)).toBe(expected);
  });

  test('events behind a proxy', () => {
    const event = prompt({ values: { kind: 'x', model: null }, attributes: { tool: 'y' } });
    const proxied = new Proxy({ ...event, values: new Proxy(event.values, {}) }, {});
    expect(textOf(proxied)).toBe(textOf(event));
  });
});

describe('properties', () => {
  test('any events encode to the document of the model', () => {
    fc.assert(
      fc.property(metricEvents(), (events) => {
        const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(encode(events));
        expect(canonical(readJson(text))).toEqual(canonical(readJson(encodeByModel(events))));
      }),
      { numRuns: 500 },
    );
  });

  test('any events come back as they were', () => {
    fc.assert(
      fc.property(metricEvents(), (events) => {
        const batch = parseMetricsBatch(encode(events));
        expect(batch).toEqual({ version: 1, events: asDecoded(events), errors: [] });
        expectNoUndefined(batch);
      }),
      { numRuns: 500 },
    );
  });

  test('one thing wrong among any events is refused, with its path', () => {
    // Each damages one place of an event and names it.
    const spoilers: ((event: ModelEvent) => [object, string] | undefined)[] = [
      (event) => [{ ...event, timestamp: -1 }, '.timestamp'],
      (event) => [{ ...event, metric: 'nothing' }, '.metric'],
      (event) => [{ ...event, surplus: 1 }, '.surplus'],
      (event) => [{ ...event, values: { ...event.values, surplus: 1 } }, '.values.surplus'],
      (event) => [{ ...event, attributes: { ...event.attributes, surplus: 'x' } }, '.attributes.surplus'],
      (event) => [{ ...event, attributes: { ...event.attributes, tool: 5 } }, '.attributes.tool'],
      (event) => {
        const name = Object.keys(event.values).at(-1);
        return name ? [{ ...event, values: { ...event.values, [name]: Symbol('s') } }, `.values.${name}`] : undefined;
      },
      (event) => [
        { ...event, unknown: [...(event.unknown ?? []), { section: 'values', position: 'surplus', json: '1]' }] },
        `.unknown[${event.unknown?.length ?? 0}].json`,
      ],
    ];
    fc.assert(
      fc.property(metricEvents(6), fc.nat(), fc.constantFrom(...spoilers), (events, place, spoil) => {
        fc.pre(events.length > 0);
        const index = place % events.length;
        const spoilt = spoil(events[index]);
        fc.pre(spoilt !== undefined);
        const [event, path] = spoilt as [object, string];
        const error = thrown(() => encode([...events.slice(0, index), event, ...events.slice(index + 1)]));
        expect(error.code).toBe('ERR_INVALID_ARGUMENT');
        expect(error.message).toContain(`events[${index}]${path}`);
      }),
      { numRuns: 500 },
    );
  });
});
