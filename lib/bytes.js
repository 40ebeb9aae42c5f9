'use strict';

const { isSharedArrayBuffer, isUint8Array } = require('node:util').types;
const { invalidArgument } = require('./arguments.js');

/** Returns the bytes of an argument that may also be a string. No other thread can write to them. */
function bytesOf(value, path) {
  const bytes = viewOf(value, path);
  // Another thread may write to shared memory during decoding, which would undo every check. So copy it first.
  return isSharedArrayBuffer(bytes.buffer) ? Buffer.from(bytes) : bytes;
}

/** The same, but threads may share the memory. */
function viewOf(value, path) {
  if (typeof value === 'string') return Buffer.from(value);
  // instanceof fails for arrays of another realm, and both it and the tag can be forged.
  if (!isUint8Array(value)) throw invalidArgument(path, 'a Uint8Array or a string', value);
  return value;
}

module.exports = { bytesOf, viewOf };
