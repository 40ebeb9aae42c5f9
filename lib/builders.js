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
  const dialects = METRICS.filter(({ id }) => id === metric.id);

  class EventBuilder extends Builder {
    build(attributes, timestamp = Math.floor(Date.now() / 1000)) {
      checkAttributes(attributes);
      if (!isU32(timestamp)) throw invalidArgument('timestamp', 'a u32 of unix seconds', timestamp);
      const event = { metric: name, timestamp, values: copyOf(this[FIELDS]), attributes: { ...attributes } };
      if (dialects.length > 1) checkDialect(event, metric, dialects);
      return event;
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

/** Refuses an event that would decode as one of another metric with the same id. */
function checkDialect({ values, attributes }, metric, dialects) {
  const { dialect, name: other } = dialects.find(
    ({ dialect }) => dialect === undefined || isMarked(dialect, values, attributes),
  );
  if (other === metric.name) return;
  if (dialect !== undefined) {
    const value = attributes[dialect.attribute];
    throw invalidArgument(
      `attributes.${dialect.attribute}`,
      `it not to be set on a ${metric.name}, since it makes a ${other}`,
      value,
    );
  }
  throw invalidArgument(
    metric.dialect.container,
    `an object or an array on a ${metric.name} without attribute ${metric.dialect.attribute}`,
    values[metric.dialect.container],
  );
}

/** Whether an event has one of the two marks of a dialect. */
function isMarked({ attribute, container }, values, attributes) {
  return attributes[attribute] !== undefined || /^[{[]/.test(values[container] ?? '');
}

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
