'use strict';

// Resume and fork copy records, with their ids, from one session's file into another's. Here is which session gave a record
// first, so that the others' copies are passed over.

const { createHash } = require('node:crypto');
const { appendFileSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { replaceFile } = require('./files.js');
const { PRIVATE_FILE, clientFolder } = require('./folders.js');

/** Copies are of recent sessions, so the oldest records may be forgotten. What is copied of them the server marks. */
const MOST_RECORDS = 200_000;

/** In the file: six bytes of the record's hash, four of its session's. */
const BYTES_A_RECORD = 10;
const KEY_BYTES = 6;

class Seen {
  /** From a record to its session, in the order in which they came. */
  #owners = new Map();
  #path;

  constructor(home) {
    this.#path = join(clientFolder(home), 'seen');
    let bytes = Buffer.alloc(0);
    try {
      bytes = readFileSync(this.#path);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    // A record that was cut off by a crash is a record less.
    for (let at = 0; at + BYTES_A_RECORD <= bytes.length; at += BYTES_A_RECORD) {
      this.#own(bytes.readUIntBE(at, KEY_BYTES), bytes.readUInt32BE(at + KEY_BYTES));
    }
    const isOdd = bytes.length % BYTES_A_RECORD !== 0;
    if (isOdd || bytes.length > 2 * MOST_RECORDS * BYTES_A_RECORD) replaceFile(this.#path, recordsOf(this.#owners));
  }

  /** Whether another session than this one gave the record; if none did, it is this one's from now on. */
  isCopy(session, record) {
    const [key, own] = [hash(record, KEY_BYTES), hash(session.path, 4)];
    const owner = this.#owners.get(key);
    if (owner === undefined) this.#own(key, own);
    return owner !== undefined && owner !== own;
  }

  /** Keeps that these records are the session's. */
  store(session, records) {
    if (records.length === 0) return;
    const own = hash(session.path, 4);
    appendFileSync(this.#path, recordsOf(records.map((record) => [hash(record, KEY_BYTES), own])), {
      mode: PRIVATE_FILE,
    });
  }

  #own(key, session) {
    this.#owners.set(key, session);
    if (this.#owners.size > MOST_RECORDS) this.#owners.delete(this.#owners.keys().next().value);
  }
}

const hash = (text, bytes) => createHash('sha256').update(text).digest().readUIntBE(0, bytes);

function recordsOf(owners) {
  const list = [...owners];
  const bytes = Buffer.alloc(list.length * BYTES_A_RECORD);
  for (const [n, [key, session]] of list.entries()) {
    bytes.writeUIntBE(key, n * BYTES_A_RECORD, KEY_BYTES);
    bytes.writeUInt32BE(session, n * BYTES_A_RECORD + KEY_BYTES);
  }
  return bytes;
}

module.exports = { Seen };
