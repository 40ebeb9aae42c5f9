'use strict';

const { encodePromptEventRows, encodeRows, ROW_COLUMNS } = require('..');
const binding = require('../lib/native.js');
const { compare } = require('./harness.js');
const { makeUpload } = require('./inputs.js');
const { rowsInJs } = require('./contestants.js');
const { AGENTS, RECORDS, makeRecordUpload } = require('./records.js');

/** Nothing is derived from its records. */
const UNKNOWN_AGENT = 'unknown';

const OPTIONS = { orgId: 'acme', receivedAtMs: 1775600000000 };

/** @returns {Promise<import('./harness.js').Ratio[]>} */
async function rows() {
  const ratios = [];
  const contestants = (body) => ({
    RowBinaryWithNames: () => encodePromptEventRows(body, OPTIONS).rows,
    JSONEachRow: () => encodePromptEventRows(body, { ...OPTIONS, format: 'JSONEachRow' }).rows,
    'rows in JS': () => rowsInJs(body, OPTIONS),
    // The limit of rows: looks at each byte of the upload and makes nothing of it.
    'bare pass of the cursor': () => binding.isJson(body),
  });
  for (const { what, options, target } of [
    { what: '', options: {}, target: 12 },
    { what: ', non-ASCII text in every message', options: { ascii: false } },
    { what: ', every event of another session', options: { sessions: 250 } },
  ]) {
    const body = makeUpload(250, options);
    const times = await compare(`Rows of 250 prompt events${what}, ${body.length} bytes`, contestants(body), {
      answers,
      unchecked: ['bare pass of the cursor'],
    });
    ratios.push(
      {
        what: `RowBinaryWithNames against rows in JS${what}`,
        ratio: times['rows in JS'] / times.RowBinaryWithNames,
        target,
      },
      { what: `JSONEachRow against rows in JS${what}`, ratio: times['rows in JS'] / times.JSONEachRow },
      {
        what: `RowBinaryWithNames, time against a bare pass over the upload${what}`,
        ratio: times.RowBinaryWithNames / times['bare pass of the cursor'],
        atMost: 1.5,
        page: 'limits',
      },
    );
  }

  const perEvent = [];
  for (const count of [25, 250, 1000]) {
    const body = makeUpload(count);
    const { RowBinaryWithNames } = contestants(body);
    const times = await compare(
      `Rows of ${count} prompt events, ${body.length} bytes`,
      { RowBinaryWithNames },
      { answers },
    );
    perEvent.push(times.RowBinaryWithNames / count);
  }
  ratios.push({
    what: 'RowBinaryWithNames: time per event at 25, 250 and 1,000 events, slowest against fastest',
    ratio: Math.max(...perEvent) / Math.min(...perEvent),
    atMost: 1.2,
  });

  for (const agent of AGENTS) {
    const records = { derived: makeRecordUpload(agent), stored: makeRecordUpload(agent, UNKNOWN_AGENT) };
    const times = await compare(
      `Rows of ${RECORDS} records of ${agent}, ${records.derived.length} bytes`,
      {
        'with prompt events derived': () => encodeRows(records.derived, OPTIONS),
        'without, for an unknown agent': () => encodeRows(records.stored, OPTIONS),
      },
      {
        answers: (/** @type {any} */ { tables }) => tables.find(({ table }) => table === 'session_records').rowCount,
      },
    );
    ratios.push({
      what: `Records of ${agent}: rows and derived prompt events against rows alone`,
      ratio: times['with prompt events derived'] / times['without, for an unknown agent'],
      atMost: 2,
    });
  }
  return ratios;
}

// ---- rows of any format in one form -----------------------------------------------------------------------------------

const TIMES = ['event_ts', 'emitted_at', 'received_at'];

/** Turns rows into objects without nulls and with times in milliseconds. */
function answers(rows) {
  if (Buffer.isBuffer(rows) && rows[0] !== 0x7b) return readRowBinary(rows);
  return rows.toString().trim().split('\n').map(JSON.parse).map(comparable);
}

function comparable(row) {
  for (const column of [...TIMES, 'heard_at']) {
    const time = row[column];
    if (time === null) continue;
    row[column] = Math.round(typeof time === 'number' ? time * 1000 : Date.parse(`${time.replace(' ', 'T')}Z`));
  }
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined));
}

const COLUMNS = /** @type {{ name: string, type: string }[]} */ (ROW_COLUMNS.prompt_event_deliveries);

function readRowBinary(bytes) {
  let at = 0;
  const integer = () => {
    at += 8;
    return Number(bytes.readBigInt64LE(at - 8));
  };
  const text = () => {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const value = (type) => {
    const nullable = /^Nullable\((.*)\)$/.exec(type);
    if (nullable !== null) return bytes[at++] === 1 ? null : value(nullable[1]);
    switch (type) {
      case 'String':
        return text();
      case 'Bool':
        return bytes[at++] === 1;
      case "DateTime('UTC')":
        at += 4;
        return bytes.readUInt32LE(at - 4) * 1000;
      case 'UInt64':
      case "DateTime64(3, 'UTC')":
        return integer();
      default:
        throw new Error(`cannot read a column of type ${type}`);
    }
  };
  // The names come first, after two bytes with their count.
  at = 2;
  for (const { name } of COLUMNS) if (text() !== name) throw new Error(`no column ${name}`);
  const rows = [];
  while (at < bytes.length) {
    const row = Object.fromEntries(COLUMNS.map(({ name, type }) => [name, value(type)]));
    rows.push(Object.fromEntries(Object.entries(row).filter(([, each]) => each !== null)));
  }
  return rows;
}

module.exports = rows;
