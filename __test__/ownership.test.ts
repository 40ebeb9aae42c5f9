import { encodeMetricsBatch, parseMetricsBatch } from '../index.js';
import { METRICS } from './model';
import { bodyOf, encode, expectNoUndefined, inChild, promptBody } from './support';

const EVENT =
  '{"t":1,"e":5,"v":{"0":"HumanMessage","5":null,"11":"é","99":[1.0]},"a":{"0":"1.1.23","20":"claude","7":{}}}';
const COMMITTED = '{"t":2,"e":1,"v":{"3":["all","claude"],"4":[1,2],"9":[3]},"a":{"0":"1.1.23"}}';
const BODY = bodyOf(
  EVENT,
  COMMITTED,
  EVENT,
  COMMITTED,
  '{"t":3,"e":2,"v":{},"a":{}}',
  '5',
  '{"t":4,"e":9,"v":{},"a":{}}',
);

/** Every object within a value, once per place. */
function objectsWithin(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(objectsWithin)];
}

describe('the result is the caller’s own', () => {
  test('no object is shared within a result or between results', () => {
    const objects = [parseMetricsBatch(BODY), parseMetricsBatch(BODY), parseMetricsBatch(Buffer.from(BODY))].flatMap(
      objectsWithin,
    );
    expect(objects.length).toBeGreaterThan(60);
    expect(new Set(objects).size).toBe(objects.length);
  });

  test('changing one result doesn’t change another', () => {
    const expected = structuredClone(parseMetricsBatch(BODY));
    const spoilt = parseMetricsBatch(BODY);
    const kept = parseMetricsBatch(BODY);
    for (const found of objectsWithin(spoilt)) {
      for (const key of Object.keys(found)) (found as Record<string, unknown>)[key] = 'spoilt';
      (found as Record<string, unknown>).added = 'added';
    }
    expect(kept).toStrictEqual(expected);
    expect(parseMetricsBatch(BODY)).toStrictEqual(expected);
  });

  test('changing one event doesn’t change another', () => {
    const { events } = parseMetricsBatch(BODY);
    const third = structuredClone(events[2]);
    const first = events[0];
    first.attributes.gitAiVersion = 'changed';
    delete first.attributes.tool;
    first.unknown?.push({ section: 'values', position: 'x', json: '1' });
    expect(events[2]).toStrictEqual(third);
    expect(events[1].attributes).toStrictEqual({ gitAiVersion: '1.1.23' });
  });

  test('later calls change nothing in it', () => {
    const kept = parseMetricsBatch(Buffer.from(BODY));
    const before = JSON.stringify(kept);
    for (let call = 0; call < 200; call++) {
      const text = String.fromCharCode(0x61 + (call % 26)).repeat(call * 50);
      parseMetricsBatch(promptBody(`"0":"${text}","11":"é${text}","99":["${text}"]`, `"0":"${text}","20":"${call}"`));
      expect(() => parseMetricsBatch(`{"v":1,"events":[${text}]`)).toThrow();
    }
    expect(JSON.stringify(kept)).toBe(before);
  });

  test('later changes to the bytes have no effect', () => {
    const bytes = Buffer.from(BODY);
    const kept = parseMetricsBatch(bytes);
    const expected = parseMetricsBatch(BODY);
    bytes.fill(0x20);
    expect(kept).toStrictEqual(expected);
  });

  test('the bytes are only read', () => {
    const bytes = Buffer.from(promptBody('"11":"\\u0041\\n\\\\","\\u0030":"x"'));
    const before = Buffer.from(bytes);
    parseMetricsBatch(bytes);
    expect(bytes.equals(before)).toBe(true);
  });

  test('an encoded body too', () => {
    const { events } = parseMetricsBatch(BODY);
    const kept = encodeMetricsBatch(events);
    const text = kept.toString();
    const other = encode([{ metric: 'agent_usage', timestamp: 5, values: {}, attributes: { tool: 'x'.repeat(500) } }]);
    expect(kept.toString()).toBe(text);
    kept.fill(0);
    expect(encodeMetricsBatch(events).toString()).toBe(text);
    expect(other.toString()).toContain('x'.repeat(500));
    // A view into larger memory would expose neighbouring bytes to everyone who gets the memory.
    if (kept.buffer.byteLength !== kept.length) {
      const around = Buffer.from(kept.buffer);
      expect(around.includes('x'.repeat(500))).toBe(false);
    }
  });

  test('an encoded body can be handed to another thread, and the next call works all the same', () => {
    const { events } = parseMetricsBatch(BODY);
    const kept = encodeMetricsBatch(events);
    const text = kept.toString();
    const whole = kept.byteOffset === 0 && kept.buffer.byteLength === kept.length;
    if (whole) {
      const moved = structuredClone(kept.buffer, { transfer: [kept.buffer as ArrayBuffer] });
      expect(Buffer.from(moved).toString()).toBe(text);
    }
    expect(encodeMetricsBatch(events).toString()).toBe(text);
  });
});

describe('decoded events are plain', () => {
  test('absent is absent', () => {
    for (const { id, fields } of METRICS) {
      for (const { position } of fields) {
        const { events } = parseMetricsBatch(bodyOf(`{"t":1,"e":${id},"v":{"${position}":null},"a":{"20":null}}`));
        expectNoUndefined(events);
        expect(Object.keys(events[0].values)).toHaveLength(1);
        expect(Object.keys(events[0].attributes)).toEqual(['tool']);
      }
    }
    const { values } = parseMetricsBatch(promptBody('"0":"x"')).events[0];
    expect('model' in values).toBe(false);
    expect(Object.hasOwn(values, 'model')).toBe(false);
  });

  test('JSON.stringify, spread, structuredClone, Object.entries', () => {
    const batch = parseMetricsBatch(BODY);
    expect(JSON.parse(JSON.stringify(batch))).toEqual(batch);
    expect(structuredClone(batch)).toEqual(batch);
    const [event] = batch.events;
    expect({ ...event, timestamp: 9 }).toEqual({
      metric: 'prompt_event',
      timestamp: 9,
      values: { kind: 'HumanMessage', model: null, inputText: 'é' },
      attributes: { gitAiVersion: '1.1.23', tool: 'claude' },
      unknown: [
        { section: 'values', position: '99', json: '[1.0]' },
        { section: 'attributes', position: '7', json: '{}' },
      ],
    });
    expect(Object.fromEntries(Object.entries(event.values))).toEqual(event.values);
  });

  test('toEqual and toStrictEqual see differences', () => {
    const read = (members: string) => parseMetricsBatch(promptBody(members)).events[0];
    expect(read('"0":"x"')).toStrictEqual({
      metric: 'prompt_event',
      timestamp: 1,
      values: { kind: 'x' },
      attributes: {},
    });
    expect(read('"0":"x"')).not.toEqual(read('"0":"y"'));
    expect(read('"0":null')).not.toEqual(read(''));
  });

  test('in a realm without jest: prototypes, own properties, equality', () => {
    const found = inChild(`
      const assert = require('node:assert');
      const batch = api.parseMetricsBatch(Buffer.from(${JSON.stringify(BODY)}));
      assert.deepStrictEqual(batch, JSON.parse(JSON.stringify(batch)));
      assert.deepStrictEqual(batch, structuredClone(batch));
      const wrong = [];
      let objects = 0;
      const visit = (value, path) => {
        if (typeof value !== 'object' || value === null) return;
        objects++;
        const prototype = Array.isArray(value) ? Array.prototype : Object.prototype;
        if (Object.getPrototypeOf(value) !== prototype) wrong.push(path + ': prototype');
        if (!Object.isExtensible(value)) wrong.push(path + ': extensible');
        for (const key of Reflect.ownKeys(value)) {
          if (key === 'length') continue;
          const own = Object.getOwnPropertyDescriptor(value, key);
          if (typeof key !== 'string' || !own.writable || !own.enumerable || !own.configurable) wrong.push(path + '.' + String(key));
          visit(value[key], path + '.' + key);
        }
      };
      visit(batch, 'batch');
      answer({ objects: objects > 20, wrong });
    `);
    expect(found).toEqual({ objects: true, wrong: [] });
  });
});

describe('keeping one part of each batch does not keep the batches', () => {
  // Measures, in one child process, how much memory 20 batches of at least 300 kB leave behind when one part of each is
  // kept.
  const BATCHES = 20;
  const found = () =>
    inChild(
      `
      // Random enough that batches share only the texts that are meant to repeat.
      const pool = require('node:crypto').randomBytes(100_000).toString('hex');
      const hex = (length) => pool.substr(Math.random() * (pool.length - length), length);
      const prompt = (unit, text) => ({ t: 1, e: 5, v: {
        0: 'HumanMessage', 1: hex(16) + ':' + hex(12), 2: null, 5: 'claude-opus-4-' + unit, 11: unit + hex(text),
        12: '/home/' + hex(40), 14: hex(16), 99: { note: hex(300) + unit }, ['position ' + hex(20)]: 1,
      }, a: { 0: '1.1.23', 2: 'Zo' + unit + ' <someone.with.a.name@example.com>', 20: 'claude', 22: hex(16) } });
      const committed = (unit, text) => ({
        t: 1, e: 1, v: { 3: ['all', 'claude::' + hex(30)], 4: [1, 2], 11: unit + hex(text) }, a: { 0: '1.1.23' },
      });
      const failing = (unit) => ({ t: unit + hex(30), e: 1, v: {}, a: {} });
      // Many small events and few large ones, because an event's strings must not keep the event alive either.
      const shapes = {
        many: (unit) => [...Array.from({ length: 250 }, () => prompt(unit, 1000)), committed(unit, 60), failing(unit), prompt(unit, 500)],
        few: (unit) => [prompt(unit, 150000), committed(unit, 100000), failing(unit), prompt(unit, 100)],
      };
      const parts = {
        'a short text that repeats': ({ events }) => events[0].attributes.gitAiVersion,
        'a long text that repeats': ({ events }) => events[0].attributes.author,
        'a model': ({ events }) => events[0].values.model,
        'an event id': ({ events }) => events[0].values.eventId,
        'a prompt id': ({ events }) => events[0].attributes.promptId,
        'an input text': ({ events }) => events.at(-1).values.inputText,
        'a path': ({ events }) => events[0].values.skillFilePath,
        'a hash': ({ events }) => events[0].values.skillFileHash,
        'the JSON of an unknown field': ({ events }) => events[0].unknown.find((field) => field.position === '99').json,
        'the position of an unknown field': ({ events }) => events[0].unknown.find((field) => field.position !== '99').position,
        'an element of a list': ({ events }) => events.find(({ metric }) => metric === 'committed').values.toolModelPairs[1],
        'the text of an error': ({ errors }) => errors[0].error,
        'the last event': ({ events }) => events.at(-1),
      };
      const settle = () => { for (let pass = 0; pass < 4; pass++) gc(); };
      const memory = () => { settle(); const { heapUsed, external } = process.memoryUsage(); return heapUsed + external; };
      const growth = (unit, shape, take) => {
        let bytes = 0;
        const kept = [];
        const round = () => {
          const body = Buffer.from(JSON.stringify({ v: 1, events: shapes[shape](unit) }));
          bytes += body.length;
          return take(body);
        };
        for (let warm = 0; warm < 5; warm++) round();
        bytes = 0;
        const before = memory();
        for (let batch = 0; batch < ${BATCHES}; batch++) kept.push(round());
        const after = memory();
        if (kept.length !== ${BATCHES} || kept.includes(undefined)) throw new Error('nothing kept');
        return (after - before) / bytes;
      };
      const results = {};
      for (const [unit, shape, form] of [
        ['e', 'many', 'bytes'], ['é', 'many', 'text'], ['漢', 'many', 'bytes'], ['e', 'few', 'text'], ['é', 'few', 'bytes'], ['漢', 'few', 'bytes'],
      ]) {
        for (const [name, part] of Object.entries(parts)) {
          const take = (body) => part(api.parseMetricsBatch(form === 'text' ? body.toString() : body));
          results[name + ' of ' + shape + ', ' + unit] = growth(unit, shape, take);
        }
      }
      // Checks the measurement itself: a slice of the body's text keeps all of it.
      const control = growth('e', 'many', (body) => { const text = body.toString('latin1'); return text.slice(1000, 1050); });
      answer({ results, control });
    `,
      ['--expose-gc'],
    ) as { results: Record<string, number>; control: number };

  test('for every part', () => {
    const { results, control } = found();
    expect(control).toBeGreaterThan(0.8);
    const keeping = Object.entries(results).filter(([, share]) => share > 0.1);
    expect(keeping).toEqual([]);
  });
});
