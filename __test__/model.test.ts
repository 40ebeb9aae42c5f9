/** The model tests the package, so JSON.parse tests the model's reader first. */
import fc from 'fast-check';
import { canonical, type Json, readJson } from './model';
import { anyJson, batchText, write } from './random';

function toValue(json: Json): unknown {
  switch (json.type) {
    case 'null':
      return null;
    case 'array':
      return json.items.map(toValue);
    case 'object':
      // fromEntries defines `__proto__` as an own property, as JSON.parse does.
      return Object.fromEntries(json.entries.map(([key, value]) => [key, toValue(value)]));
    case 'number':
      return Number(json.text);
    default:
      return json.value;
  }
}

const parses = (read: () => unknown): boolean => {
  try {
    read();
    return true;
  } catch {
    return false;
  }
};

const seeds = () => fc.integer({ min: 0, max: 2 ** 31 });

test('the model’s reader reads the same values as JSON.parse', () => {
  fc.assert(
    fc.property(anyJson(), seeds(), (tree, seed) => {
      const written = write(tree, seed);
      expect(toValue(readJson(written))).toEqual(JSON.parse(written));
    }),
    { numRuns: 1_000 },
  );
});

test('the model’s reader refuses the same texts as JSON.parse', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '0',
    '1',
    '-',
    '.',
    'e',
    '+',
    'null',
    'true',
    'a',
    ' ',
    '"a"',
    '\n',
    '\\u',
    'd800',
    '\u00a0',
    '\ufeff',
    '\0',
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((all) => all.join('')),
      (written) => {
        expect(parses(() => readJson(written))).toBe(parses(() => JSON.parse(written)));
      },
    ),
    { numRuns: 5_000 },
  );
});

test('the model’s reader agrees with JSON.parse on every damaged batch', () => {
  const damage = fc.tuple(batchText(2), fc.nat(), fc.nat(3), fc.constantFrom('', '"', '}', ',', '0', '\\', '\n'));
  fc.assert(
    fc.property(damage, ([written, place, removed, inserted]) => {
      const at = place % (written.length + 1);
      const damaged = written.slice(0, at) + inserted + written.slice(at + removed);
      expect(parses(() => readJson(damaged))).toBe(parses(() => JSON.parse(damaged)));
    }),
    { numRuns: 1_000 },
  );
});

test('the text of every value is kept unchanged', () => {
  const read = readJson('{ "a" : [ 1.0, 1e3 ,-0 ], "\\u0062":12345678901234567890, "a":0 }');
  if (read.type !== 'object') throw new Error('expected an object');
  expect(read.entries.map(([key, value]) => [key, value.text])).toEqual([
    ['a', '[ 1.0, 1e3 ,-0 ]'],
    ['b', '12345678901234567890'],
    ['a', '0'],
  ]);
});

test('one document written in many ways is one canonical form', () => {
  fc.assert(
    fc.property(batchText(3), seeds(), (written, seed) => {
      const again = write(treeOf(readJson(written)), seed);
      expect(canonical(readJson(again))).toEqual(canonical(readJson(written)));
    }),
  );
});

function treeOf(json: Json): Parameters<typeof write>[0] {
  switch (json.type) {
    case 'string':
      return { string: json.value };
    case 'array':
      return { array: json.items.map(treeOf) };
    case 'object':
      return { object: json.entries.map(([key, value]) => [key, treeOf(value)]) };
    default:
      return { raw: json.text };
  }
}
