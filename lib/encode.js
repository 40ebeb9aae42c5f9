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

const encoder = new binding.BatchEncoder();
let packing = false;
let words = new Uint32Array(FIRST_WORDS);
let at = 0;
/** The texts of the current batch, concatenated. */
let texts = '';

/** Returns the function that packs a value of this type. That function returns false for a value of another type. */
function packerOf(type) {
  const { form, item, largest } = FIELD_TYPES[type];
  switch (form) {
    case 'bool':
      return packBool;
    case 'uint':
      return (head, value) => packUint(head, value, largest);
    case 'text':
      return packString;
    case 'json':
      return packJson;
    case 'list':
      return FIELD_TYPES[item].form === 'text'
        ? packStrings
        : (head, list) => packUints(head, list, FIELD_TYPES[item].largest);
  }
}

/** Indexes a table's fields by name and by position. */
function lookUps(fields) {
  const byName = new Map();
  const byPosition = new Map();
  fields.forEach((field, index) => {
    byName.set(field.name, { type: field.type, head: index << STATE_BITS, pack: packerOf(field.type) });
    byPosition.set(String(field.position), field.name);
  });
  return { byName, byPosition };
}

const ATTRIBUTES_TABLE = lookUps(ATTRIBUTES);
const NO_TABLE = { number: UNKNOWN_METRIC, ...lookUps([]) };
const TABLES = new Map(METRICS.map(({ id, name, fields }, number) => [name, { id, number, ...lookUps(fields) }]));

/** @param {readonly object[]} events */
function encodeMetricsBatch(events) {
  if (!Array.isArray(events)) throw invalidArgument('events', 'an array of events', events);
  // A getter of an event may call this function again. Keep what the outer call has packed so far.
  const outer = packing ? { words, at, texts } : undefined;
  if (outer !== undefined || words.length > MOST_KEPT_WORDS) words = new Uint32Array(FIRST_WORDS);
  packing = true;
  at = 0;
  texts = '';
  try {
    for (let n = 0; n < events.length; n++) packEvent(events[n], n);
    return encoder.encode(words, at, texts);
  } finally {
    texts = '';
    if (outer === undefined) packing = false;
    else ({ words, at, texts } = outer);
  }
}

function packEvent(event, n) {
  checkObject(event, `events[${n}]`);
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
  packRecord(table.byName, values, n, 'values');
  packRecord(ATTRIBUTES_TABLE.byName, attributes, n, 'attributes');
  if (unknown === undefined) words[at++] = 0;
  else
    packUnknown(unknown, [values, attributes], [table.byPosition, ATTRIBUTES_TABLE.byPosition], `events[${n}].unknown`);
}

function checkEventNames(event, hasMetricId, n) {
  for (const name of Object.keys(event)) {
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

function packRecord(byName, record, n, section) {
  checkObject(record, `events[${n}].${section}`);
  const countAt = at++;
  let count = 0;
  for (const name of Object.keys(record)) {
    const value = record[name];
    const field = byName.get(name);
    if (field === undefined) throw unknownProperty(`events[${n}].${section}`, name, value);
    if (value === undefined) continue;
    if (value === null) words[at++] = field.head | STATE_NULL;
    else if (!field.pack(field.head, value)) throw wrongType(field.type, value, `events[${n}].${section}.${name}`);
    count++;
  }
  words[countAt] = count;
}

// Each of these packs a value. It returns false if the value is of another type.

function packBool(head, value) {
  if (typeof value !== 'boolean') return false;
  words[at++] = head | (value ? STATE_TRUE : STATE_FALSE);
  return true;
}

function packUint(head, value, largest) {
  if (!isUint(value) || value > largest) return false;
  words[at++] = head | STATE_UINT;
  packWords(value);
  return true;
}

function packWords(value) {
  words[at++] = value;
  words[at++] = value / 0x100000000;
}

function packString(head, value) {
  if (typeof value !== 'string') return false;
  words[at++] = head | STATE_TEXT;
  packText(value);
  return true;
}

/** The native encoder checks whether the text is JSON. */
function packJson(head, value) {
  if (typeof value !== 'string') return false;
  words[at++] = head | STATE_JSON;
  packText(value);
  return true;
}

function packText(text) {
  if (texts.length + text.length > MAX_STRING_LENGTH) {
    throw invalidArgument('events', `at most ${MAX_STRING_LENGTH} characters of text`, texts.length + text.length);
  }
  words[at++] = text.length;
  texts += text;
}

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
