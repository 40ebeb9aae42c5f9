'use strict';

const { getSystemErrorMap } = require('node:util');

// Exit codes.
const DONE = 0;
/** Something is wrong with an upload. */
const WRONG = 1;
/** A usage error, a file that can't be read, or no addon for this system. */
const FAILED = 2;

/** A usage error. Its message is the one line that the user sees. */
class Misuse extends Error {}

const REASONS = {
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is no folder',
};

/** Says why the system refused to read or write. Leaves out the path, which Node's message repeats. */
function reasonOf({ code, errno, message }) {
  return REASONS[code] ?? getSystemErrorMap().get(errno)?.[1] ?? message;
}

module.exports = { DONE, WRONG, FAILED, Misuse, reasonOf };
