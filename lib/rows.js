'use strict';

const { RowEncoder } = require('../binding.js');
const { PROMPT_EVENT_COLUMNS } = require('../generated/columns.js');
const { bodyBytes, invalidArgument, parseLimits } = require('./arguments.js');

/** The last millisecond that every column of a row can say: the last but one day of the year 2299. */
const LATEST_RECEIVED_AT_MS = 10_413_705_599_999;

const encoder = new RowEncoder();

/**
 * @param {Uint8Array | string} body
 * @param {{ orgId: string, receivedAtMs?: number, format?: string, maxEvents?: number, maxBytes?: number }} options
 */
function encodePromptEventRows(body, options) {
  const bytes = bodyBytes(body);
  if (typeof options !== 'object' || options === null)
    throw invalidArgument('options', 'an object with orgId', options);
  const { orgId, receivedAtMs = Date.now(), format = 'RowBinary' } = options;
  const { maxEvents, maxBytes } = parseLimits(options);
  if (typeof orgId !== 'string' || orgId === '') {
    throw invalidArgument('options.orgId', 'a string that is not empty', orgId);
  }
  if (!Number.isSafeInteger(receivedAtMs) || receivedAtMs < 0 || receivedAtMs > LATEST_RECEIVED_AT_MS) {
    throw invalidArgument('options.receivedAtMs', 'unix milliseconds from 1970 to 2299', receivedAtMs);
  }
  if (format !== 'RowBinary' && format !== 'JSONEachRow') {
    throw invalidArgument('options.format', "'RowBinary' or 'JSONEachRow'", format);
  }
  return encoder.encode(bytes, maxEvents, maxBytes, orgId, receivedAtMs, format === 'JSONEachRow');
}

module.exports = { encodePromptEventRows, PROMPT_EVENT_COLUMNS };
