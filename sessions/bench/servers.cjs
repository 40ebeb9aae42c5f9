'use strict';

// The servers that `npm run bench:sessions` compares, each in a process of its own: `node servers.cjs ours|fastify|bare`.
// All take uploads and store nothing, so what differs is the way from the request's bytes to rows.

const { createServer } = require('node:http');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const ORG = 'acme';

/** Ours, over a store that drops what it is given. */
async function ours() {
  const { pino } = require('pino');
  const { createApp } = require('../dist/server/app.js');
  const { authenticator } = require('../dist/server/auth.js');
  const { KeyFile } = require('../dist/server/keys.js');
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const nothing = async () => {};
  const { server } = createApp({
    store: { insert: nothing, command: nothing, ping: nothing, close: nothing, query: async () => [] },
    authenticate: authenticator(new KeyFile(join(folder, 'keys.json')), { keyless: true }),
    log: pino({ level: 'info' }),
    folder,
    quarantine: join(folder, 'quarantine'),
    concurrentInserts: 1,
    maxBodyBytes: 64 * 2 ** 20,
    minFreeBytes: 0,
    uploadsPerSecond: 1e9,
    uploadBurst: 1e9,
    allowedHosts: [],
    serveMetrics: true,
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  return server.server.address().port;
}

/** What one would write with Fastify: its JSON parser, zod, a row object per event, JSON.stringify per row. */
async function fastify() {
  const { rowObject, zodBatch } = require('../../benchmark/contestants.js');
  const server = require('fastify')({ bodyLimit: 64 * 2 ** 20, logger: false });
  server.post('/worker/metrics/upload', async ({ body }) => {
    const options = { orgId: ORG, receivedAtMs: Date.now() };
    const { events, errors } = zodBatch(body);
    const rows = events.map((event) => JSON.stringify(rowObject(event, options))).join('\n');
    if (rows.length === 0) throw new Error('no rows');
    return { errors };
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  return server.server.address().port;
}

/** The least that a server can do: read the body and answer. */
async function bare() {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      Buffer.concat(chunks);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"errors":[]}');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

const SERVERS = { ours, fastify, bare };

SERVERS[process.argv[2]]().then((port) => {
  process.on('message', () => process.send({ cpu: process.cpuUsage() }));
  process.on('disconnect', () => process.exit());
  process.send({ port });
});
