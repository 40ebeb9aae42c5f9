'use strict';

const { isSharedArrayBuffer, isUint8Array } = require('node:util').types;
const { invalidArgument } = require('./arguments.js');

/** The bytes of an argument that may be a string. */
function bytesOf(value, path) {
  if (typeof value === 'string') return Buffer.from(value);
  // Not by instanceof or tag: those of another realm are as good, and both can be forged.
  if (!isUint8Array(value)) throw invalidArgument(path, 'a Uint8Array or a string', value);
  // Another thread may write to shared memory while it is read, and then no check holds: take a copy.
  return isSharedArrayBuffer(value.buffer) ? Buffer.from(value) : value;
}

module.exports = { bytesOf };
