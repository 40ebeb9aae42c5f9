'use strict';

const { RowEncoder } = require('./native.js');
const { EARLIEST_RECEIVED_AT_MS, LATEST_RECEIVED_AT_MS } = require('../generated/fields.js');
const { bytesOf } = require('./bytes.js');
const { checkFilledString, checkObject, checkString, invalidArgument } = require('./arguments.js');

const encoder = new RowEncoder();

/**
 * @param {Uint8Array} body
 * @param {{ maxEvents: number, maxBytes: number }} limits
 * @param {{ orgId: string, receivedAtMs?: number, author?: string, installation?: string, clockSkewMs?: number, format?: string }} options
 * @param {boolean} promptEventsOnly
 */
function encode(body, limits, options, promptEventsOnly) {
  const {
    orgId,
    receivedAtMs = Date.now(),
    author = '',
    installation = '',
    clockSkewMs = 0,
    format = 'RowBinaryWithNames',
  } = options;
  checkFilledString(orgId, 'options.orgId');
  if (
    !Number.isSafeInteger(receivedAtMs) ||
    receivedAtMs < EARLIEST_RECEIVED_AT_MS ||
    receivedAtMs > LATEST_RECEIVED_AT_MS
  ) {
    throw invalidArgument('options.receivedAtMs', 'unix milliseconds from 2001 to 2299', receivedAtMs);
  }
  checkString(author, 'options.author');
  checkString(installation, 'options.installation');
  if (!Number.isSafeInteger(clockSkewMs)) {
    throw invalidArgument('options.clockSkewMs', 'whole milliseconds', clockSkewMs);
  }
  if (format !== 'RowBinaryWithNames' && format !== 'JSONEachRow') {
    throw invalidArgument('options.format', "'RowBinaryWithNames' or 'JSONEachRow'", format);
  }
  return encoder.encode(
    body,
    limits.maxEvents,
    limits.maxBytes,
    orgId,
    receivedAtMs,
    author === '' ? undefined : author,
    installation === '' ? undefined : installation,
    clockSkewMs,
    format === 'JSONEachRow',
    promptEventsOnly,
  );
}

/** Encodes the rows of all events, by table. */
function encodeRows(body, limits, options) {
  const { tables, errors, newestMs = null } = encode(body, limits, options, false);
  return { tables, errors, newestMs };
}

/** Encodes the rows of the prompt events only. */
function encodePromptEventRows(body, limits, options) {
  const { tables, skipped, errors, newestMs = null } = encode(body, limits, options, true);
  return { ...tables[0], skipped, errors, newestMs };
}

/** Joins the rows of several uploads under one header. */
function joinRows(parts) {
  if (!Array.isArray(parts)) throw invalidArgument('parts', 'an array', parts);
  const [first] = parts;
  const pieces = parts.map((part, index) => {
    checkObject(part, `parts[${index}]`);
    const rows = bytesOf(part.rows, `parts[${index}].rows`);
    const { headerLength } = part;
    if (!Number.isSafeInteger(headerLength) || headerLength < 0 || headerLength > rows.length) {
      throw invalidArgument(`parts[${index}].headerLength`, 'the length of the header in its rows', headerLength);
    }
    if (index === 0) return rows;
    if (part.table !== first.table) throw invalidArgument(`parts[${index}].table`, 'that of parts[0]', part.table);
    const header = rows.subarray(0, headerLength);
    if (Buffer.compare(header, first.rows.subarray(0, first.headerLength)) !== 0) {
      throw invalidArgument(`parts[${index}].rows`, 'the format and version of parts[0].rows', part.rows);
    }
    return rows.subarray(headerLength);
  });
  // Not Buffer.concat, which takes small results from Node's pool: a clone of them would carry others' rows along.
  const joined = Buffer.allocUnsafeSlow(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

module.exports = { encodeRows, encodePromptEventRows, joinRows };
