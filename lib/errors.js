'use strict';

const { getSystemErrorMap } = require('node:util');

/**
 * The error that every function of this package throws. The class belongs to the realm that loads this file, so
 * `instanceof Error` holds under Jest and Vitest too.
 */
class GitAiMetricsError extends Error {
  /**
   * @param {import('../index.js').ErrorCode} code
   * @param {string} message
   * @param {{ path?: string | undefined, syscall?: string | undefined, errno?: number | undefined, cause?: unknown }} [details]
   */
  constructor(code, message, { path, syscall, errno, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    if (path !== undefined) this.path = path;
    if (syscall !== undefined) this.syscall = syscall;
    if (errno !== undefined) this.errno = errno;
  }
}
// On the prototype, as in every built-in error. As an own property it would show up when the error is printed.
Object.defineProperty(GitAiMetricsError.prototype, 'name', {
  value: 'GitAiMetricsError',
  configurable: true,
  writable: true,
});

/**
 * The codes of napi-rs's own errors, which are the names of its `Status`. Only a bug in this package can cause such an
 * error. All other errors have a `code` in capitals, or none.
 */
const NAPI_STATUS = /^(?:[A-Z][a-z]+)+$/;

/**
 * Turns an error of a native function into one of this realm. The addon's own errors carry a JSON object in their
 * `code`; see src/node/error.rs. Any other error, such as one that a callback threw, is returned unchanged.
 *
 * @param {unknown} error
 * @returns {unknown}
 */
function translated(error) {
  const { code, message } = /** @type {{ code?: unknown, message: string }} */ (error ?? {});
  if (typeof code !== 'string') return error;
  if (code.startsWith('{')) {
    const { code: stable, path, syscall, system } = JSON.parse(code);
    return new GitAiMetricsError(stable, message, { path, syscall, errno: errnoOf(system) });
  }
  if (NAPI_STATUS.test(code)) {
    return new GitAiMetricsError('ERR_INTERNAL', `a bug in git-ai-metrics: ${message}`, { cause: error });
  }
  return error;
}

/**
 * Returns the negative number that Node's own errors have for a code such as `ENOENT`. It differs between systems.
 *
 * @param {string | undefined} system
 */
function errnoOf(system) {
  if (system === undefined) return undefined;
  for (const [errno, [name]] of getSystemErrorMap()) if (name === system) return errno;
  return undefined;
}

module.exports = { GitAiMetricsError, translated };
