'use strict';

const binding = require('./native.js');
const { WIRE_VERSION, METRICS, ATTRIBUTES } = require('../generated/fields.js');
const protocol = require('../generated/protocol.js');

const { FIELD_TYPES, EVENT_WORDS, EVENT_TIMESTAMP, EVENT_METRIC_ID, EVENT_ATTRIBUTES, ATTRIBUTES_TABLE } = protocol;

const FIRST_CELLS = 1 << 14;

/** Stays empty. A new array for each batch would have to be made and noted by the garbage collector. */
const NO_STRINGS = [];

/** A native decoder with the buffers, shapes and strings that JavaScript keeps for it between batches. */
class Receiver {
  constructor() {
    this.decoder = new binding.BatchDecoder();
    this.decode = this.decoder.decodeFunction();
    this.cells = new Uint32Array(FIRST_CELLS);
    /** The strings of the current batch, by number. */
    this.strings = NO_STRINGS;
    this.collect = (...more) => {
      const { strings } = this;
      // Most batches need only one call.
      if (strings.length === 0) this.strings = more;
      else for (let i = 0, n = strings.length; i < more.length; i++) strings[n + i] = more[i];
    };
    this.shapes = [];
    this.generation = 0;
    /** Short strings that occur in many batches, by place. */
    this.lasting = Array.from({ length: protocol.LASTING_PLACES }, () => '');
    /** The number of the last batch that arrived. */
    this.batch = 0;
  }

  /** Calls `send`, which has the decoder fill the cells, and builds the batch from them. */
  receive(send) {
    this.cells[protocol.REQUEST_RECEIVED] = this.batch;
    try {
      const length = send(this);
      if (length === 0) return readBatch(this, this.cells);
      const larger = new Uint32Array(length);
      this.decoder.copyCells(larger);
      return readBatch(this, larger);
    } finally {
      this.strings = NO_STRINGS;
    }
  }
}

/**
 * The receiver that is free. While it is in use, foreign code may run: a getter on a prototype, or a replaced builtin.
 * If that code decodes too, it gets a receiver of its own.
 *
 * @type {Receiver | undefined}
 */
let idle;

function receive(send) {
  const receiver = idle ?? new Receiver();
  idle = undefined;
  try {
    return receiver.receive(send);
  } finally {
    idle = receiver;
  }
}

/**
 * @param {Uint8Array} body threads may share its memory
 * @param {number} maxEvents
 * @param {number} maxBytes
 */
function decodeBatch(body, maxEvents, maxBytes) {
  return receive(({ decode, cells, collect }) => {
    writeU64(cells, protocol.REQUEST_MAX_EVENTS, maxEvents);
    writeU64(cells, protocol.REQUEST_MAX_BYTES, maxBytes);
    const length = decode(body, cells, collect);
    return length === protocol.BODY_IS_SHARED ? decode(Buffer.from(body), cells, collect) : length;
  });
}

/** Returns the events of a native `Captured` object. */
function receiveCaptured(captured) {
  return receive(({ decoder, cells, collect }) => decoder.captured(captured, cells, collect)).events;
}

function readBatch(receiver, c) {
  const { shapes, strings: s } = receiver;
  readShapes(receiver, c);
  readLasting(receiver.lasting, c, s);
  receiver.batch = c[protocol.HEADER_BATCH];
  const attributes = readAttributes(shapes, c);
  const events = new Array(c[protocol.HEADER_EVENTS]);
  let at = attributes.end;
  for (let n = 0; n < events.length; n++) {
    const shape = shapes[c[at + EVENT_WORDS]];
    if (++shape.uses === COMPILE_AT_USE) compile(shape);
    const a = attributes.records[c[at + EVENT_ATTRIBUTES]];
    const start = at;
    at += EVENT_WORDS + shape.words;
    let unknown;
    if (shape.unknown || a.shape.unknown) {
      const attributesAt = a.at + a.shape.words;
      const inValues = shape.unknown ? c[at] : 0;
      // An empty array that grows has room for 17 elements.
      unknown = new Array(inValues + (a.shape.unknown ? c[attributesAt] : 0));
      if (shape.unknown) at = readUnknown(c, at, s, 'values', unknown, 0);
      if (a.shape.unknown) readUnknown(c, attributesAt, s, 'attributes', unknown, inValues);
    }
    const event = shape.event(c, start, s, a.shape.object(c, a.at, s), unknown);
    // Not `event.unknown = …`, which a setter on Object.prototype would intercept.
    events[n] = a.shape.unknown && !shape.unknown ? { ...event, unknown } : event;
  }
  return { version: WIRE_VERSION, events, errors: readErrors(c, s) };
}

function readUnknown(c, at, s, section, unknown, first) {
  const end = at + 1 + 2 * c[at];
  for (let i = at + 1, n = first; i < end; i += 2, n++) {
    unknown[n] = { section, position: s[c[i]], json: s[c[i + 1]] };
  }
  return end;
}

function readAttributes(shapes, c) {
  const records = new Array(c[protocol.HEADER_ATTRIBUTES]);
  let at = c[protocol.HEADER_ATTRIBUTES_AT];
  for (let n = 0; n < records.length; n++) {
    const shape = shapes[c[at]];
    if (++shape.uses === COMPILE_AT_USE) compile(shape);
    records[n] = { shape, at };
    at += shape.words;
    if (shape.unknown) at += 1 + 2 * c[at];
  }
  return { records, end: at };
}

/** Keeps the strings that last from now on, and puts those of earlier batches among the batch's strings. */
function readLasting(lasting, c, s) {
  const { LASTING_STRING, LASTING_PLACE, LASTING_WORDS } = protocol;
  let at = c[protocol.HEADER_LASTING_AT];
  let end = at + c[protocol.HEADER_LEARNED] * LASTING_WORDS;
  for (; at < end; at += LASTING_WORDS) lasting[c[at + LASTING_PLACE]] = s[c[at + LASTING_STRING]];
  end += c[protocol.HEADER_RECALLED] * LASTING_WORDS;
  for (; at < end; at += LASTING_WORDS) s[c[at + LASTING_STRING]] = lasting[c[at + LASTING_PLACE]];
}

function readErrors(c, s) {
  const { ERROR_INDEX, ERROR_CODE, ERROR_MESSAGE, ERROR_WORDS } = protocol;
  const errors = new Array(c[protocol.HEADER_ERRORS]);
  let at = c[protocol.HEADER_ERRORS_AT];
  for (let n = 0; n < errors.length; n++, at += ERROR_WORDS) {
    errors[n] = { index: c[at + ERROR_INDEX], error: s[c[at + ERROR_MESSAGE]], code: s[c[at + ERROR_CODE]] };
  }
  return errors;
}

// ---- shapes -----------------------------------------------------------------------------------------------------------

// A shape is a set of fields and whether each is null. Few shapes occur in practice. The decoder numbers them across
// batches and describes each one once. When a shape comes often, we compile a function that builds its objects as one
// literal, with every value at a fixed offset. The decoder starts a new generation of numbers when a sender has used
// very many shapes, or when JavaScript didn't receive a batch.
const COMPILE_AT_USE = 8;

function readShapes(receiver, c) {
  const generation = c[protocol.HEADER_GENERATION];
  if (generation !== receiver.generation) receiver.shapes.length = 0;
  receiver.generation = generation;
  let at = c[protocol.HEADER_SHAPES_AT];
  let number = c[protocol.HEADER_FIRST_SHAPE];
  for (const end = number + c[protocol.HEADER_SHAPES]; number < end; number++, at += protocol.SHAPE_WORDS) {
    receiver.shapes[number] = interpretedShape(c, at);
  }
}

/** Reads the shape at `at`. Its functions build objects field by field until `compile` replaces them. */
function interpretedShape(c, at) {
  const table = c[at + protocol.SHAPE_TABLE];
  const metric = METRICS[table];
  const fields = [];
  let words = 1;
  const all = table === ATTRIBUTES_TABLE ? ATTRIBUTES : (metric?.fields ?? []);
  all.forEach((field, index) => {
    const word = index >> 5;
    const bit = 1 << (index & 31);
    if ((c[at + protocol.SHAPE_PRESENT + word] & bit) === 0) return;
    const isNull = (c[at + protocol.SHAPE_NULL + word] & bit) !== 0;
    fields.push({ name: field.name, cell: isNull ? 'null' : cellOf(field.type), word: words });
    if (!isNull) words += wordsOf(field.type);
  });
  const object = (cells, from, s) => {
    const target = {};
    for (const { name, cell, word } of fields) target[name] = READ[cell](cells, from + word, s);
    return target;
  };
  const hasUnknown = (c[at + protocol.SHAPE_FLAGS] & protocol.SHAPE_HAS_UNKNOWN) !== 0;
  const event = (cells, from, s, attributes, unknown) => {
    const head = metric ? { metric: metric.name } : { metric: 'unknown', metricId: cells[from + EVENT_METRIC_ID] };
    const values = object(cells, from + EVENT_WORDS, s);
    const known = { ...head, timestamp: cells[from + EVENT_TIMESTAMP], values, attributes };
    return hasUnknown ? { ...known, unknown } : known;
  };
  return { table, fields, words, unknown: hasUnknown, uses: 0, object, event };
}

/** Returns how the cells hold a value of this type, as a key of `READ`. */
function cellOf(type) {
  const { form, words, item } = FIELD_TYPES[type];
  if (form === 'list') return `${cellOf(item)} list`;
  if (form === 'uint') return words === 2 ? 'two words' : 'word';
  return form === 'bool' ? 'bool' : 'text';
}

/** Returns the words that a value takes in a record. For a list that is one word, the place of its items. */
const wordsOf = (type) => (FIELD_TYPES[type].form === 'list' ? 1 : FIELD_TYPES[type].words);

const READ = {
  null: () => null,
  bool: (c, at) => c[at] === 1,
  word: (c, at) => c[at],
  'two words': readU64,
  text: (c, at, s) => s[c[at]],
  'word list': readU32List,
  'two words list': readU64List,
  'text list': readStringList,
};

function readU64(c, at) {
  return c[at + 1] * 0x100000000 + c[at];
}

function writeU64(c, at, value) {
  c[at] = value;
  c[at + 1] = value / 0x100000000;
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
  word: (at) => `c[${at}]`,
  'two words': (at, high) => `c[${high}] * 0x100000000 + c[${at}]`,
  text: (at) => `s[c[${at}]]`,
  'word list': (at) => `readU32List(c, ${at})`,
  'two words list': (at) => `readU64List(c, ${at})`,
  'text list': (at) => `readStringList(c, ${at}, s)`,
};

/**
 * Replaces a shape's functions by compiled ones. Their source consists of the tables' names and of numbers, and never
 * of bytes from the wire. If the process forbids code from strings, the shape keeps its interpreted functions.
 */
function compile(shape) {
  const { table, fields } = shape;
  const literal = (head) => {
    const properties = fields.map(({ name, cell, word }) => {
      return `${name}: ${COMPILED_READ[cell](`at + ${head + word}`, `at + ${head + word + 1}`)}`;
    });
    return `{ ${properties.join(', ')} }`;
  };
  try {
    if (table === ATTRIBUTES_TABLE) {
      shape.object = compileFunction('c, at, s', literal(0));
    } else if (table !== protocol.UNKNOWN_METRIC) {
      const values = literal(EVENT_WORDS);
      const event = `{ metric: '${METRICS[table].name}', timestamp: c[at + ${EVENT_TIMESTAMP}], values: ${values}, attributes${shape.unknown ? ', unknown' : ''} }`;
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
