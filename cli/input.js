'use strict';

const { createReadStream, fstatSync } = require('node:fs');
const { parseMetricsBatch } = require('../index.js');
const { Misuse, reasonOf } = require('./failures.js');
const { printable } = require('./table.js');

const STANDARD_INPUT = '-';
const STANDARD_INPUT_FD = 0;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

const WRONG = 1;
const CANNOT_READ = 2;

/** The options of every command that reads uploads, and what their help says of them. */
const LIMITS = { 'max-bytes': { type: 'string' }, 'max-events': { type: 'string' } };
const LIMITS_HELP = [
  '  --max-bytes <n>   most bytes an upload may have; default 16777216, which is 16 MiB',
  '  --max-events <n>  most events an upload may hold; default 1000',
];

/**
 * Reads the uploads that a command was asked for and hands them on, one after the other. One that can't be read is named
 * on standard error, and the others still have their turn.
 *
 * @param {readonly string[]} files paths, or `-`; none at all means standard input
 * @param {Record<string, string | undefined>} values of the options, `LIMITS` among them
 * @param {{
 *   decoded(name: string, batch: import('../index.js').MetricsBatch): number | Promise<number>,
 *   refused(text: string): void,
 * }} command what to do with an upload, the exit code that it stands for being the answer, and with one that is refused as
 *   a whole
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
  let exitCode = 0;
  for (const file of files.length > 0 ? files : [STANDARD_INPUT]) {
    const name = file === STANDARD_INPUT ? 'standard input' : file || '""';
    let body;
    try {
      body = await (file === STANDARD_INPUT ? readStandardInput(maxBytes) : readPath(file, maxBytes));
    } catch (error) {
      process.stderr.write(`git-ai-metrics: ${printable(`cannot read ${name}: ${reasonOf(error)}`)}\n`);
      exitCode = CANNOT_READ;
      continue;
    }
    let batch;
    try {
      batch = parse(body, maxBytes, maxEvents);
    } catch (error) {
      refused(`${name}: ${error.code}: ${error.message}`);
      exitCode = Math.max(exitCode, WRONG);
      continue;
    }
    exitCode = Math.max(exitCode, await decoded(name, batch));
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

function parse(body, maxBytes, maxEvents) {
  if (body.length > maxBytes) {
    // Nobody knows how long it is: reading stopped where that was enough.
    throw Object.assign(new Error(`the body has more than ${maxBytes} bytes (--max-bytes takes more)`), {
      code: 'ERR_BODY_TOO_LARGE',
    });
  }
  return parseMetricsBatch(body, { maxBytes, maxEvents });
}

async function readStandardInput(maxBytes) {
  const stat = fstatSync(STANDARD_INPUT_FD);
  // Node takes a folder for an empty input, and puts the empty device where there is no input at all.
  if (stat.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  const body = await upToOneOver(process.stdin, maxBytes);
  if (body.length === 0 && stat.isCharacterDevice()) throw new Error('there is none');
  return body;
}

function readPath(path, maxBytes) {
  return upToOneOver(createReadStream(path, { highWaterMark: 1 << 20 }), maxBytes);
}

/** What a stream holds, but for what is beyond the first byte over the limit: it may be endless. */
async function upToOneOver(stream, maxBytes) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) break;
  }
  return Buffer.concat(chunks, Math.min(length, maxBytes + 1));
}

module.exports = { LIMITS, LIMITS_HELP, readUploads };
