'use strict';

const { RowEncoder, SessionSettler: NativeSettler } = require('./native.js');
const { ROW_COLUMNS } = require('../generated/columns.js');
const { EARLIEST_RECEIVED_AT_MS, LATEST_RECEIVED_AT_MS } = require('../generated/fields.js');
const protocol = require('../generated/protocol.js');
const { bytesOf } = require('./bytes.js');
const { checkFilledString, checkObject, checkString, checkUint, invalidArgument } = require('./arguments.js');

const { ROWS_COUNTS, ROWS_HEADER_LENGTHS } = protocol;

/** The tables' names, in the order in which rows are returned. */
const TABLES = Object.keys(ROW_COLUMNS);

const encoder = new RowEncoder();
const numbers = new Float64Array(protocol.ROWS_NUMBERS);

/** Encodes rows. Returns their buffers and leaves the numbers about them in `numbers`. */
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
  checkReceivedAt(receivedAtMs, 'options.receivedAtMs');
  checkString(author, 'options.author');
  checkString(installation, 'options.installation');
  if (!Number.isSafeInteger(clockSkewMs)) {
    throw invalidArgument('options.clockSkewMs', 'whole milliseconds', clockSkewMs);
  }
  if (format !== 'RowBinaryWithNames' && format !== 'JSONEachRow') {
    throw invalidArgument('options.format', "'RowBinaryWithNames' or 'JSONEachRow'", format);
  }
  numbers[protocol.ROWS_MAX_EVENTS] = limits.maxEvents;
  numbers[protocol.ROWS_MAX_BYTES] = limits.maxBytes;
  numbers[protocol.ROWS_RECEIVED_AT_MS] = receivedAtMs;
  numbers[protocol.ROWS_CLOCK_SKEW_MS] = clockSkewMs;
  numbers[protocol.ROWS_JSON] = format === 'JSONEachRow' ? 1 : 0;
  numbers[protocol.ROWS_PROMPT_EVENTS_ONLY] = promptEventsOnly ? 1 : 0;
  return encoder.encode(
    body,
    numbers,
    orgId,
    author === '' ? undefined : author,
    installation === '' ? undefined : installation,
  );
}

/** Returns the errors of the upload that was encoded last. */
const errors = () => (numbers[protocol.ROWS_ERRORS] === 0 ? [] : encoder.takeErrors());

function newestMs() {
  const newest = /** @type {number} */ (numbers[protocol.ROWS_NEWEST_MS]);
  return newest < 0 ? null : newest;
}

/**
 * Encodes the rows of all events, by table.
 *
 * @param {Uint8Array} body
 * @param {{ maxEvents: number, maxBytes: number }} limits
 * @param {object} options `RowOptions`, with any values
 */
function encodeRows(body, limits, options) {
  const buffers = encode(body, limits, options, false);
  const tables = [];
  for (let place = 0; place < TABLES.length; place++) {
    const rowCount = numbers[ROWS_COUNTS + place];
    if (rowCount === 0) continue;
    const headerLength = numbers[ROWS_HEADER_LENGTHS + place];
    tables.push({ table: TABLES[place], rows: buffers[tables.length], rowCount, headerLength });
  }
  return { tables, errors: errors(), newestMs: newestMs() };
}

/** Encodes the rows of the prompt events only. */
function encodePromptEventRows(body, limits, options) {
  const rows = encode(body, limits, options, true)[0];
  return {
    table: TABLES[0],
    rows,
    rowCount: numbers[ROWS_COUNTS],
    headerLength: numbers[ROWS_HEADER_LENGTHS],
    skipped: numbers[protocol.ROWS_SKIPPED],
    errors: errors(),
    newestMs: newestMs(),
  };
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

/** Reads all records of one session again, and writes rows of what no record says alone. */
class SessionSettler {
  #native;

  constructor(options) {
    checkObject(options, 'options');
    const { orgId, sessionId, bytes, all = false, settled = [] } = options;
    checkFilledString(orgId, 'options.orgId');
    checkString(sessionId, 'options.sessionId');
    checkUint(bytes, 'options.bytes');
    if (typeof all !== 'boolean') throw invalidArgument('options.all', 'a boolean', all);
    if (!Array.isArray(settled)) throw invalidArgument('options.settled', 'an array', settled);
    settled.forEach((event, index) => {
      checkObject(event, `options.settled[${index}]`);
      checkString(event.eventId, `options.settled[${index}].eventId`);
      checkUint(event.eventMs, `options.settled[${index}].eventMs`);
      checkReceivedAt(event.receivedAtMs, `options.settled[${index}].receivedAtMs`);
    });
    this.#native = new NativeSettler(
      orgId,
      sessionId,
      bytes,
      all,
      settled.map(({ eventId }) => eventId),
      settled.map(({ eventMs }) => eventMs),
      settled.map(({ receivedAtMs }) => receivedAtMs),
    );
  }

  read(body, options) {
    checkObject(options, 'options');
    const { receivedAtMs, author = '', installation = '' } = options;
    checkReceivedAt(receivedAtMs, 'options.receivedAtMs');
    checkString(author, 'options.author');
    checkString(installation, 'options.installation');
    return this.#native.read(
      bytesOf(body, 'body'),
      receivedAtMs,
      author === '' ? undefined : author,
      installation === '' ? undefined : installation,
    );
  }

  finish() {
    return this.#native.finish();
  }
}

/** Checks a time of arrival, in unix milliseconds. */
function checkReceivedAt(receivedAtMs, name) {
  if (
    !Number.isSafeInteger(receivedAtMs) ||
    receivedAtMs < EARLIEST_RECEIVED_AT_MS ||
    receivedAtMs > LATEST_RECEIVED_AT_MS
  ) {
    throw invalidArgument(name, 'unix milliseconds from 2001 to 2299', receivedAtMs);
  }
}

module.exports = { encodeRows, encodePromptEventRows, joinRows, SessionSettler };
