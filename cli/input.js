'use strict';

const { readFile } = require('node:fs/promises');
const { Misuse, Unreadable } = require('./failures.js');

const STANDARD_INPUT = '-';

/**
 * The bodies that a command was asked to read, one after the other, each with the name to show for it.
 *
 * @param {readonly string[]} files paths, or `-`; none at all means standard input
 * @returns {AsyncGenerator<{ name: string, body: Buffer }>}
 */
async function* readBodies(files) {
  if (files.length === 0 && process.stdin.isTTY) {
    throw new Misuse('give a file to read, or - to type an upload on standard input');
  }
  if (files.filter((file) => file === STANDARD_INPUT).length > 1) {
    throw new Misuse('standard input can be read only once, but - was given more often');
  }
  for (const file of files.length > 0 ? files : [STANDARD_INPUT]) {
    yield file === STANDARD_INPUT
      ? { name: 'standard input', body: await readStandardInput() }
      : { name: file, body: await readPath(file) };
  }
}

async function readStandardInput() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readPath(path) {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = REASONS[error.code] ?? error.message;
    throw new Unreadable(`cannot read ${path}: ${reason}`);
  }
}

const REASONS = {
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file',
};

module.exports = { readBodies };
