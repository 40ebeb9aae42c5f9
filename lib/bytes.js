'use strict';

const { invalidArgument } = require('./arguments.js');

/** The bytes of an argument that may be a string. */
function bytesOf(value, path) {
  if (typeof value === 'string') return Buffer.from(value);
  if (!(ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]')) {
    throw invalidArgument(path, 'a Uint8Array or a string', value);
  }
  // Another thread may write to shared memory while it is read, and then no check holds: take a copy.
  if (typeof SharedArrayBuffer === 'function' && value.buffer instanceof SharedArrayBuffer) return Buffer.from(value);
  return value;
}

module.exports = { bytesOf };
