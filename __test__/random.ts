/** Random events and bodies: those that clients could send, and hostile ones. */
import fc from 'fast-check';
import { ATTRIBUTES, type Field, type FieldType, METRICS, type ModelEvent, type ModelUnknown, readJson } from './model';

/**
 * An arbitrary that is made once. One never changes, and making it takes longer than to draw from it, which counts where a
 * `chain` would make it again for each run.
 */
function once<T>(make: () => fc.Arbitrary<T>): () => fc.Arbitrary<T> {
  let made: fc.Arbitrary<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The same, for each list of fields. */
function onceEach<T>(make: (fields: Field[]) => fc.Arbitrary<T>): (fields: Field[]) => fc.Arbitrary<T> {
  const made = new Map<Field[], fc.Arbitrary<T>>();
  return (fields) => {
    let arbitrary = made.get(fields);
    if (arbitrary === undefined) {
      arbitrary = make(fields);
      made.set(fields, arbitrary);
    }
    return arbitrary;
  };
}

// ---- texts ----------------------------------------------------------------------------------------------------------

const AWKWARD_TEXTS = [
  '',
  ' ',
  'null',
  '"',
  '\\',
  '/',
  '\\u0041',
  '\0',
  '\b\f\n\r\t\v',
  '\x1f\x7f\x80\x9f',
  '\u2028\u2029\ufeff\ufffd',
  'é',
  'naïve “nulls” — 漢字',
  '😀',
  '👩‍👩‍👧‍👦',
  '\ud800',
  '\udc00',
  '\udc00\ud800',
  'a\ud83d',
  '__proto__',
];

/** Any JavaScript string, lone surrogates included. */
export const text: () => fc.Arbitrary<string> = once(() =>
  fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 24 }) },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 24 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 24 }) },
    { weight: 2, arbitrary: fc.constantFrom(...AWKWARD_TEXTS) },
    // Long enough to leave every path for small strings, and to cross the blocks of any scanner.
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('x', 'é', '漢', '😀', '"', '\n'), fc.nat(300), fc.constantFrom(...AWKWARD_TEXTS))
        .map(([unit, length, end]) => unit.repeat(length) + end),
    },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...AWKWARD_TEXTS), { maxLength: 4 }).map((all) => all.join('')) },
  ),
);

/** Keys that resemble positions, or that are dangerous in an object. */
export const AWKWARD_POSITIONS = [
  '',
  '007',
  '00',
  '01',
  '-0',
  '-1',
  '+1',
  ' 7',
  '7 ',
  '1.0',
  '1e0',
  '0x1',
  '\0',
  '0\0',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'length',
  'kind',
  'gitAiVersion',
  '٣',
  '18',
  '29',
  '31',
  '99',
  '255',
  '256',
  '257',
  '65536',
  '4294967295',
  '4294967296',
  '4294967301',
  '9007199254740993',
  '18446744073709551616',
  '18446744073709551621',
  '\ud800',
  '😀',
];

/** Spellings of numbers around every limit of a field's type. */
export const NUMBER_TEXTS = [
  '0',
  '1',
  '9',
  '10',
  '255',
  '256',
  '65535',
  '65536',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '4294967297',
  '9007199254740990',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '18446744073709551617',
  '340282366920938463463374607431768211456',
  '123456789012345678901234567890123456789012345678901234567890',
  '-0',
  '-1',
  '-2147483648',
  '-9223372036854775808',
  '-9223372036854775809',
  '1.0',
  '0.0',
  '-0.0',
  '1.5',
  '0.1e1',
  '1e0',
  '1e3',
  '1E+3',
  '1e-3',
  '10e-1',
  '0e0',
  '1e308',
  '1e400',
  '-1e400',
  '1e-400',
];

export const numberText: () => fc.Arbitrary<string> = once(() =>
  fc.oneof(fc.constantFrom(...NUMBER_TEXTS), fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String)),
);

// ---- documents as trees, so that one document can be written in many ways --------------------------------------------

/** A JSON document before it is written: `raw` is the text of a literal or number, objects may repeat a key. */
export type Tree = { raw: string } | { string: string } | { array: Tree[] } | { object: [string, Tree][] };

const raw = (literal: string): Tree => ({ raw: literal });
const string = (value: string): Tree => ({ string: value });

/** Seed 0 writes plainly; any other seed chooses white space and escapes. */
export function write(tree: Tree, seed: number): string {
  let state = seed >>> 0;
  // mulberry32: small, and the same on every machine, so that a failing seed can be run again.
  const choose = (choices: number): number => {
    if (seed === 0) return 0;
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % choices;
  };
  const space = () => ['', '', '', '', ' ', '\n', '\t', '\r\n  ', ' '.repeat(70)][choose(9)];
  const escaped = (unit: string) => {
    const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${choose(2) === 0 ? hex : hex.toUpperCase()}`;
  };
  const quoted = (value: string): string => {
    const plain = JSON.stringify(value);
    if (choose(3) !== 1) return plain;
    let written = '';
    // By UTF-16 unit, so that a pair is sometimes written as two escapes.
    for (const unit of value.split('')) written += choose(2) === 0 ? escaped(unit) : JSON.stringify(unit).slice(1, -1);
    // If one half of a pair was written raw, escape both halves, which reads as the same pair.
    return `"${written.replaceAll('/', choose(2) === 0 ? '/' : '\\/')}"`;
  };
  const written = (node: Tree): string => {
    if ('raw' in node) return node.raw;
    if ('string' in node) return quoted(node.string);
    if ('array' in node) {
      const items = node.array.map((item) => space() + written(item) + space());
      return `[${items.join(',') || space()}]`;
    }
    const members = node.object.map(
      ([key, value]) => `${space()}${quoted(key)}${space()}:${space()}${written(value)}${space()}`,
    );
    return `{${members.join(',') || space()}}`;
  };
  return space() + written(tree) + space();
}

/** Any JSON value. */
export const anyJson: () => fc.Arbitrary<Tree> = once(
  () =>
    fc.letrec<{ value: Tree }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom('null', 'true', 'false').map(raw),
        numberText().map(raw),
        text().map(string),
        fc.array(tie('value'), { maxLength: 4 }).map((array): Tree => ({ array })),
        fc
          .array(fc.tuple(fc.oneof(fc.constantFrom('0', '1', 't', 'v', ''), text()), tie('value')), { maxLength: 4 })
          .map((object): Tree => ({ object })),
      ),
    })).value,
);

// ---- values of the fields' types --------------------------------------------------------------------------------------

const edgeOrAny = (edges: number[], most: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(...edges), fc.integer({ min: 0, max: most }));
const u32 = once(() => edgeOrAny([0, 1, 65_536, 4_294_967_295], 4_294_967_295));
const u64 = once(() =>
  edgeOrAny([0, 1, 4_294_967_295, 4_294_967_296, 1_775_587_555_123, Number.MAX_SAFE_INTEGER], Number.MAX_SAFE_INTEGER),
);

/** A value that the field accepts. */
export function valueOfType(type: FieldType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'u32':
      return u32();
    case 'u64':
      return u64();
    case 'bool':
      return fc.boolean();
    case 'string':
      return text();
    case 'json':
      return jsonText();
    default:
      return fc.array(valueOfType(type.slice(0, -2) as FieldType), { maxLength: 5 });
  }
}

/** The text of any JSON value except null, which would be the explicit null. Mostly objects, as in real uploads. */
const jsonText: () => fc.Arbitrary<string> = once(() =>
  fc
    .tuple(
      fc.oneof(
        { weight: 3, arbitrary: anyJson().map((value): Tree => ({ object: [['type', value]] })) },
        { weight: 1, arbitrary: anyJson() },
      ),
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 31 })),
    )
    .map(([tree, seed]) => write(tree, seed).trim())
    .filter((json) => json !== 'null'),
);

const treeOf = (value: unknown): Tree => {
  if (Array.isArray(value)) return { array: value.map(treeOf) };
  return typeof value === 'string' ? string(value) : raw(JSON.stringify(value));
};

// ---- bodies -------------------------------------------------------------------------------------------------------------

const section = onceEach((fields): fc.Arbitrary<Tree> => {
  const known = fields.map((field) =>
    fc.oneof(
      {
        weight: 6,
        arbitrary: valueOfType(field.type).map((value): [string, Tree] => [
          String(field.position),
          field.type === 'json' ? raw(value as string) : treeOf(value),
        ]),
      },
      { weight: 2, arbitrary: fc.constant<[string, Tree]>([String(field.position), raw('null')]) },
      { weight: 1, arbitrary: anyJson().map((value): [string, Tree] => [String(field.position), value]) },
      {
        weight: 1,
        arbitrary: fc
          .oneof(
            numberText().map(raw),
            fc.array(numberText().map(raw), { maxLength: 3 }).map((array) => ({ array })),
          )
          .map((value): [string, Tree] => [String(field.position), value]),
      },
    ),
  );
  const unknown = fc.tuple(fc.oneof(fc.constantFrom(...AWKWARD_POSITIONS), fc.nat(40).map(String), text()), anyJson());
  const members = fc.oneof(...known.map((arbitrary) => ({ weight: 4, arbitrary })), { weight: 3, arbitrary: unknown });
  return fc.array(members, { maxLength: 20 }).map((object): Tree => ({ object }));
});

const shuffled = (entries: [string, Tree][]): fc.Arbitrary<[string, Tree][]> =>
  fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length });

/** Sometimes a key is missing, wrong, repeated or meaningless. */
const dropped = once(() => fc.oneof({ weight: 12, arbitrary: fc.constant('') }, fc.constantFrom('t', 'e', 'v', 'a')));
const added = once(() =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<[string, Tree][]>([]) },
    fc.array(fc.tuple(fc.oneof(fc.constantFrom('t', 'e', 'v', 'a', 'x', '__proto__'), text()), anyJson()), {
      maxLength: 2,
    }),
    fc.tuple(fc.constantFrom('t', 'e'), numberText()).map(([key, number]): [string, Tree][] => [[key, raw(number)]]),
  ),
);

function event(): fc.Arbitrary<Tree> {
  const known = METRICS.map((metric) => ({ weight: metric.id === 5 ? 6 : 2, arbitrary: fc.constant(metric) }));
  const unknown = fc
    .constantFrom(0, 9, 10, 255, 256, 257, 261, 65_535)
    .map((id) => ({ id, name: 'unknown', fields: METRICS[id % METRICS.length].fields }));
  return fc.oneof(...known, { weight: 2, arbitrary: unknown }).chain((metric) =>
    fc
      .record({
        t: u32(),
        v: section(metric.fields),
        a: section(ATTRIBUTES),
        drop: dropped(),
        extra: added(),
      })
      .chain(({ t, v, a, drop, extra }) => {
        const entries: [string, Tree][] = [
          ['t', raw(String(t))],
          ['e', raw(String(metric.id))],
          ['v', v],
          ['a', a],
        ];
        return fc.oneof(
          fc.constant<Tree>({ object: [...entries.filter(([key]) => key !== drop), ...extra] }),
          shuffled([...entries.filter(([key]) => key !== drop), ...extra]).map((object): Tree => ({ object })),
        );
      }),
  );
}

/** A batch that decodes as a whole, although single events may be refused. */
export const batchTree = (maxEvents = 5): fc.Arbitrary<Tree> =>
  fc
    .tuple(
      fc.array(fc.oneof({ weight: 15, arbitrary: event() }, { weight: 1, arbitrary: anyJson() }), {
        maxLength: maxEvents,
      }),
      fc.oneof(
        { weight: 4, arbitrary: fc.constant<[string, Tree][]>([]) },
        fc.array(fc.tuple(fc.constantFrom('x', '', '__proto__', 'errors', 'Events', 'V'), anyJson()), { maxLength: 2 }),
      ),
    )
    .chain(([events, extra]) => shuffled([['v', raw('1')], ['events', { array: events }], ...extra]))
    .map((object): Tree => ({ object }));

/** The text of a batch, in one of the many ways to write the same JSON. */
export const batchText = (maxEvents = 5): fc.Arbitrary<string> =>
  fc
    .tuple(batchTree(maxEvents), fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 31 })))
    .map(([tree, seed]) => write(tree, seed));

/** Any JSON with some of a batch's keys, so that every error of a whole call occurs. */
export const almostBatchText = (): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.array(
        fc.tuple(
          fc.constantFrom('v', 'events', 'x'),
          fc.oneof(
            fc.constantFrom('1', '1', '2', '1.0', '[]', '[{}]', '{}', '"1"', 'null').map(raw),
            anyJson(),
            batchTree(2),
          ),
        ),
        { maxLength: 4 },
      ),
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 31 })),
    )
    .map(([object, seed]) => write({ object }, seed));

// ---- events ---------------------------------------------------------------------------------------------------------------

const isSet = (values: Record<string, unknown>, field: Field) => values[field.name] !== undefined;

const sectionValues = onceEach((fields): fc.Arbitrary<Record<string, unknown>> => {
  const shape = Object.fromEntries(
    fields.map((field) => [
      field.name,
      fc.oneof(
        { weight: 6, arbitrary: valueOfType(field.type) },
        { weight: 2, arbitrary: fc.constant(null) },
        // `x: undefined` means the same as an absent property.
        { weight: 1, arbitrary: fc.constant(undefined) },
      ),
    ]),
  );
  return fc.record(shape, { requiredKeys: [], noNullPrototype: true });
});

const unknownEntries = once(() =>
  fc.uniqueArray(
    fc.tuple(
      fc.oneof(fc.constantFrom(...AWKWARD_POSITIONS), fc.nat(40).map(String), text()),
      anyJson(),
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 31 })),
    ),
    { selector: ([position]) => position, maxLength: 4 },
  ),
);

function unknownFields(
  name: 'values' | 'attributes',
  fields: Field[],
  values: Record<string, unknown>,
): fc.Arbitrary<ModelUnknown[]> {
  const takes = (position: string) => fields.find((field) => String(field.position) === position);
  return unknownEntries().map((entries) =>
    entries.flatMap(([position, tree, seed]): ModelUnknown[] => {
      const field = takes(position);
      if (field && isSet(values, field)) return [];
      const json = write(tree, seed).trim();
      // At a known position, only a value that the field doesn't accept stays unknown.
      if (field && (field.type === 'json' || fitsAnyType(json))) return [];
      return [{ section: name, position, json }];
    }),
  );
}

/** May say yes too often, which is fine: enough values remain. */
function fitsAnyType(json: string): boolean {
  const value = readJson(json);
  return value.type !== 'object';
}

/**
 * The parts of an event, changed where it would decode as another metric with the same id. The given parts stay as they are:
 * fast-check uses them again when it shrinks.
 */
function settledDialect(
  name: string,
  values: Record<string, unknown>,
  attributes: Record<string, unknown>,
  unknown: ModelUnknown[],
): { values: Record<string, unknown>; attributes: Record<string, unknown>; unknown: ModelUnknown[] } {
  const isContainer = (json: unknown) => typeof json === 'string' && /^[{[]/.test(json);
  const isRecord = ({ section, position }: ModelUnknown) => section === 'values' && position === '0';
  if (name === 'prompt_event') {
    const { sessionId: _, ...others } = attributes;
    return {
      values,
      attributes: others,
      unknown: unknown.filter((field) => !isRecord(field) || !isContainer(field.json)),
    };
  }
  if (name === 'session_event' && attributes.sessionId === undefined && !isContainer(values.rawJson)) {
    return {
      values: { ...values, rawJson: '{}' },
      attributes,
      unknown: unknown.filter((field) => !isRecord(field)),
    };
  }
  return { values, attributes, unknown };
}

const NO_FIELDS: Field[] = [];

/** An event as a caller would write it. Properties may be undefined, as in an object literal. */
export const metricEvent = (): fc.Arbitrary<ModelEvent> =>
  fc
    .oneof(
      ...METRICS.map((metric) => ({
        weight: metric.id === 5 ? 6 : 2,
        arbitrary: fc.constant<{ name: string; fields: Field[]; metricId?: number }>({
          name: metric.name,
          fields: metric.fields,
        }),
      })),
      {
        weight: 2,
        arbitrary: fc
          .oneof(fc.constantFrom(0, 9, 255, 256, 261, 65_535), fc.integer({ min: 9, max: 65_535 }))
          .map((metricId) => ({ name: 'unknown', fields: NO_FIELDS, metricId })),
      },
    )
    .chain(({ name, fields, metricId }) =>
      fc.tuple(sectionValues(fields), sectionValues(ATTRIBUTES), u32()).chain(([values, attributes, timestamp]) =>
        fc
          .tuple(unknownFields('values', fields, values), unknownFields('attributes', ATTRIBUTES, attributes))
          .map(([inValues, inAttributes]): ModelEvent => {
            const { unknown, ...sections } = settledDialect(name, values, attributes, [...inValues, ...inAttributes]);
            return {
              metric: name,
              ...(metricId === undefined ? {} : { metricId }),
              timestamp,
              ...sections,
              ...(unknown.length > 0 ? { unknown } : {}),
            };
          }),
      ),
    );

export const metricEvents = (maxLength = 5): fc.Arbitrary<ModelEvent[]> => fc.array(metricEvent(), { maxLength });

const withoutUndefined = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** The same events as decoding returns them, without undefined properties. */
export const asDecoded = (events: readonly ModelEvent[]): ModelEvent[] =>
  events.map((each) => ({
    ...each,
    values: withoutUndefined(each.values),
    attributes: withoutUndefined(each.attributes),
  }));
