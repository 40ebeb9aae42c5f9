'use strict';

const binding = require('./native.js');
const { ATTRIBUTES } = require('../generated/fields.js');
const { receiveCaptured } = require('./decode.js');
const { bytesOf } = require('./bytes.js');
const checks = require('./arguments.js');

const { checkString, checkFilledString, checkUint, checkBoolean, checkObject, checkNames, invalidArgument } = checks;

const ATTRIBUTE_NAMES = new Set(ATTRIBUTES.map(({ name }) => name));
const TRANSCRIPT_OPTIONS = new Set(['sessionId', 'cwd', 'homeDir', 'redact', 'gitAiVersion', 'attributes']);
const HOOK_OPTIONS = new Set(['homeDir', 'redact', 'gitAiVersion', 'attributes', 'receivedAtMs']);

function parseClaudeTranscript(jsonl, options) {
  const bytes = bytesOf(jsonl, 'jsonl');
  return receiveCaptured(binding.parseClaudeTranscript(bytes, transcriptSettings(options)));
}

class ClaudeTranscriptReader {
  #reader;

  constructor(path, options) {
    this.#reader = openReader(path, options);
  }

  static resume(path, options, state) {
    checkString(state, 'state');
    const resumed = new ClaudeTranscriptReader(path, options);
    resumed.#reader = openReader(path, options, state);
    return resumed;
  }

  read(maxEvents) {
    if (maxEvents !== undefined) checkUint(maxEvents, 'maxEvents');
    if (maxEvents === 0) throw invalidArgument('maxEvents', 'at least 1', maxEvents);
    return receiveCaptured(this.#reader.read(maxEvents));
  }

  state() {
    return this.#reader.state();
  }

  get offset() {
    return this.#reader.offset;
  }
}

function openReader(path, options, state) {
  checkFilledString(path, 'path');
  return new binding.TranscriptReader(path, transcriptSettings(options), state);
}

function captureHook(agent, hookInput, options, state) {
  if (state !== undefined) checkString(state, 'state');
  const settings = hookSettings(options);
  const result = claimHook(agent, hookInput).capture(settings, state);
  return { events: receiveCaptured(result.events()), state: result.state };
}

function captureStoredHook(agent, hookInput, options, deliver) {
  if (deliver !== undefined && typeof deliver !== 'function') throw invalidArgument('deliver', 'a function', deliver);
  const settings = hookSettings(options);
  const hook = claimHook(agent, hookInput);
  const stored = hook.lock(settings.homeDir);
  try {
    const result = captureFrom(hook, settings, stored.load());
    const events = receiveCaptured(result.events());
    // Saved only once the events are safe: should this process die before, the next hook emits them again.
    const delivered = deliver?.(events);
    if (typeof delivered?.then === 'function') {
      delivered.then(undefined, () => {});
      throw invalidArgument('deliver', 'a function that is done when it returns', delivered);
    }
    stored.save(result.state);
    return events;
  } finally {
    stored.unlock();
  }
}

function captureFrom(hook, settings, state) {
  try {
    return hook.capture(settings, state ?? undefined);
  } catch (error) {
    // A file that holds no state any more must not stop the session's hooks for ever. What was emitted comes again.
    if (state === null || error.code !== 'ERR_INVALID_ARGUMENT') throw error;
    return hook.capture(settings);
  }
}

function claimHook(agent, hookInput) {
  checkFilledString(agent, 'agent');
  checkString(hookInput, 'hookInput');
  return new binding.ClaimedHook(agent, hookInput);
}

function resolveSkillFile(name, cwd, homeDir) {
  checkString(name, 'name');
  checkString(cwd, 'cwd');
  if (homeDir !== undefined) checkString(homeDir, 'homeDir');
  return binding.resolveSkillFile(name, cwd, homeDir);
}

function transcriptSettings(options) {
  checkObject(options, 'options');
  checkNames(options, TRANSCRIPT_OPTIONS, 'options');
  checkFilledString(options.sessionId, 'options.sessionId');
  checkOptionalStrings(options, ['cwd', 'homeDir']);
  const { sessionId, cwd, homeDir, redact = false } = options;
  checkBoolean(redact, 'options.redact');
  return { sessionId, cwd, homeDir, redact, attributes: attributeValues(options) };
}

function hookSettings(options = {}) {
  checkObject(options, 'options');
  checkNames(options, HOOK_OPTIONS, 'options');
  checkOptionalStrings(options, ['homeDir']);
  const { homeDir, redact = false, receivedAtMs = Date.now() } = options;
  checkBoolean(redact, 'options.redact');
  checkUint(receivedAtMs, 'options.receivedAtMs');
  return { homeDir, redact, receivedAtMs, attributes: attributeValues(options) };
}

/** The caller's attributes, one for each line of the table. */
function attributeValues(options) {
  const { attributes = {} } = options;
  checkObject(attributes, 'options.attributes');
  checkNames(attributes, ATTRIBUTE_NAMES, 'options.attributes');
  checkOptionalStrings(options, ['gitAiVersion']);
  const values = { ...attributes, gitAiVersion: options.gitAiVersion ?? attributes.gitAiVersion };
  return Array.from(ATTRIBUTE_NAMES, (name) => {
    const value = values[name];
    if (value !== undefined && value !== null) checkString(value, `options.attributes.${name}`);
    return value;
  });
}

function checkOptionalStrings(options, names) {
  for (const name of names) if (options[name] !== undefined) checkString(options[name], `options.${name}`);
}

module.exports = {
  parseClaudeTranscript,
  ClaudeTranscriptReader,
  captureHook,
  captureStoredHook,
  resolveSkillFile,
};
