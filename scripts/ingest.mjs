// From uploads to stored rows: many uploads to an insert, since ClickHouse takes ten thousand rows about as fast as one.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import metrics from '../index.js';

/**
 * The uploads in these files, and in all .json and .jsonl files below these folders. A .json file holds one upload, a
 * .jsonl file one a line.
 *
 * @param {readonly string[]} paths
 * @returns {Generator<{ name: string, body: Buffer }>}
 */
export function* uploadsIn(paths) {
  for (const path of paths) {
    if (statSync(path).isDirectory()) {
      const names = readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() || /\.jsonl?$/.test(entry.name))
        .map(({ name }) => join(path, name));
      yield* uploadsIn(names.sort());
    } else if (path.endsWith('.jsonl')) {
      yield* linesOf(path);
    } else {
      yield { name: path, body: readFileSync(path) };
    }
  }
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

/**
 * Stores the prompt events of uploads, and gives back how many rows that were, and how many events were skipped.
 *
 * @param {import('./store.mjs').Store} store
 * @param {Iterable<{ name: string, body: Uint8Array }>} uploads
 * @param {object} options
 * @param {string} options.orgId
 * @param {number} [options.rowsPerInsert] an insert takes uploads until it has that many
 * @param {(names: string[]) => void} [options.onStored] these uploads will survive whatever happens next
 * @param {(name: string, problem: string) => void} [options.onRefused] an upload, or one event of it, can't be taken
 */
export function ingest(store, uploads, { orgId, rowsPerInsert = 10_000, onStored = () => {}, onRefused = () => {} }) {
  const total = { uploads: 0, rows: 0, skipped: 0 };
  let waiting = { names: [], rows: [], count: 0 };
  const flush = () => {
    store.insert(Buffer.concat(waiting.rows), waiting.count);
    onStored(waiting.names);
    waiting = { names: [], rows: [], count: 0 };
  };
  for (const { name, body } of uploads) {
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
    waiting.rows.push(encoded.rows);
    waiting.count += encoded.rowCount;
    if (waiting.count >= rowsPerInsert) flush();
  }
  if (waiting.names.length > 0) flush();
  return total;
}
