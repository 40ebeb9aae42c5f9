'use strict';

const { GitAiMetricsError } = require('./errors.js');

// Checks of arguments. Each failure is an ERR_INVALID_ARGUMENT that says what was expected, what was found and where.

const binding = require('./native.js');
const { FIELD_TYPES, LONGEST_EXCERPT, HIDDEN } = require('../generated/protocol.js');

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;

function invalidArgument(path, expected, found) {
  return new GitAiMetricsError('ERR_INVALID_ARGUMENT', `${path}: expected ${expected}, found ${describe(found)}`, {
    path,
  });
}

/** Describes a value in a few words, on one line. */
function describe(value) {
  if (typeof value === 'string') return excerpt(JSON.stringify(value.slice(0, 2 * LONGEST_EXCERPT + 2)));
  if (typeof value === 'bigint') return excerpt(`${value}n`);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    return tag === 'Object' ? 'an object' : excerpt(`an object (${tag})`);
  }
  return String(value);
}

const HIDDEN_CHARACTERS = new RegExp(`[${HIDDEN}]`, 'gu');

/** Shortens a text to one line of visible characters, by the same rule as the addon's own messages. */
function excerpt(text) {
  // A text may be very long, so cut it before splitting. A character has at most two UTF-16 units.
  const characters = Array.from(text.slice(0, 2 * LONGEST_EXCERPT + 2));
  const shown = characters.slice(0, LONGEST_EXCERPT).join('').replace(HIDDEN_CHARACTERS, ' ');
  return characters.length > LONGEST_EXCERPT ? `${shown}…` : shown;
}

/** Uses the encoder's own check, so both accept the same texts. */
const isOneJsonValue = (value) => isString(value) && binding.isOneJsonValue(value);
const isString = (value) => typeof value === 'string';
const isUint = (value) => Number.isSafeInteger(value) && value >= 0;
const isU32 = (value) => isUint(value) && value <= MAX_U32;

/** Whether a type other than a list accepts the value. */
function acceptsScalar({ form, largest }, value) {
  switch (form) {
    case 'bool':
      return typeof value === 'boolean';
    case 'uint':
      return isUint(value) && value <= largest;
    case 'json':
      return isOneJsonValue(value);
    default:
      return isString(value);
  }
}

/** Whether a field of this type takes the value. */
function accepts(type, value) {
  const { item } = FIELD_TYPES[type];
  if (item === undefined) return acceptsScalar(FIELD_TYPES[type], value);
  // Array.from, because `every` skips the holes of a sparse array.
  return Array.isArray(value) && !Array.from(value).some((element) => !acceptsScalar(FIELD_TYPES[item], element));
}

/** Makes the error for a value of the wrong type. For a list it names the first wrong item. */
function wrongType(type, value, path) {
  const { item, expected } = FIELD_TYPES[type];
  if (item !== undefined && Array.isArray(value)) {
    const place = Array.from(value).findIndex((element) => !acceptsScalar(FIELD_TYPES[item], element));
    if (place >= 0) return invalidArgument(`${path}[${place}]`, FIELD_TYPES[item].expected, value[place]);
  }
  return invalidArgument(path, expected, value);
}

function checkString(value, path) {
  if (!isString(value)) throw invalidArgument(path, 'a string', value);
}

function checkFilledString(value, path) {
  checkString(value, path);
  if (value === '') throw invalidArgument(path, 'a string that is not empty', value);
}

function checkUint(value, path) {
  if (!isUint(value)) throw invalidArgument(path, 'a safe non-negative integer', value);
}

function checkBoolean(value, path) {
  if (typeof value !== 'boolean') throw invalidArgument(path, 'a boolean', value);
}

/** Requires a plain object. A Map or a class with getters has no own properties and would pass for an empty object. */
function checkObject(value, path) {
  if (typeof value !== 'object' || value === null || !isPlain(value))
    throw invalidArgument(path, 'a plain object', value);
}

function isPlain(object) {
  const prototype = Object.getPrototypeOf(object);
  // Object.prototype of another realm counts too. Like ours, it has no prototype of its own.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Throws if `object` has a property that isn't in `names`, a set or a map. */
function checkNames(object, names, path) {
  for (const name of Object.keys(object)) {
    if (!names.has(name)) throw unknownProperty(path, name, object[name]);
  }
}

function unknownProperty(path, name, value) {
  const place = /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
  return invalidArgument(place, 'no property of that name', value);
}

module.exports = {
  MAX_U16,
  MAX_U32,
  invalidArgument,
  unknownProperty,
  accepts,
  wrongType,
  isUint,
  isU32,
  checkString,
  checkFilledString,
  checkUint,
  checkBoolean,
  checkObject,
  checkNames,
};
