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
const METRIC = Symbol('metric');
const FIELDS = Symbol('fields');

/** Adds a setter per field of a table, named as the field. */
function addSetters(builder, fields) {
  for (const { name, type } of fields) {
    builder.prototype[name] = function (value) {
      if (value !== null && !accepts(type, value)) throw wrongType(type, value, name);
      // A list is copied, so that what its owner does to it later doesn't reach the event.
      this[FIELDS][name] = Array.isArray(value) ? [...value] : value;
      return this;
    };
    Object.defineProperty(builder.prototype[name], 'name', { value: name });
  }
}

class EventBuilder {
  constructor(metric) {
    this[METRIC] = metric;
    this[FIELDS] = {};
  }

  build(attributes, timestamp = Math.floor(Date.now() / 1000)) {
    checkAttributes(attributes);
    if (!isU32(timestamp)) throw invalidArgument('timestamp', 'a u32 of unix seconds', timestamp);
    return { metric: this[METRIC], timestamp, values: copyOf(this[FIELDS]), attributes: { ...attributes } };
  }
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

class CommittedBuilder extends EventBuilder {
  constructor() {
    super('committed');
  }
}

class AgentUsageBuilder extends EventBuilder {
  constructor() {
    super('agent_usage');
  }
}

class InstallHooksBuilder extends EventBuilder {
  constructor() {
    super('install_hooks');
  }
}

class CheckpointBuilder extends EventBuilder {
  constructor() {
    super('checkpoint');
  }
}

class PromptEventBuilder extends EventBuilder {
  constructor() {
    super('prompt_event');
  }

  skillFile(file) {
    if (file === null) return this.skillFilePath(null).skillFileMtime(null).skillFileHash(null);
    checkObject(file, 'skillFile');
    checkString(file.path, 'skillFile.path');
    checkUint(file.mtimeMs, 'skillFile.mtimeMs');
    checkString(file.hash, 'skillFile.hash');
    return this.skillFilePath(file.path).skillFileMtime(file.mtimeMs).skillFileHash(file.hash);
  }
}

const BUILDERS = {
  committed: CommittedBuilder,
  agent_usage: AgentUsageBuilder,
  install_hooks: InstallHooksBuilder,
  checkpoint: CheckpointBuilder,
  prompt_event: PromptEventBuilder,
};
for (const { name, fields } of METRICS) addSetters(BUILDERS[name], fields);

class EventAttributesBuilder {
  constructor() {
    this[FIELDS] = {};
  }

  build() {
    return copyOf(this[FIELDS]);
  }
}
addSetters(EventAttributesBuilder, ATTRIBUTES);

const setCustomAttributesText = EventAttributesBuilder.prototype.customAttributes;
/** On the wire custom attributes are JSON in a string; here they are what that JSON says. */
EventAttributesBuilder.prototype.customAttributes = function customAttributes(map) {
  if (map === null) return setCustomAttributesText.call(this, null);
  checkObject(map, 'customAttributes');
  const entries = Object.entries(map);
  for (const [key, value] of entries) checkString(value, `customAttributes[${JSON.stringify(key)}]`);
  // What was checked, not `map` itself, which may have more to say to JSON.stringify than its own properties.
  return setCustomAttributesText.call(this, JSON.stringify(Object.fromEntries(entries)));
};

module.exports = {
  CommittedBuilder,
  AgentUsageBuilder,
  InstallHooksBuilder,
  CheckpointBuilder,
  PromptEventBuilder,
  EventAttributesBuilder,
};
