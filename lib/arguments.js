'use strict';

// Checks of what callers hand in. Each failure is an ERR_INVALID_ARGUMENT that says where, what was expected and found.

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;

function invalidArgument(path, expected, found) {
  const error = new Error(`${path}: expected ${expected}, found ${describe(found)}`);
  error.code = 'ERR_INVALID_ARGUMENT';
  return error;
}

/** A value in a few words, on one line. */
function describe(value) {
  if (typeof value === 'string') return excerpt(JSON.stringify(value));
  if (typeof value === 'bigint') return excerpt(`${value}n`);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

function excerpt(text) {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

const isString = (value) => typeof value === 'string';
const isUint = (value) => Number.isSafeInteger(value) && value >= 0;
const isU32 = (value) => isUint(value) && value <= MAX_U32;

/** What each type of a table's fields accepts; of a list, what its items must be. */
const FIELD_TYPES = {
  bool: { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' },
  u32: { expected: 'a u32', accepts: isU32 },
  u64: { expected: 'a safe non-negative integer', accepts: isUint },
  string: { expected: 'a string', accepts: isString },
  'u32[]': { expected: 'an array of u32', item: 'u32' },
  'u64[]': { expected: 'an array of safe non-negative integers', item: 'u64' },
  'string[]': { expected: 'an array of strings', item: 'string' },
};

/** Whether a field of this type takes the value. */
function accepts(type, value) {
  const { item, accepts } = FIELD_TYPES[type];
  if (item === undefined) return accepts(value);
  // Not `every`, which passes over holes.
  return Array.isArray(value) && !Array.from(value).some((element) => !FIELD_TYPES[item].accepts(element));
}

/** The error for a field's value of a wrong type; of a list, for its first wrong item. */
function wrongType(type, value, path) {
  const { item, expected } = FIELD_TYPES[type];
  if (item !== undefined && Array.isArray(value)) {
    const place = Array.from(value).findIndex((element) => !FIELD_TYPES[item].accepts(element));
    if (place >= 0) return invalidArgument(`${path}[${place}]`, FIELD_TYPES[item].expected, value[place]);
  }
  return invalidArgument(path, expected, value);
}

function checkString(value, path) {
  if (!isString(value)) throw invalidArgument(path, 'a string', value);
}

function checkUint(value, path) {
  if (!isUint(value)) throw invalidArgument(path, 'a safe non-negative integer', value);
}

/** A holder of properties: not null, not an array. */
function checkObject(value, path) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument(path, 'an object', value);
  }
}

/** Throws at the first property of `object` that isn't one of `names`. */
function checkNames(object, names, path) {
  for (const name of Object.keys(object)) {
    if (!names.includes(name)) throw unknownProperty(path, name, object[name]);
  }
}

function unknownProperty(path, name, value) {
  const place = /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
  return invalidArgument(place, 'no such property', value);
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
  checkUint,
  checkObject,
  checkNames,
};
