'use strict';

// npm run soak [-- batches]: decodes and encodes a million batches and shows the process's memory. Fails if it grew by
// 100 bytes a batch. V8's young generation would grow by 24 MB in the first seconds, so the command keeps it small. The
// growth that remains is the addon's.

const { encodeMetricsBatch, encodePromptEventRows, parseMetricsBatch } = require('..');
const { makeUpload } = require('./inputs.js');

const batches = Number(process.argv[2] ?? 1_000_000);
const bodies = Array.from({ length: 16 }, (_, seed) =>
  makeUpload(25, { seed, ascii: seed % 2 === 0, unknown: seed % 3 === 0 }),
);
const events = bodies.map((body) => parseMetricsBatch(body).events);
const broken = Buffer.from('{"v":1,"events":[{"t":1,"e":5,"v":{"0":"ToolCall"},"a":{}},{"t":');

function megabytes(bytes) {
  return (bytes / (1 << 20)).toFixed(1).padStart(8);
}

/** What allocators keep for themselves differs from run to run. */
const SLACK_BYTES = 8 << 20;
const LEAK_BYTES_A_BATCH = 100;

let settled;
console.log(' batches      rss MB   heap MB  external MB');
for (let n = 1; n <= batches; n++) {
  const batch = parseMetricsBatch(bodies[n % bodies.length]);
  if (batch.errors.length > 0) throw new Error('a good batch has errors');
  if (n % 10 === 0) encodeMetricsBatch(events[n % events.length]);
  if (n % 10 === 5) encodePromptEventRows(bodies[n % bodies.length], { orgId: 'soak' });
  if (n % 100 === 0) {
    try {
      parseMetricsBatch(broken);
      throw new Error('a broken batch decodes');
    } catch (error) {
      if (error.code !== 'ERR_INVALID_JSON') throw error;
    }
  }
  if (n === 10_000 || n % Math.ceil(batches / 10) === 0) {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    settled ??= { n, rss };
    if (rss - settled.rss > SLACK_BYTES + LEAK_BYTES_A_BATCH * (n - settled.n)) {
      throw new Error(`memory grew by ${Math.round((rss - settled.rss) / (n - settled.n))} bytes a batch`);
    }
    console.log(`${String(n).padStart(8)}    ${megabytes(rss)}  ${megabytes(heapUsed)}     ${megabytes(external)}`);
  }
}
