'use strict';

const outbox = require('./outbox.js');

/**
 * Uploads the bodies in the outbox for at most `timeoutMs`. Bodies that aren't acknowledged stay in the outbox.
 *
 * @returns {Promise<void>}
 * @throws {import('./upload.js').UploadError}
 */
async function flushOutbox(server, home, timeoutMs) {
  const { parseMetricsBatch } = require('../../index.js');
  const deadline = Date.now() + timeoutMs;
  for (const path of outbox.list(home)) {
    const left = deadline - Date.now();
    if (left <= 0) return;
    const body = outbox.read(path)?.body;
    if (body === undefined) continue;
    await server.upload(body, parseMetricsBatch(body).events.length, { timeoutMs: left });
    outbox.drop(path);
  }
}

module.exports = { flushOutbox };
