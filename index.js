'use strict';

const binding = require('./lib/native.js');
const {
  WIRE_VERSION,
  MAX_EVENTS_PER_UPLOAD,
  DEFAULT_MAX_EVENTS,
  DEFAULT_MAX_BYTES,
  LONGEST_INPUT_TEXT_BYTES,
  DERIVER_VERSION,
  CONTEXT_RECORDS,
  FORK_HEADERS,
} = require('./generated/fields.js');
const { GitAiMetricsError } = require('./lib/errors.js');
const { bytesOf, viewOf } = require('./lib/bytes.js');
const { decodeBatch } = require('./lib/decode.js');
const { encodeMetricsBatch } = require('./lib/encode.js');
const rows = require('./lib/rows.js');
const { SessionSettler } = rows;
const { PROMPT_EVENT_COLUMNS, ROW_COLUMNS } = require('./generated/columns.js');
const { checkString, checkUint, checkObject, checkNames } = require('./lib/arguments.js');
const {
  identifyTranscript,
  parseTranscript,
  TranscriptReader,
  parseClaudeTranscript,
  ClaudeTranscriptReader,
  captureHook,
  captureStoredHook,
  resolveSkillFile,
} = require('./lib/capture.js');
const { SessionTracker } = require('./lib/session.js');

const DEFAULT_LIMITS = { maxEvents: DEFAULT_MAX_EVENTS, maxBytes: DEFAULT_MAX_BYTES };
const LIMITS = new Set(['maxEvents', 'maxBytes']);
const ROW_OPTIONS = new Set([...LIMITS, 'orgId', 'receivedAtMs', 'author', 'installation', 'clockSkewMs', 'format']);

function parseMetricsBatch(body, options) {
  const { maxEvents, maxBytes } = options === undefined ? DEFAULT_LIMITS : checkedLimits(options, LIMITS);
  return decodeBatch(viewOf(body, 'body'), maxEvents, maxBytes);
}

function encodeRows(body, options) {
  return rows.encodeRows(bytesOf(body, 'body'), checkedLimits(options, ROW_OPTIONS), options);
}

function encodePromptEventRows(body, options) {
  return rows.encodePromptEventRows(bytesOf(body, 'body'), checkedLimits(options, ROW_OPTIONS), options);
}

function joinRows(parts) {
  return rows.joinRows(parts);
}

function checkedLimits(options, names) {
  checkObject(options, 'options');
  checkNames(options, names, 'options');
  const { maxEvents = DEFAULT_MAX_EVENTS, maxBytes = DEFAULT_MAX_BYTES } = options;
  checkUint(maxEvents, 'options.maxEvents');
  checkUint(maxBytes, 'options.maxBytes');
  return { maxEvents, maxBytes };
}

function promptId(tool, sessionId) {
  checkString(tool, 'tool');
  checkString(sessionId, 'sessionId');
  return binding.promptId(tool, sessionId);
}

function eventId(promptId, kind, content, index) {
  checkString(promptId, 'promptId');
  checkString(kind, 'kind');
  checkString(content, 'content');
  checkUint(index, 'index');
  return binding.eventId(promptId, kind, content, index);
}

function inputHash(content) {
  checkString(content, 'content');
  return binding.inputHash(content);
}

function truncateInputText(text) {
  checkString(text, 'text');
  // As many units as that take at least as many bytes.
  return binding.truncateInputText(text.slice(0, LONGEST_INPUT_TEXT_BYTES + 1));
}

function kindForTool(toolName) {
  checkString(toolName, 'toolName');
  return binding.kindForTool(toolName);
}

// Plain names only: Node finds the names of ESM imports by reading this text.
module.exports = {
  WIRE_VERSION,
  MAX_EVENTS_PER_UPLOAD,
  parseMetricsBatch,
  encodeMetricsBatch,
  encodeRows,
  encodePromptEventRows,
  joinRows,
  SessionSettler,
  DERIVER_VERSION,
  CONTEXT_RECORDS,
  FORK_HEADERS,
  ROW_COLUMNS,
  PROMPT_EVENT_COLUMNS,
  ...require('./generated/builders.js'),
  promptId,
  eventId,
  inputHash,
  truncateInputText,
  kindForTool,
  identifyTranscript,
  parseTranscript,
  TranscriptReader,
  parseClaudeTranscript,
  ClaudeTranscriptReader,
  captureHook,
  captureStoredHook,
  resolveSkillFile,
  SessionTracker,
  GitAiMetricsError,
};
