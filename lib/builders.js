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

// Symbols, since every plain name may become a field's setter.
const FIELDS = Symbol('fields');

class Builder {
  constructor() {
    this[FIELDS] = {};
  }
}

/** Adds a setter per field of a table, named as the field. */
function addSetters(builder, fields) {
  for (const { name, type } of fields) {
    builder.prototype[name] = function (value) {
      if (value !== null && !accepts(type, value)) throw wrongType(type, value, name);
      // A list is copied, so that later changes to it by its owner don't reach the event.
      this[FIELDS][name] = Array.isArray(value) ? [...value] : value;
      return this;
    };
    Object.defineProperty(builder.prototype[name], 'name', { value: name });
  }
}

/** The class that the builder of a metric extends. */
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

/** Setters of several fields at once, by metric. */
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

/** The class that the builder of attributes extends. */
class AttributesBuilder extends Builder {
  build() {
    return copyOf(this[FIELDS]);
  }
}
addSetters(AttributesBuilder, ATTRIBUTES);

/** @type {any} The setters are made from the table. */
const attributesPrototype = AttributesBuilder.prototype;
const setCustomAttributesText = attributesPrototype.customAttributes;
/** On the wire custom attributes are JSON in a string; here they are the object itself. */
attributesPrototype.customAttributes = function customAttributes(map) {
  if (map === null) return setCustomAttributesText.call(this, null);
  checkObject(map, 'customAttributes');
  const entries = Object.entries(map);
  for (const [key, value] of entries) checkString(value, `customAttributes[${JSON.stringify(key)}]`);
  // The entries that were checked, not `map` itself: JSON.stringify would also ask its `toJSON`.
  return setCustomAttributesText.call(this, JSON.stringify(Object.fromEntries(entries)));
};

module.exports = { eventBuilder, AttributesBuilder };
