// From uploads to stored rows: many uploads to an insert, since ClickHouse takes ten thousand rows about as fast as one.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import metrics from '../index.js';

/**
 * The uploads in these files, and in all .json and .jsonl files below these folders. A .json file holds one upload, a
 * .jsonl file one a line. What can't be read stands in its place as a problem, so that it is told and the rest is taken.
 *
 * @param {readonly string[]} paths
 * @returns {Generator<{ name: string, body: Buffer } | { name: string, problem: string }>}
 */
export function* uploadsIn(paths) {
  for (const path of paths) {
    try {
      if (statSync(path).isDirectory()) yield* uploadsBelow(path);
      else yield* uploadsOf(path);
    } catch (error) {
      yield problemAt(path, error);
    }
  }
}

function* uploadsBelow(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    try {
      // A link to a folder is not followed: it may lead back to where it is.
      if (entry.isDirectory()) yield* uploadsBelow(path);
      else if (/\.jsonl?$/.test(entry.name)) yield* uploadsOf(path);
    } catch (error) {
      yield problemAt(path, error);
    }
  }
}

function problemAt(name, error) {
  // Those of the file system have a code; any other is a mistake in here.
  if (error.code === undefined) throw error;
  return { name, problem: error.message };
}

function* uploadsOf(path) {
  // Reading a pipe would wait for whoever might write to it.
  if (!statSync(path).isFile()) yield { name: path, problem: 'not a regular file' };
  else if (path.endsWith('.jsonl')) yield* linesOf(path);
  else yield { name: path, body: readFileSync(path) };
}

function* linesOf(path) {
  const bytes = readFileSync(path);
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start) yield { name: `${path}:${line}`, body: bytes.subarray(start, end) };
    start = end + 1;
  }
}

/** Rows can hold a megabyte of text each; all that wait for an insert are in memory, and so is the insert. */
const BYTES_PER_INSERT = 64 * 2 ** 20;

/**
 * Stores the prompt events of uploads, and gives back how many rows that were, and how many events were skipped.
 *
 * @param {import('./store.mjs').Store} store
 * @param {Iterable<{ name: string, body: Uint8Array } | { name: string, problem: string }>} uploads
 * @param {object} options
 * @param {string} options.orgId
 * @param {number} [options.rowsPerInsert] an insert takes uploads until it has that many rows, or 64 MiB of them
 * @param {(names: string[], bytes: number) => void} [options.onStored] these uploads, of so many bytes, will survive
 *   whatever happens next
 * @param {(name: string, problem: string) => void} [options.onRefused] an upload, or one event of it, can't be taken
 */
export function ingest(store, uploads, { orgId, rowsPerInsert = 10_000, onStored = () => {}, onRefused = () => {} }) {
  const total = { uploads: 0, rows: 0, skipped: 0 };
  const nothing = () => ({ names: [], bodyBytes: 0, rows: [], rowBytes: 0, count: 0 });
  let waiting = nothing();
  const flush = () => {
    store.insert(Buffer.concat(waiting.rows), waiting.count);
    onStored(waiting.names, waiting.bodyBytes);
    waiting = nothing();
  };
  for (const { name, body, problem } of uploads) {
    if (problem !== undefined) {
      onRefused(name, problem);
      continue;
    }
    let encoded;
    try {
      encoded = metrics.encodePromptEventRows(body, { orgId });
    } catch (error) {
      if (error.code === undefined || error.code === 'ERR_INTERNAL') throw error;
      onRefused(name, error.message);
      continue;
    }
    for (const { error } of encoded.errors) onRefused(name, error);
    total.uploads += 1;
    total.rows += encoded.rowCount;
    total.skipped += encoded.skipped;
    waiting.names.push(name);
    waiting.bodyBytes += body.length;
    waiting.rows.push(encoded.rows);
    waiting.rowBytes += encoded.rows.length;
    waiting.count += encoded.rowCount;
    if (waiting.count >= rowsPerInsert || waiting.rowBytes >= BYTES_PER_INSERT) flush();
  }
  if (waiting.names.length > 0) flush();
  return total;
}
