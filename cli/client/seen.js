'use strict';

// When you resume or fork a session, records are copied with their ids into another session's file. This remembers
// which session had a record first, so that the copies in other sessions are skipped.

const { createHash } = require('node:crypto');
const { appendFileSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { replaceFile } = require('./files.js');
const { PRIVATE_FILE, clientFolder } = require('./folders.js');

/** Copies come from recent sessions, so the oldest records may be forgotten. The server marks copies of those. */
const MOST_RECORDS = 200_000;

/** In the file: six bytes of the record's hash, four of its session's. */
const BYTES_A_RECORD = 10;
const KEY_BYTES = 6;

class Seen {
  /** The session of each record, in the order in which they came. */
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
    // Ignore a record that was cut off by a crash.
    for (let at = 0; at + BYTES_A_RECORD <= bytes.length; at += BYTES_A_RECORD) {
      this.#own(bytes.readUIntBE(at, KEY_BYTES), bytes.readUInt32BE(at + KEY_BYTES));
    }
    const isOdd = bytes.length % BYTES_A_RECORD !== 0;
    if (isOdd || bytes.length > 2 * MOST_RECORDS * BYTES_A_RECORD) replaceFile(this.#path, recordsOf(this.#owners));
  }

  /** Whether the record belongs to another session. A record without a session belongs to this one from now on. */
  isCopy(session, record) {
    const key = hash(record, KEY_BYTES);
    if (!this.#owners.has(key)) this.#own(key, hash(session.path, 4));
    return this.isOfOther(session, record);
  }

  /** Whether the record is known to belong to another session. */
  isOfOther(session, record) {
    const owner = this.#owners.get(hash(record, KEY_BYTES));
    return owner !== undefined && owner !== hash(session.path, 4);
  }

  /** Stores that these records belong to the session. */
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
