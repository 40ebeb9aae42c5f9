'use strict';

const { MAX_STRING_LENGTH } = require('node:buffer').constants;
const binding = require('./native.js');
const { METRICS, ATTRIBUTES, MAX_UNKNOWN_FIELDS } = require('../generated/fields.js');
const protocol = require('../generated/protocol.js');
const checks = require('./arguments.js');

const { MAX_U16, invalidArgument, unknownProperty, wrongType, isUint, isU32, checkObject } = checks;

const {
  FIELD_TYPES,
  UNKNOWN_METRIC,
  STATE_BITS,
  STATE_NULL,
  STATE_FALSE,
  STATE_TRUE,
  STATE_UINT,
  STATE_TEXT,
  STATE_UINTS,
  STATE_TEXTS,
  STATE_JSON,
  KEPT_ATTRIBUTES,
  SAME_ATTRIBUTES,
  SECTION_VALUES,
  SECTION_ATTRIBUTES,
} = protocol;

const SECTIONS = [];
SECTIONS[SECTION_VALUES] = 'values';
SECTIONS[SECTION_ATTRIBUTES] = 'attributes';
const UNKNOWN_FIELD = new Set(['section', 'position', 'json']);

/**
 * Enough words for an event without lists and unknown fields: two records of at most 32 fields with three words each.
 */
const MOST_WORDS_AN_EVENT = 256;

const FIRST_WORDS = 1 << 14;
const MOST_KEPT_WORDS = 1 << 20;
const MOST_WORDS = 1 << 29;

/** The attributes of one event, each read once. */
class Taken {
  count = 0;
  fields = /** @type {Field[]} */ ([]);
  values = /** @type {unknown[]} */ ([]);
}

const encoder = new binding.BatchEncoder();
let packing = false;
/** Whether objects inherit enumerable properties, because someone has added some to `Object.prototype`. */
let inheriting = false;
let words = new Uint32Array(FIRST_WORDS);
let at = 0;
/** The texts of the current batch, concatenated. */
let texts = '';
/** The attributes at each place that keeps some, the place that is next to take others, and those of this event. */
let kept = [];
let nextPlace = 0;
let taken = new Taken();

/** The field of a table, as packing needs it. */
class Field {
  constructor(name, type, index) {
    const { form, item, largest } = FIELD_TYPES[type];
    this.name = name;
    this.type = type;
    this.form = form;
    this.head = index << STATE_BITS;
    this.largest = form === 'list' ? FIELD_TYPES[item].largest : largest;
    this.isTexts = form === 'list' && FIELD_TYPES[item].form === 'text';
    /** The field that followed this one in the last object. The next object is likely to have the same order. */
    this.next = /** @type {Field | undefined} */ (undefined);
  }
}

/** A table's fields by name and by position. */
class Table {
  constructor(fields, number, id) {
    this.number = number;
    this.id = id;
    this.byName = new Map(fields.map(({ name, type }, index) => [name, new Field(name, type, index)]));
    this.byPosition = new Map(fields.map(({ position, name }) => [String(position), name]));
    /** Comes before the first field. */
    this.start = new Field('', 'bool', 0);
  }

  /** Finds the field of this name, in an object where it follows the field `previous`. */
  fieldAfter(previous, name) {
    const likely = previous.next;
    if (likely !== undefined && likely.name === name) return likely;
    const field = this.byName.get(name);
    previous.next = field ?? likely;
    return field;
  }
}

const ATTRIBUTES_TABLE = new Table(ATTRIBUTES, 0, 0);
const NO_TABLE = new Table([], UNKNOWN_METRIC, 0);
const TABLES = new Map(METRICS.map(({ id, name, fields }, number) => [name, new Table(fields, number, id)]));

/** @param {readonly object[]} events */
function encodeMetricsBatch(events) {
  if (!Array.isArray(events)) throw invalidArgument('events', 'an array of events', events);
  // A getter of an event may call this function again. Keep what the outer call has packed so far.
  const outer = packing ? { inheriting, words, at, texts, kept, nextPlace, taken } : undefined;
  if (outer !== undefined || words.length > MOST_KEPT_WORDS) words = new Uint32Array(FIRST_WORDS);
  packing = true;
  inheriting = inheritsProperties();
  at = 0;
  texts = '';
  kept = [];
  nextPlace = 0;
  taken = new Taken();
  try {
    for (let n = 0; n < events.length; n++) packEvent(events[n], n);
    return encoder.encode(words, at, texts);
  } finally {
    // Nothing of the caller's stays in memory.
    texts = '';
    kept = [];
    taken = new Taken();
    if (outer === undefined) packing = false;
    else ({ inheriting, words, at, texts, kept, nextPlace, taken } = outer);
  }
}

function inheritsProperties() {
  for (const _ in Object.prototype) return true;
  return false;
}

/**
 * Returns an object that `for (name in …)` gives only the own properties of, because that loop is several times faster
 * than one over `Object.keys`. Mostly it is the same object.
 *
 * @param {string} section a part of the event, or '' for the event itself
 */
function ownProperties(object, n, section) {
  const isObject = typeof object === 'object' && object !== null;
  if (isObject && !inheriting && Object.getPrototypeOf(object) === Object.prototype) return object;
  checkObject(object, pathOf(n, section));
  return { __proto__: null, ...object };
}

const pathOf = (n, section) => (section === '' ? `events[${n}]` : `events[${n}].${section}`);

function packEvent(given, n) {
  const event = ownProperties(given, n, '');
  const { metric, timestamp, values, attributes } = event;
  const unknown = Object.hasOwn(event, 'unknown') ? event.unknown : undefined;
  const known = TABLES.get(metric);
  if (known === undefined && metric !== 'unknown') throw invalidArgument(`events[${n}].metric`, 'a metric', metric);
  if (!isU32(timestamp)) throw invalidArgument(`events[${n}].timestamp`, 'a u32 of unix seconds', timestamp);
  const metricId = known === undefined ? event.metricId : known.id;
  if (!isUint(metricId) || metricId > MAX_U16) throw invalidArgument(`events[${n}].metricId`, 'a u16', metricId);
  checkEventNames(event, known === undefined, n);
  reserve(MOST_WORDS_AN_EVENT);
  const table = known ?? NO_TABLE;
  words[at++] = timestamp;
  words[at++] = table.number;
  words[at++] = metricId;
  packValues(table, values, n);
  packAttributes(attributes, n, unknown === undefined);
  if (unknown === undefined) words[at++] = 0;
  else
    packUnknown(unknown, [values, attributes], [table.byPosition, ATTRIBUTES_TABLE.byPosition], `events[${n}].unknown`);
}

function checkEventNames(event, hasMetricId, n) {
  for (const name in event) {
    switch (name) {
      case 'metric':
      case 'timestamp':
      case 'values':
      case 'attributes':
      case 'unknown':
        break;
      default:
        if (name !== 'metricId' || !hasMetricId) throw unknownProperty(`events[${n}]`, name, event[name]);
    }
  }
}

function packValues(table, given, n) {
  const values = ownProperties(given, n, 'values');
  const countAt = at++;
  let count = 0;
  let previous = table.start;
  for (const name in values) {
    const value = values[name];
    const field = table.fieldAfter(previous, name);
    if (field === undefined) throw unknownProperty(`events[${n}].values`, name, value);
    previous = field;
    if (value === undefined) continue;
    if (!packValue(field, value)) throw wrongType(field.type, value, `events[${n}].values.${name}`);
    count++;
  }
  words[countAt] = count;
}

/** Packs attributes. Events of one session have the same ones, so those of the last few sessions cross only once. */
function packAttributes(given, n, mayKeep) {
  takeAttributes(ownProperties(given, n, 'attributes'), n);
  const { fields, values, count } = taken;
  let place = KEPT_ATTRIBUTES;
  if (mayKeep) {
    for (let other = 0; other < kept.length; other++) {
      if (areSame(taken, kept[other])) {
        words[at++] = other;
        words[at++] = SAME_ATTRIBUTES;
        return;
      }
    }
    place = nextPlace;
    nextPlace = (place + 1) % KEPT_ATTRIBUTES;
    kept[place] = taken;
    taken = new Taken();
  }
  words[at++] = place;
  const countAt = at++;
  let set = 0;
  for (let i = 0; i < count; i++) {
    const field = fields[i];
    const value = values[i];
    if (value === undefined) continue;
    if (!packValue(field, value)) throw wrongType(field.type, value, `events[${n}].attributes.${field.name}`);
    set++;
  }
  words[countAt] = set;
}

/** Reads each attribute once. */
function takeAttributes(attributes, n) {
  const { fields, values } = taken;
  let count = 0;
  let previous = ATTRIBUTES_TABLE.start;
  for (const name in attributes) {
    const value = attributes[name];
    const field = ATTRIBUTES_TABLE.fieldAfter(previous, name);
    if (field === undefined) throw unknownProperty(`events[${n}].attributes`, name, value);
    previous = field;
    fields[count] = field;
    values[count] = value;
    count++;
  }
  taken.count = count;
}

// From the end, because there are the ids, which differ most.
function areSame(some, others) {
  let i = some.count;
  if (others.count !== i) return false;
  while (--i >= 0) {
    const field = some.fields[i];
    // A list may have changed meanwhile.
    if (some.values[i] !== others.values[i] || field !== others.fields[i] || field.form === 'list') return false;
  }
  return true;
}

/** Packs a value. Returns false if it is of another type than the field. */
function packValue(field, value) {
  const { head } = field;
  if (value === null) {
    words[at++] = head | STATE_NULL;
    return true;
  }
  switch (field.form) {
    case 'text':
      if (typeof value !== 'string') return false;
      words[at++] = head | STATE_TEXT;
      packText(value);
      return true;
    case 'uint':
      if (!isUint(value) || value > field.largest) return false;
      words[at++] = head | STATE_UINT;
      packWords(value);
      return true;
    case 'bool':
      if (typeof value !== 'boolean') return false;
      words[at++] = head | (value ? STATE_TRUE : STATE_FALSE);
      return true;
    case 'json':
      // The native encoder checks whether it is JSON.
      if (typeof value !== 'string') return false;
      words[at++] = head | STATE_JSON;
      packText(value);
      return true;
    default:
      return field.isTexts ? packStrings(head, value) : packUints(head, value, field.largest);
  }
}

function packWords(value) {
  words[at++] = value;
  words[at++] = value / 0x100000000;
}

function packText(text) {
  if (texts.length + text.length > MAX_STRING_LENGTH) {
    throw invalidArgument('events', `at most ${MAX_STRING_LENGTH} characters of text`, texts.length + text.length);
  }
  words[at++] = text.length;
  texts += text;
}

// These two return false if the value isn't a list of that type.

function packUints(head, list, largest) {
  const length = beginList(head | STATE_UINTS, list);
  for (let i = 0; i < length; i++) {
    const value = list[i];
    if (!isUint(value) || value > largest) return false;
    packWords(value);
  }
  return length >= 0;
}

function packStrings(head, list) {
  const length = beginList(head | STATE_TEXTS, list);
  for (let i = 0; i < length; i++) {
    const text = list[i];
    if (typeof text !== 'string') return false;
    packText(text);
  }
  return length >= 0;
}

/** Returns the list's length, or -1 if it isn't a list. The length is read once, because a list may be a proxy. */
function beginList(head, list) {
  if (!Array.isArray(list)) return -1;
  const { length } = list;
  if (!isU32(length)) return -1;
  reserve(2 * length + MOST_WORDS_AN_EVENT);
  words[at++] = head;
  words[at++] = length;
  return length;
}

function packUnknown(unknown, records, byPosition, path) {
  const length = Array.isArray(unknown) ? unknown.length : -1;
  if (!isU32(length)) throw invalidArgument(path, 'an array of unknown fields', unknown);
  // Decoding would refuse an event with more.
  if (length > MAX_UNKNOWN_FIELDS) throw invalidArgument(path, `at most ${MAX_UNKNOWN_FIELDS} unknown fields`, length);
  reserve(3 * length + 1);
  words[at++] = length;
  const taken = new Set();
  for (let i = 0; i < length; i++) {
    const field = unknown[i];
    checkObject(field, `${path}[${i}]`);
    const { section, position, json } = field;
    const place = SECTIONS.indexOf(section);
    if (place < 0) throw invalidArgument(`${path}[${i}].section`, "'values' or 'attributes'", section);
    checks.checkString(position, `${path}[${i}].position`);
    checks.checkString(json, `${path}[${i}].json`);
    checks.checkNames(field, UNKNOWN_FIELD, `${path}[${i}]`);
    const name = byPosition[place].get(position);
    const key = `${place}${position}`;
    if (taken.has(key) || (name !== undefined && records[place][name] !== undefined)) {
      throw invalidArgument(`${path}[${i}].position`, 'a position that is set once', position);
    }
    taken.add(key);
    words[at++] = place;
    packText(position);
    packText(json);
  }
}

function reserve(more) {
  if (at + more <= words.length) return;
  if (at + more > MOST_WORDS) throw invalidArgument('events', `at most ${MOST_WORDS} numbers and texts`, at + more);
  const larger = new Uint32Array(Math.max(2 * words.length, at + more));
  larger.set(words);
  words = larger;
}

module.exports = { encodeMetricsBatch };
