'use strict';

const { randomBytes } = require('node:crypto');
const { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { PRIVATE_FILE } = require('./folders.js');

/**
 * Replaces a file atomically. A reader sees either the old text or the new one, even after a crash.
 *
 * @param {string} path
 * @param {string | Uint8Array} content
 * @param {{ mode?: number, durable?: boolean }} [options] with `durable`, the content is on the disk before the file is
 *   replaced; without it, a power failure can leave an empty file
 */
function replaceFile(path, content, { mode = PRIVATE_FILE, durable = true } = {}) {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.new`;
  try {
    const file = openSync(draft, 'wx', mode);
    try {
      // Set the mode explicitly, because the umask may have removed bits.
      fchmodSync(file, mode);
      writeFileSync(file, content);
      if (durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    // If the disk is full, the temporary file must not take up its space.
    rmSync(draft, { force: true });
    throw error;
  }
}

module.exports = { replaceFile };
