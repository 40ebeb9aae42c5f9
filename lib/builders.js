'use strict';

const { METRICS, ATTRIBUTES } = require('../generated/fields.js');
const {
  accepts,
  invalidArgument,
  wrongType,
  isU32,
  checkString,
  checkUint,
  checkObject,
  checkNames,
} = require('./arguments.js');
const { checkDialect } = require('./dialects.js');

// A symbol, because any string may become the name of a field's setter.
const FIELDS = Symbol('fields');

class Builder {
  constructor() {
    this[FIELDS] = {};
  }
}

/** Adds one setter per field of a table, with the field's name. */
function addSetters(builder, fields) {
  for (const { name, type } of fields) {
    builder.prototype[name] = function (value) {
      if (value !== null && !accepts(type, value)) throw wrongType(type, value, name);
      // Lists are copied, so that later changes to the caller's list don't reach the event.
      this[FIELDS][name] = Array.isArray(value) ? [...value] : value;
      return this;
    };
    Object.defineProperty(builder.prototype[name], 'name', { value: name });
  }
}

/** The base class of a metric's builder. */
function eventBuilder(name) {
  const metric = /** @type {(typeof METRICS)[number]} */ (METRICS.find((metric) => metric.name === name));

  class EventBuilder extends Builder {
    build(attributes, timestamp = Math.floor(Date.now() / 1000)) {
      checkAttributes(attributes);
      if (!isU32(timestamp)) throw invalidArgument('timestamp', 'a u32 of unix seconds', timestamp);
      checkDialect(name, this[FIELDS], attributes, 'attributes');
      return { metric: name, timestamp, values: copyOf(this[FIELDS]), attributes: { ...attributes } };
    }
  }
  addSetters(EventBuilder, metric.fields);
  Object.assign(EventBuilder.prototype, FURTHER_SETTERS[name]);
  return EventBuilder;
}

/** Setters that set several fields at once, by metric. */
const FURTHER_SETTERS = {
  prompt_event: {
    skillFile(file) {
      if (file === null) return this.skillFilePath(null).skillFileMtime(null).skillFileHash(null);
      checkObject(file, 'skillFile');
      checkString(file.path, 'skillFile.path');
      checkUint(file.mtimeMs, 'skillFile.mtimeMs');
      checkString(file.hash, 'skillFile.hash');
      return this.skillFilePath(file.path).skillFileMtime(file.mtimeMs).skillFileHash(file.hash);
    },
  },
};

const ATTRIBUTE_TYPES = new Map(ATTRIBUTES.map(({ name, type }) => [name, type]));

function checkAttributes(attributes) {
  checkObject(attributes, 'attributes');
  checkNames(attributes, ATTRIBUTE_TYPES, 'attributes');
  for (const [name, value] of Object.entries(attributes)) {
    const type = ATTRIBUTE_TYPES.get(name);
    if (value !== undefined && value !== null && !accepts(type, value))
      throw wrongType(type, value, `attributes.${name}`);
  }
}

function copyOf(fields) {
  const copy = { ...fields };
  for (const name of Object.keys(copy)) if (Array.isArray(copy[name])) copy[name] = [...copy[name]];
  return copy;
}

/** The base class of the attributes' builder. */
class AttributesBuilder extends Builder {
  build() {
    return copyOf(this[FIELDS]);
  }
}
addSetters(AttributesBuilder, ATTRIBUTES);

/** @type {any} The setters come from the table, so the type checker doesn't know them. */
const attributesPrototype = AttributesBuilder.prototype;
const setCustomAttributesText = attributesPrototype.customAttributes;
/** The wire holds custom attributes as JSON in a string. This setter takes the object instead. */
attributesPrototype.customAttributes = function customAttributes(map) {
  if (map === null) return setCustomAttributesText.call(this, null);
  checkObject(map, 'customAttributes');
  const entries = Object.entries(map);
  for (const [key, value] of entries) checkString(value, `customAttributes[${JSON.stringify(key)}]`);
  // Stringify the checked entries, because JSON.stringify(map) would call a `toJSON` of the caller.
  return setCustomAttributesText.call(this, JSON.stringify(Object.fromEntries(entries)));
};

module.exports = { eventBuilder, AttributesBuilder };
