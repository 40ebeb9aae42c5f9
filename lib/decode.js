'use strict';

const binding = require('./native.js');
const { WIRE_VERSION, METRICS, ATTRIBUTES } = require('../generated/fields.js');

// How cells are laid out: src/node/cells.rs.
const UNKNOWN_METRIC = 0xfffe;
const ATTRIBUTES_TABLE = 0xffff;
const FLAG_UNKNOWN = 1;
const EVENT_HEAD = 3;

/** Words in a record per field type. */
const WORDS = { bool: 1, u32: 1, u64: 2, string: 1, 'u32[]': 1, 'u64[]': 1, 'string[]': 1, json: 1 };

const decoder = new binding.BatchDecoder();
const cells = new Uint32Array(1 << 14);
/** The strings of the batch under way, by number. */
let strings = [];

function collect(...more) {
  // Seldom more than one call a batch.
  if (strings.length === 0) strings = more;
  else for (const string of more) strings.push(string);
}

/**
 * @param {Uint8Array} body
 * @param {number} maxEvents
 * @param {number} maxBytes
 */
function decodeBatch(body, maxEvents, maxBytes) {
  return receive(() => decoder.decode(body, maxEvents, maxBytes, cells, collect, shapeGeneration, shapes.length));
}

/** The events of `captured`, a native object of that name. */
function receiveCaptured(captured) {
  return receive(() => decoder.captured(captured, cells, collect, shapeGeneration, shapes.length)).events;
}

/** Builds what `send` lets the decoder send. */
function receive(send) {
  strings = [];
  try {
    const length = send();
    if (length <= cells.length) return readBatch(cells, strings);
    const larger = new Uint32Array(length);
    decoder.copyCells(larger);
    return readBatch(larger, strings);
  } finally {
    strings = [];
  }
}

function readBatch(c, s) {
  const [
    attributesAt,
    attributesCount,
    eventCount,
    shapesAt,
    generation,
    firstNewShape,
    newShapes,
    errorsAt,
    errorCount,
  ] = c;
  readShapes(c, shapesAt, generation, firstNewShape, newShapes);
  const attributes = readAttributes(c, attributesAt, attributesCount);
  const events = new Array(eventCount);
  let at = attributes.end;
  for (let n = 0; n < eventCount; n++) {
    const shape = shapes[c[at + EVENT_HEAD]];
    if (++shape.uses === COMPILE_AT_USE) compile(shape);
    const a = attributes.records[c[at + 1]];
    const start = at;
    at += EVENT_HEAD + shape.words;
    const unknown = shape.unknown || a.shape.unknown ? [] : undefined;
    if (shape.unknown) at = readUnknown(c, at, s, 'values', unknown);
    if (a.shape.unknown) readUnknown(c, a.at + a.shape.words, s, 'attributes', unknown);
    const event = shape.event(c, start, s, a.shape.object(c, a.at, s), unknown);
    // Not by assignment, which a setter of that name on Object.prototype would swallow.
    events[n] = a.shape.unknown && !shape.unknown ? { ...event, unknown } : event;
  }
  return { version: WIRE_VERSION, events, errors: readErrors(c, s, errorsAt, errorCount) };
}

function readUnknown(c, at, s, section, unknown) {
  const end = at + 1 + 2 * c[at];
  for (let i = at + 1; i < end; i += 2) unknown.push({ section, position: s[c[i]], json: s[c[i + 1]] });
  return end;
}

function readAttributes(c, at, count) {
  const records = [];
  for (let n = 0; n < count; n++) {
    const shape = shapes[c[at]];
    if (++shape.uses === COMPILE_AT_USE) compile(shape);
    records.push({ shape, at });
    at += shape.words;
    if (shape.unknown) at += 1 + 2 * c[at];
  }
  return { records, end: at };
}

function readErrors(c, s, at, count) {
  const errors = [];
  for (const end = at + 3 * count; at < end; at += 3) {
    errors.push({ index: c[at], error: s[c[at + 2]], code: s[c[at + 1]] });
  }
  return errors;
}

// ---- shapes -----------------------------------------------------------------------------------------------------------

// A shape is a set of fields with their states. Few occur in practice, and the decoder numbers them across batches, so
// each is described once. For one that comes often, a function is compiled that builds its objects as one literal from
// fixed places. The decoder starts a new generation of numbers
// where a sender has made up very many, or where a batch failed between it and here.
const COMPILE_AT_USE = 8;
const WORDS_A_SHAPE = 6;

const shapes = [];
let shapeGeneration = 0;

function readShapes(c, at, generation, number, count) {
  if (generation !== shapeGeneration) shapes.length = 0;
  shapeGeneration = generation;
  for (const end = at + count * WORDS_A_SHAPE; at < end; at += WORDS_A_SHAPE)
    shapes[number++] = interpretedShape(c, at);
}

/** The shape at `at`, with functions that go field by field. */
function interpretedShape(c, at) {
  const table = c[at];
  const metric = METRICS[table];
  const fields = [];
  let words = 1;
  const all = table === ATTRIBUTES_TABLE ? ATTRIBUTES : (metric?.fields ?? []);
  all.forEach((field, index) => {
    const word = index >> 5;
    const bit = 1 << (index & 31);
    if ((c[at + 2 + word] & bit) === 0) return;
    const isNull = (c[at + 4 + word] & bit) !== 0;
    fields.push({ name: field.name, type: isNull ? 'null' : field.type, word: words });
    if (!isNull) words += WORDS[field.type];
  });
  const object = (cells, from, s) => {
    const target = {};
    for (const { name, type, word } of fields) target[name] = READ[type](cells, from + word, s);
    return target;
  };
  const hasUnknown = (c[at + 1] & FLAG_UNKNOWN) !== 0;
  const event = (cells, from, s, attributes, unknown) => {
    const head = metric ? { metric: metric.name } : { metric: 'unknown', metricId: cells[from + 2] };
    const values = object(cells, from + EVENT_HEAD, s);
    const known = { ...head, timestamp: cells[from], values, attributes };
    return hasUnknown ? { ...known, unknown } : known;
  };
  return { table, fields, words, unknown: hasUnknown, uses: 0, object, event };
}

const READ = {
  null: () => null,
  bool: (c, at) => c[at] === 1,
  u32: (c, at) => c[at],
  u64: readU64,
  string: (c, at, s) => s[c[at]],
  'u32[]': readU32List,
  'u64[]': readU64List,
  'string[]': readStringList,
  json: (c, at, s) => s[c[at]],
};

function readU64(c, at) {
  return c[at + 1] * 0x100000000 + c[at];
}

function readU32List(c, at) {
  const from = c[at] + 1;
  const list = new Array(c[from - 1]);
  for (let i = 0; i < list.length; i++) list[i] = c[from + i];
  return list;
}

function readU64List(c, at) {
  const from = c[at] + 1;
  const list = new Array(c[from - 1]);
  for (let i = 0; i < list.length; i++) list[i] = readU64(c, from + 2 * i);
  return list;
}

function readStringList(c, at, s) {
  const list = readU32List(c, at);
  for (let i = 0; i < list.length; i++) list[i] = s[list[i]];
  return list;
}

const COMPILED_READ = {
  null: () => 'null',
  bool: (at) => `c[${at}] === 1`,
  u32: (at) => `c[${at}]`,
  u64: (at, high) => `c[${high}] * 0x100000000 + c[${at}]`,
  string: (at) => `s[c[${at}]]`,
  'u32[]': (at) => `readU32List(c, ${at})`,
  'u64[]': (at) => `readU64List(c, ${at})`,
  'string[]': (at) => `readStringList(c, ${at}, s)`,
  json: (at) => `s[c[${at}]]`,
};

/**
 * Gives a shape compiled functions. Their source is made of the tables' names and of numbers; nothing from the wire is
 * in it. Where the process forbids code from strings, the shape stays as it is.
 */
function compile(shape) {
  const { table, fields } = shape;
  const literal = (head) => {
    const properties = fields.map(({ name, type, word }) => {
      return `${name}: ${COMPILED_READ[type](`at + ${head + word}`, `at + ${head + word + 1}`)}`;
    });
    return `{ ${properties.join(', ')} }`;
  };
  try {
    if (table === ATTRIBUTES_TABLE) {
      shape.object = compileFunction('c, at, s', literal(0));
    } else if (table !== UNKNOWN_METRIC) {
      const values = literal(EVENT_HEAD);
      const event = `{ metric: '${METRICS[table].name}', timestamp: c[at], values: ${values}, attributes${shape.unknown ? ', unknown' : ''} }`;
      shape.event = compileFunction('c, at, s, attributes, unknown', event);
    }
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
  }
}

function compileFunction(parameters, result) {
  const source = `'use strict'; return (${parameters}) => (${result});`;
  const make = new Function('readU32List', 'readU64List', 'readStringList', source);
  return make(readU32List, readU64List, readStringList);
}

module.exports = { decodeBatch, receiveCaptured };
