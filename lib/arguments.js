'use strict';

const { GitAiMetricsError } = require('./errors.js');

// Checks of what callers hand in. Each failure is an ERR_INVALID_ARGUMENT that says where, what was expected and found.

const binding = require('./native.js');
const { FIELD_TYPES, LONGEST_EXCERPT, HIDDEN } = require('../generated/protocol.js');

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;

function invalidArgument(path, expected, found) {
  return new GitAiMetricsError('ERR_INVALID_ARGUMENT', `${path}: expected ${expected}, found ${describe(found)}`, {
    path,
  });
}

/** A value in a few words, on one line. */
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

/** The start of a text, on one line and in one direction, by the rule of the addon's own messages. */
function excerpt(text) {
  // Cut by units first, since the text may be of any length: no character has more than two.
  const characters = Array.from(text.slice(0, 2 * LONGEST_EXCERPT + 2));
  const shown = characters.slice(0, LONGEST_EXCERPT).join('').replace(HIDDEN_CHARACTERS, ' ');
  return characters.length > LONGEST_EXCERPT ? `${shown}…` : shown;
}

/** Asks the encoder's own check, so that both take the same texts. */
const isOneJsonValue = (value) => isString(value) && binding.isOneJsonValue(value);
const isString = (value) => typeof value === 'string';
const isUint = (value) => Number.isSafeInteger(value) && value >= 0;
const isU32 = (value) => isUint(value) && value <= MAX_U32;

/** Whether a value is of a type that isn't a list. */
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
  // Not `every`, which passes over holes.
  return Array.isArray(value) && !Array.from(value).some((element) => !acceptsScalar(FIELD_TYPES[item], element));
}

/** The error for a field's value of a wrong type; of a list, for its first wrong item. */
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

/** A plain object. What has its properties elsewhere, as a Map, a builder or a class with getters, would be taken for empty. */
function checkObject(value, path) {
  if (typeof value !== 'object' || value === null || !isPlain(value))
    throw invalidArgument(path, 'a plain object', value);
}

function isPlain(object) {
  const prototype = Object.getPrototypeOf(object);
  // That of another realm is as good: a prototype without one of its own.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Throws at the first property of `object` that isn't one of `names`, a set or a map. */
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
