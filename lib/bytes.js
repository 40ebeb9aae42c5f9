'use strict';

const { isSharedArrayBuffer, isUint8Array } = require('node:util').types;
const { invalidArgument } = require('./arguments.js');

/** Returns the bytes of an argument that may also be a string. */
function bytesOf(value, path) {
  if (typeof value === 'string') return Buffer.from(value);
  // instanceof fails for arrays of another realm, and both it and the tag can be forged.
  if (!isUint8Array(value)) throw invalidArgument(path, 'a Uint8Array or a string', value);
  // Another thread may write to shared memory during decoding, which would undo every check. So copy it first.
  return isSharedArrayBuffer(value.buffer) ? Buffer.from(value) : value;
}

module.exports = { bytesOf };
