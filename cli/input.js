'use strict';

const { closeSync, createReadStream, fstatSync, openSync, readSync } = require('node:fs');
const { DEFAULT_MAX_BYTES, DEFAULT_MAX_EVENTS } = require('../generated/fields.js');
const { GitAiMetricsError } = require('../lib/errors.js');
const { DONE, WRONG, FAILED, Misuse, reasonOf } = require('./failures.js');
const { complain } = require('./terminal.js');

const STANDARD_INPUT = '-';
const STANDARD_INPUT_FD = 0;

const LINE_FEED = 10;

/** The options of every command that reads uploads, and their help. */
const LIMITS = { 'max-bytes': { type: 'string' }, 'max-events': { type: 'string' } };
const LIMITS_HELP = [
  `  --max-bytes <n>   most bytes an upload may have; default ${DEFAULT_MAX_BYTES}, which is ${DEFAULT_MAX_BYTES >> 20} MiB`,
  `  --max-events <n>  most events an upload may hold; default ${DEFAULT_MAX_EVENTS}`,
];
const INPUT_HELP = [
  'A file holds one upload, or one a line, as `capture --json` writes them. No file, or -, means standard input.',
];

/**
 * First bytes that show why an input isn't JSON. A transcript may have the mark of one that is `marked`, and that of one
 * that is `packed` if its name says so.
 */
const SIGNATURES = [
  { bytes: [0x1f, 0x8b], problem: 'the input is compressed with gzip: decompress it first, with gzip -d' },
  {
    bytes: [0x28, 0xb5, 0x2f, 0xfd],
    packed: '.zst',
    problem: 'the input is compressed with zstd: decompress it first, with zstd -d',
  },
  {
    bytes: [0xef, 0xbb, 0xbf],
    marked: true,
    problem: 'the input starts with a byte order mark (BOM), which JSON forbids: remove it',
  },
  { bytes: [0xff, 0xfe], problem: 'the input is UTF-16, as its byte order mark (BOM) says: convert it to UTF-8' },
  { bytes: [0xfe, 0xff], problem: 'the input is UTF-16, as its byte order mark (BOM) says: convert it to UTF-8' },
];

/**
 * Reads the uploads of a command line and passes them on one by one. An input that can't be read is reported on
 * standard error, and reading continues with the next.
 *
 * @param {readonly string[]} files paths, or `-`; an empty list means standard input
 * @param {Record<string, string | undefined>} values of the options, `LIMITS` among them
 * @param {{
 *   decoded(name: string, batch: import('../index.js').MetricsBatch): number | Promise<number>,
 *   refused(text: string): void,
 * }} command `decoded` receives each upload and returns an exit code; `refused` receives one line per refused upload
 * @returns {Promise<number>} the exit code
 */
async function readUploads(files, values, { decoded, refused }) {
  const maxBytes = limitOf(values, 'max-bytes') ?? DEFAULT_MAX_BYTES;
  const maxEvents = limitOf(values, 'max-events');
  if (files.length === 0 && process.stdin.isTTY) {
    throw new Misuse('give a file to read, or - to type an upload on standard input');
  }
  if (files.filter((file) => file === STANDARD_INPUT).length > 1) {
    throw new Misuse('standard input can be read only once, but - was given more often');
  }
  const { parseMetricsBatch } = require('../index.js');
  let exitCode = DONE;
  for (const file of files.length > 0 ? files : [STANDARD_INPUT]) {
    const name = file === STANDARD_INPUT ? 'standard input' : file || '""';
    const bodies = bodiesIn(file === STANDARD_INPUT ? standardInput() : pathInput(file), maxBytes);
    for (;;) {
      let next;
      try {
        next = await bodies.next();
      } catch (error) {
        complain(`git-ai-metrics: cannot read ${name}: ${reasonOf(error)}`);
        exitCode = FAILED;
        break;
      }
      if (next.done) break;
      const { line, body } = next.value;
      const place = line === undefined ? name : `${name}, line ${line}`;
      let batch;
      try {
        checkBody(body, maxBytes);
        batch = parseMetricsBatch(body, { maxBytes, maxEvents });
      } catch (error) {
        refused(`${place}: ${error.code}: ${error.message}`);
        exitCode = Math.max(exitCode, WRONG);
        continue;
      }
      exitCode = Math.max(exitCode, await decoded(place, batch));
    }
  }
  return exitCode;
}

function limitOf(values, option) {
  const text = values[option];
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(limit)) {
    throw new Misuse(`--${option}: expected a whole number, found ${JSON.stringify(text)}`);
  }
  return limit;
}

const signatureOf = (body) => SIGNATURES.find(({ bytes }) => bytes.every((byte, at) => body[at] === byte));

/** Why no transcript can be read from a file, as its first bytes tell: it is compressed, or UTF-16. */
function problemOf(path) {
  const start = Buffer.alloc(4);
  const file = openSync(path, 'r');
  try {
    readSync(file, start);
  } finally {
    closeSync(file);
  }
  const signature = signatureOf(start);
  const isTaken = signature?.marked || (signature?.packed && path.endsWith(signature.packed));
  return isTaken ? undefined : signature?.problem;
}

/** Refuses bodies for which the parser's own error would say less. */
function checkBody(body, maxBytes) {
  const signature = signatureOf(body);
  if (signature !== undefined) throw new GitAiMetricsError('ERR_INVALID_JSON', signature.problem);
  if (body.length > maxBytes) {
    // The full length is unknown, because reading stops at the limit.
    const message = `the body has more than ${maxBytes} bytes (--max-bytes takes more)`;
    throw new GitAiMetricsError('ERR_BODY_TOO_LARGE', message);
  }
}

async function* standardInput() {
  const stat = fstatSync(STANDARD_INPUT_FD);
  // Node reads a folder as an empty input. Without any standard input it opens the null device.
  if (stat.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  let isEmpty = true;
  for await (const chunk of process.stdin) {
    isEmpty = false;
    yield chunk;
  }
  if (isEmpty && stat.isCharacterDevice()) throw new Error('there is none');
}

const pathInput = (path) => createReadStream(path, { highWaterMark: 1 << 20 });

/**
 * Splits an input into bodies. If its first line is a JSON document, each line is a body; otherwise the whole input is
 * one. A body over the limit is cut one byte above it and ends the sequence, since an input may be endless.
 *
 * @param {AsyncIterable<Buffer>} chunks
 * @param {number} maxBytes
 * @returns {AsyncGenerator<{ body: Buffer, line?: number }>} with `line` only if there are several bodies
 */
async function* bodiesIn(chunks, maxBytes) {
  const held = new Held();
  /** Whether each line is a body; unknown until the first line ends. */
  let isLines;
  let line = 0;
  let first;
  for await (const chunk of chunks) {
    let from = 0;
    while (isLines !== false) {
      const end = chunk.indexOf(LINE_FEED, from);
      if (end < 0 || held.length + end - from > maxBytes) break;
      held.add(chunk.subarray(from, end));
      from = end;
      isLines ??= isDocument(held.bytes());
      if (!isLines) break;
      from += 1;
      line += 1;
      const body = held.take();
      if (line === 1) first = body;
      if (line === 1 || isBlank(body)) continue;
      if (first !== undefined) yield { body: first, line: 1 };
      first = undefined;
      yield { body, line };
    }
    held.add(chunk.subarray(from));
    if (held.length > maxBytes) break;
  }
  const body = held.take(maxBytes + 1);
  const isMore = !isBlank(body);
  if (first !== undefined) yield isMore ? { body: first, line: 1 } : { body: first };
  if (isLines !== true) yield { body };
  else if (isMore) yield { body, line: line + 1 };
}

/** Collects bytes that arrive in pieces. */
class Held {
  length = 0;
  #pieces = [];

  add(piece) {
    this.#pieces.push(piece);
    this.length += piece.length;
  }

  bytes() {
    return Buffer.concat(this.#pieces);
  }

  /** Returns the bytes, at most `most` of them, and drops the rest. */
  take(most = this.length) {
    const bytes = Buffer.concat(this.#pieces, Math.min(this.length, most));
    this.#pieces = [];
    this.length = 0;
    return bytes;
  }
}

const BLANKS = new Set(Buffer.from(' \t\r\n'));
const isBlank = (bytes) => bytes.every((byte) => BLANKS.has(byte));

function isDocument(bytes) {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

module.exports = { INPUT_HELP, LIMITS, LIMITS_HELP, problemOf, readUploads };
