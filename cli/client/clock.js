'use strict';

/**
 * Whether `ms` have passed since a time. If the clock has been set back since, nobody knows, and they count as passed:
 * otherwise a watcher would wait until the clock catches up.
 */
function hasPassed(since, ms, now = Date.now()) {
  return now < since || now - since >= ms;
}

module.exports = { hasPassed };
