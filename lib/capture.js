'use strict';

const binding = require('./native.js');
const { ATTRIBUTES } = require('../generated/fields.js');
const { receiveCaptured } = require('./decode.js');
const { bytesOf } = require('./bytes.js');
const checks = require('./arguments.js');
const { checkDialect } = require('./dialects.js');

const { checkString, checkFilledString, checkUint, checkBoolean, checkObject, checkNames, invalidArgument } = checks;

const CLAUDE = 'claude';
const ATTRIBUTE_NAMES = new Set(ATTRIBUTES.map(({ name }) => name));
const TRANSCRIPT_OPTIONS = new Set([
  'sessionId',
  'cwd',
  'homeDir',
  'redact',
  'followLinks',
  'gitAiVersion',
  'attributes',
]);
const HOOK_OPTIONS = new Set(['event', 'homeDir', 'redact', 'gitAiVersion', 'attributes', 'receivedAtMs']);

function parseTranscript(agent, bytes, options) {
  checkFilledString(agent, 'agent');
  return receiveCaptured(binding.parseTranscript(agent, bytesOf(bytes, 'bytes'), transcriptSettings(agent, options)));
}

function identifyTranscript(head) {
  return binding.identifyTranscript(bytesOf(head, 'head'));
}

function parseClaudeTranscript(jsonl, options) {
  const bytes = bytesOf(jsonl, 'jsonl');
  return receiveCaptured(binding.parseTranscript(CLAUDE, bytes, transcriptSettings(CLAUDE, options)));
}

/** Resumes an instance that a subclass made. Set below, where the private members are visible. */
let resumeAs;

class TranscriptReader {
  #reader;

  constructor(agent, path, options) {
    this.#reader = openReader(agent, path, options);
  }

  static resume(agent, path, options, state) {
    return resumeAs(new TranscriptReader(agent, path, options), agent, path, options, state);
  }

  #resume(agent, path, options, state) {
    checkString(state, 'state');
    this.#reader = openReader(agent, path, options, state);
  }

  read(maxEvents) {
    if (maxEvents !== undefined) checkUint(maxEvents, 'maxEvents');
    if (maxEvents === 0) throw invalidArgument('maxEvents', 'at least 1', maxEvents);
    return receiveCaptured(this.#reader.read(maxEvents));
  }

  take(records) {
    return receiveCaptured(this.#reader.take(bytesOf(records, 'records')));
  }

  sources() {
    return this.#reader.sources();
  }

  state() {
    return this.#reader.state();
  }

  close() {
    this.#reader.close();
  }

  get offset() {
    return this.#reader.offset;
  }

  static {
    resumeAs = (reader, ...rest) => {
      reader.#resume(...rest);
      return reader;
    };
  }
}

class ClaudeTranscriptReader extends TranscriptReader {
  constructor(path, options) {
    super(CLAUDE, path, options);
  }

  static resume(path, options, state) {
    return resumeAs(new ClaudeTranscriptReader(path, options), CLAUDE, path, options, state);
  }
}

function openReader(agent, path, options, state) {
  checkFilledString(agent, 'agent');
  checkFilledString(path, 'path');
  return new binding.TranscriptReader(agent, path, transcriptSettings(agent, options), state);
}

function captureHook(agent, hookInput, options, state) {
  if (state !== undefined) checkString(state, 'state');
  checkHook(agent, hookInput);
  const captured = binding.captureHook(agent, hookInput, hookSettings(agent, options), state);
  return { events: receiveCaptured(captured), state: captured.state };
}

function captureStoredHook(agent, hookInput, options, deliver) {
  if (deliver !== undefined && typeof deliver !== 'function') throw invalidArgument('deliver', 'a function', deliver);
  checkHook(agent, hookInput);
  const captured = binding.captureStoredHook(agent, hookInput, hookSettings(agent, options));
  try {
    const events = receiveCaptured(captured);
    // Save only after delivery. If this process dies in between, the next hook emits the events again.
    const delivered = deliver?.(events, captured.sources());
    if (typeof delivered?.then === 'function') {
      delivered.then(undefined, () => {});
      throw invalidArgument('deliver', 'a function that is done when it returns', delivered);
    }
    captured.save();
    return events;
  } catch (error) {
    captured.abandon();
    throw error;
  }
}

function checkHook(agent, hookInput) {
  checkFilledString(agent, 'agent');
  checkString(hookInput, 'hookInput');
}

function resolveSkillFile(name, cwd, homeDir) {
  checkString(name, 'name');
  checkString(cwd, 'cwd');
  if (homeDir !== undefined) checkString(homeDir, 'homeDir');
  return binding.resolveSkillFile(name, cwd, homeDir, configDir(CLAUDE));
}

/** The variables that move agents' own folders out of the home directory. */
const CONFIG_VARIABLES = {
  claude: 'CLAUDE_CONFIG_DIR',
  codex: 'CODEX_HOME',
  'github-copilot-cli': 'COPILOT_HOME',
  kimi: 'KIMI_CODE_HOME',
};

/** Returns the agent's own folder, or '' if that is in the home directory. */
function configDir(agent) {
  const variable = Object.hasOwn(CONFIG_VARIABLES, agent) ? CONFIG_VARIABLES[agent] : undefined;
  return (variable && process.env[variable]) ?? '';
}

function transcriptSettings(agent, options) {
  checkObject(options, 'options');
  checkNames(options, TRANSCRIPT_OPTIONS, 'options');
  checkFilledString(options.sessionId, 'options.sessionId');
  checkOptionalStrings(options, ['cwd', 'homeDir']);
  const { sessionId, cwd, homeDir, redact = false, followLinks = true } = options;
  checkBoolean(redact, 'options.redact');
  checkBoolean(followLinks, 'options.followLinks');
  const attributes = attributeValues(options);
  return { sessionId, cwd, homeDir, configDir: configDir(agent), redact, followLinks, attributes };
}

function hookSettings(agent, options = {}) {
  checkObject(options, 'options');
  checkNames(options, HOOK_OPTIONS, 'options');
  checkOptionalStrings(options, ['event', 'homeDir']);
  const { event, homeDir, redact = false, receivedAtMs = Date.now() } = options;
  checkBoolean(redact, 'options.redact');
  checkUint(receivedAtMs, 'options.receivedAtMs');
  return { event, homeDir, configDir: configDir(agent), redact, receivedAtMs, attributes: attributeValues(options) };
}

/** Returns the caller's attributes in the order of the table. */
function attributeValues(options) {
  const { attributes = {} } = options;
  checkObject(attributes, 'options.attributes');
  checkNames(attributes, ATTRIBUTE_NAMES, 'options.attributes');
  checkDialect('prompt_event', {}, attributes, 'options.attributes');
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
  identifyTranscript,
  parseTranscript,
  TranscriptReader,
  parseClaudeTranscript,
  ClaudeTranscriptReader,
  captureHook,
  captureStoredHook,
  resolveSkillFile,
};
