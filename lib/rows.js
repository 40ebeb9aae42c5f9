'use strict';

const { markAsUntransferable } = require('node:worker_threads');
const { RowEncoder } = require('./native.js');
const { checkFilledString, invalidArgument } = require('./arguments.js');

/** The latest time that ClickHouse can hold in every column of a row: the last but one day of the year 2299. */
const LATEST_RECEIVED_AT_MS = 10_413_705_599_999;

const encoder = new RowEncoder();

// Results are cut from slabs, as Node cuts small buffers from its pool: memory of their own for each would cost a third
// of all the time, in page faults, since the system takes back at once what is freed in pieces of that size.
const SLAB_BYTES = 1 << 20;
let slab = new Uint8Array(0);
let used = 0;

/** The rows that have just been encoded. */
function takeRows(length) {
  if (length > slab.length - used) {
    if (length > SLAB_BYTES / 2) {
      const rows = Buffer.allocUnsafeSlow(length);
      encoder.copyRows(rows);
      return rows;
    }
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    // Whoever transferred one result to another thread would take the others along.
    markAsUntransferable(slab.buffer);
    used = 0;
    encoder.copyRows(slab);
  }
  const rows = Buffer.from(slab.buffer, used, length);
  used += length;
  return rows;
}

/**
 * @param {Uint8Array} body
 * @param {{ maxEvents: number, maxBytes: number }} limits
 * @param {{ orgId: string, receivedAtMs?: number, format?: string }} options
 */
function encodeRows(body, { maxEvents, maxBytes }, { orgId, receivedAtMs = Date.now(), format = 'RowBinary' }) {
  checkFilledString(orgId, 'options.orgId');
  if (!Number.isSafeInteger(receivedAtMs) || receivedAtMs < 0 || receivedAtMs > LATEST_RECEIVED_AT_MS) {
    throw invalidArgument('options.receivedAtMs', 'unix milliseconds from 1970 to 2299', receivedAtMs);
  }
  if (format !== 'RowBinary' && format !== 'JSONEachRow') {
    throw invalidArgument('options.format', "'RowBinary' or 'JSONEachRow'", format);
  }
  const { length, rowCount, skipped, errors } = encoder.encode(
    body,
    maxEvents,
    maxBytes,
    orgId,
    receivedAtMs,
    format === 'JSONEachRow',
    slab,
    used,
  );
  return { rows: takeRows(length), rowCount, skipped, errors };
}

module.exports = { encodeRows };
