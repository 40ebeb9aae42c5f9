'use strict';

// The outbox holds events of hooks and of `run` until the watcher uploads them. Those processes must not wait for a
// server. So each writes a body into a folder, and a process that has a server uploads it.

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

/** Stores events for the watcher. They are on the disk when this returns. */
function put(home, events) {
  if (events.length === 0) return;
  const { encodeMetricsBatch } = require('../../index.js');
  const folder = makeFolder(folderOf(home));
  if (list(home).length >= MOST_BODIES) {
    throw new Error(`${folder} holds ${MOST_BODIES} bodies that no watcher has uploaded`);
  }
  for (let at = 0; at < events.length; at += MAX_EVENTS_PER_UPLOAD) {
    const name = `${Date.now()}-${process.pid}-${randomBytes(4).toString('hex')}.json`;
    replaceFile(join(folder, name), encodeMetricsBatch(events.slice(at, at + MAX_EVENTS_PER_UPLOAD)));
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

/** Reads a body. Returns `undefined` if another process has uploaded it meanwhile. */
function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const drop = (path) => rmSync(path, { force: true });

module.exports = { drop, list, put, read };
