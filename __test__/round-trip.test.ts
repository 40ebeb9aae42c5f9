import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { encodeMetricsBatch, parseMetricsBatch } from '../index.js';
import { canonical, canonicalBatch, readJson } from './model';
import { almostBatchText, batchText } from './random';
import { decoded, expectAsModelled, modelled, promptBody } from './support';

/** Decodes and encodes a body, and parses the result. */
function again(body: Uint8Array | string): unknown {
  const bytes = encodeMetricsBatch(parseMetricsBatch(body).events);
  return canonical(readJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)));
}

describe('random documents', () => {
  test('decode like in the model, as text', () => {
    fc.assert(
      fc.property(batchText(), (body) => expectAsModelled(body)),
      { numRuns: 400 },
    );
  });

  test('decode like in the model, as bytes', () => {
    fc.assert(
      fc.property(batchText(), (body) => expectAsModelled(Buffer.from(body))),
      { numRuns: 400 },
    );
  });

  test('come back equal from decode and encode', () => {
    fc.assert(
      fc.property(batchText(), (body) => {
        expect(again(body)).toEqual(canonicalBatch(body));
      }),
      { numRuns: 400 },
    );
  });

  test('decode, encode and decode equal decode', () => {
    fc.assert(
      fc.property(batchText(), (body) => {
        const { events } = parseMetricsBatch(body);
        const bytes = encodeMetricsBatch(events);
        expect(parseMetricsBatch(bytes)).toEqual({ version: 1, events, errors: [] });
        expect(encodeMetricsBatch(parseMetricsBatch(bytes).events).equals(bytes)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('that are almost a batch fail as the model fails', () => {
    fc.assert(
      fc.property(almostBatchText(), fc.nat(3), (body, maxEvents) => {
        expect(decoded(body, { maxEvents })).toEqual(modelled(body, { maxEvents }));
      }),
      { numRuns: 1_000 },
    );
  });

  test('larger ones too', () => {
    fc.assert(
      fc.property(batchText(60), (body) => {
        expectAsModelled(Buffer.from(body));
        expect(again(body)).toEqual(canonicalBatch(body));
      }),
      { numRuns: 40 },
    );
  });
});

describe('values that a lenient decoder would lose', () => {
  test.each([
    ['an integer that is no JavaScript number', '"7":18446744073709551615'],
    ['a number written with a fraction', '"7":1.0'],
    ['a number written with an exponent', '"8":1e3'],
    ['minus zero', '"9":-0'],
    ['digits beyond a double', '"99":0.1000000000000000055511151231257827021181583404541015625'],
    ['a number beyond a double', '"99":1e400'],
    ['a value of another type', '"0":{"kind":"HumanMessage"}'],
    ['a position that is none', '"007":1'],
    ['a list with a bad element', '"3":[true]'],
  ])('%s', (_, members) => {
    const body = promptBody(members);
    expect(again(body)).toEqual(canonical(readJson(body)));
    expect(encodeMetricsBatch(parseMetricsBatch(body).events).toString()).toBe(body);
  });

  test('an upload with every metric in it', () => {
    const body = readFileSync(`${__dirname}/fixtures/every-metric.json`, 'utf8');
    expectAsModelled(body);
    expect(parseMetricsBatch(body).errors).toEqual([]);
    expect(again(body)).toEqual(canonical(readJson(body)));
  });
});
