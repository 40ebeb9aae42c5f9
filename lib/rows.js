'use strict';

const { RowEncoder } = require('../binding.js');
const { checkString, invalidArgument } = require('./arguments.js');

/** The latest time that ClickHouse can hold in every column of a row: the last but one day of the year 2299. */
const LATEST_RECEIVED_AT_MS = 10_413_705_599_999;

const encoder = new RowEncoder();

/**
 * @param {Uint8Array} body
 * @param {{ maxEvents: number, maxBytes: number }} limits
 * @param {{ orgId: string, receivedAtMs?: number, format?: string }} options
 */
function encodeRows(body, { maxEvents, maxBytes }, { orgId, receivedAtMs = Date.now(), format = 'RowBinary' }) {
  checkString(orgId, 'options.orgId');
  if (orgId === '') throw invalidArgument('options.orgId', 'a string that is not empty', orgId);
  if (!Number.isSafeInteger(receivedAtMs) || receivedAtMs < 0 || receivedAtMs > LATEST_RECEIVED_AT_MS) {
    throw invalidArgument('options.receivedAtMs', 'unix milliseconds from 1970 to 2299', receivedAtMs);
  }
  if (format !== 'RowBinary' && format !== 'JSONEachRow') {
    throw invalidArgument('options.format', "'RowBinary' or 'JSONEachRow'", format);
  }
  return encoder.encode(body, maxEvents, maxBytes, orgId, receivedAtMs, format === 'JSONEachRow');
}

module.exports = { encodeRows };
