'use strict';

/** Waits until a slow reader has caught up, so that what it hasn't taken doesn't fill the memory. */
function print(text) {
  if (process.stdout.write(text)) return undefined;
  return new Promise((resolve) => process.stdout.once('drain', resolve));
}

module.exports = { print };
