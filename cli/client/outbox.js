'use strict';

// The outbox holds events of hooks and of `run` until the watcher uploads them. Those processes must not wait for a
// server. So each writes a body into a folder, and a process that has a server uploads it. A second line in a body's file
// holds the sources of its events, if they have any.

const { randomBytes } = require('node:crypto');
const { readdirSync, readFileSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { MAX_EVENTS_PER_UPLOAD } = require('../../generated/fields.js');
const { replaceFile } = require('./files.js');
const { clientFolder, makeFolder } = require('./folders.js');

/** With more bodies than this, no watcher can be running. Hooks then keep their state, so nothing is lost. */
const MOST_BODIES = 2000;

const BODY = /^\d{13}-\d+-[0-9a-f]{8}\.json$/;

const folderOf = (home) => join(clientFolder(home), 'outbox');

/**
 * Stores events for the watcher. They are on the disk when this returns.
 *
 * @param {string} home
 * @param {import('../../index.js').PromptEvent[]} events
 * @param {(string | null)[]} [sources] for each event, the agent's own id of the record that it comes from
 */
function put(home, events, sources = []) {
  if (events.length === 0) return;
  const { encodeMetricsBatch } = require('../../index.js');
  const folder = makeFolder(folderOf(home));
  if (list(home).length >= MOST_BODIES) {
    throw new Error(`${folder} holds ${MOST_BODIES} bodies that no watcher has uploaded`);
  }
  for (let at = 0; at < events.length; at += MAX_EVENTS_PER_UPLOAD) {
    const name = `${Date.now()}-${process.pid}-${randomBytes(4).toString('hex')}.json`;
    const body = encodeMetricsBatch(events.slice(at, at + MAX_EVENTS_PER_UPLOAD));
    const own = sources.slice(at, at + MAX_EVENTS_PER_UPLOAD);
    const hasSources = own.some((source) => source !== null);
    replaceFile(join(folder, name), hasSources ? `${body}\n${JSON.stringify(own)}` : body);
  }
}

/** Returns the paths of the waiting bodies, oldest first. */
function list(home) {
  const folder = folderOf(home);
  try {
    const names = readdirSync(folder).filter((name) => BODY.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Reads a body and the sources of its events. Returns `undefined` if another process has uploaded it meanwhile.
 *
 * @returns {{ body: Buffer, sources: (string | null)[] } | undefined}
 */
function read(path) {
  let bytes;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  const line = bytes.indexOf('\n');
  return line < 0 ? { body: bytes, sources: [] } : { body: bytes.subarray(0, line), sources: sourcesIn(bytes, line) };
}

function sourcesIn(bytes, line) {
  try {
    const sources = JSON.parse(bytes.toString('utf8', line + 1));
    return Array.isArray(sources) ? sources : [];
  } catch {
    // Another program's file. Without sources, copies are uploaded, and the server marks them.
    return [];
  }
}

const drop = (path) => rmSync(path, { force: true });

module.exports = { drop, list, put, read };
