'use strict';

// Stores how much of each session a server has acknowledged. Each session has a file of two lines. The first is a JSON
// object about the session, the second the reader's state. A start reads only first lines, so it is fast with thousands
// of sessions.

const { createHash } = require('node:crypto');
const { closeSync, openSync, readFileSync, readSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { replaceFile } = require('./files.js');
const { entries } = require('./agents.js');
const { clientFolder, makeFolder } = require('./folders.js');

/** Increase this when earlier files can't be read any more. They then count as missing. */
const VERSION = 1;

const LONGEST_FIRST_LINE = 1 << 16;

/**
 * @typedef {object} Known
 * @property {string} agent
 * @property {string} sessionId
 * @property {string} path
 * @property {string} look sizes and times of the transcript's files when all of it was acknowledged, else ''
 * @property {number} offset the bytes of the transcript that were acknowledged
 * @property {number} acknowledgedAt unix milliseconds
 * @property {object | undefined} act the session's last event of a human or a tool
 * @property {object | undefined} end the session's end, if it follows `act`
 */

const serversFolder = (home) => join(clientFolder(home), 'servers');

class States {
  #folder;

  constructor(home, server) {
    const folder = join(serversFolder(home), server.id);
    this.#folder = makeFolder(join(folder, 'sessions'));
    // For people and for `watch status`.
    replaceFile(join(folder, 'name'), `${server.name}\n`, { durable: false });
  }

  /**
   * Returns all known sessions by the path of their transcript.
   *
   * @returns {Map<string, Known>}
   */
  all() {
    return new Map(knownIn(this.#folder).map((known) => [known.path, known]));
  }

  /** Returns the reader's last acknowledged state, or `undefined` if there is none that can be read. */
  state(path) {
    const text = readText(this.#file(path)) ?? '';
    const line = text.indexOf('\n');
    return line < 0 || parsed(text.slice(0, line)) === undefined ? undefined : text.slice(line + 1);
  }

  /**
   * Not durable: a power failure may leave an empty file. The session's events are then uploaded again, with equal ids.
   */
  save(known, state) {
    const head = JSON.stringify({ version: VERSION, ...known });
    replaceFile(this.#file(known.path), `${head}\n${state}`, { durable: false });
  }

  forget(path) {
    rmSync(this.#file(path), { force: true });
  }

  #file(path) {
    return join(this.#folder, `${createHash('sha256').update(path).digest('hex').slice(0, 32)}.state`);
  }
}

function knownIn(folder) {
  return entries(folder)
    .filter((entry) => entry.isFile() && entry.name.endsWith('.state'))
    .flatMap(({ name }) => parsed(firstLine(join(folder, name))) ?? []);
}

/** Returns the servers that events were uploaded to, and the sessions that each knows. */
function servers(home) {
  return entries(serversFolder(home)).map(({ name }) => {
    const folder = join(serversFolder(home), name);
    return { name: readText(join(folder, 'name'))?.trim() ?? name, known: knownIn(join(folder, 'sessions')) };
  });
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function firstLine(path) {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(4096);
    const read = start.toString('utf8', 0, readSync(file, start));
    if (read.includes('\n')) return read.slice(0, read.indexOf('\n'));
    const more = Buffer.alloc(LONGEST_FIRST_LINE);
    const line = more.toString('utf8', 0, readSync(file, more, 0, more.length, 0));
    return line.slice(0, line.indexOf('\n'));
  } finally {
    closeSync(file);
  }
}

/** Parses a first line. Returns `undefined` if this version didn't write it. */
function parsed(line) {
  try {
    const { version, ...known } = JSON.parse(line);
    const isOurs = version === VERSION && typeof known.path === 'string' && typeof known.sessionId === 'string';
    return isOurs ? known : undefined;
  } catch {
    return undefined;
  }
}

module.exports = { States, servers };
