#!/usr/bin/env node
// Measures what it costs to derive prompt events from session records, end to end: CPU of encoding and of embedded
// ClickHouse, merges included, for the records of each agent, against the same records of an agent that nothing is derived
// of. Build first: npm run build -w sessions.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const { encodeRows, joinRows } = require('git-ai-metrics');
const { AGENTS, makeRecordUpload } = require('../../benchmark/records.js');
const { migrate } = require('../dist/store/migrate.js');
const { ClickHouseStore } = require('../dist/store/clickhouse.js');
const { EmbeddedClickHouse } = require('../dist/store/embedded.js');

const UPLOADS = 96;
const UPLOADS_PER_INSERT = 16;
/** Of /proc/<pid>/stat, on Linux. */
const MS_PER_TICK = 10;

console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}`);
for (const agent of AGENTS) {
  const stored = await ingest(makeRecordUpload(agent, 'unknown'));
  const derived = await ingest(makeRecordUpload(agent));
  console.log(
    `${agent.padEnd(20)} ${derived.records} records, ${derived.events} events: ${stored.cpuMs} ms of CPU without deriving, ` +
      `${derived.cpuMs} with; deriving ÷ the rest = ${((derived.cpuMs - stored.cpuMs) / stored.cpuMs).toFixed(2)}`,
  );
}

/** Stores the upload for many sessions in a new store. */
async function ingest(upload) {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-bench-'));
  const embedded = await EmbeddedClickHouse.start({ folder });
  const store = new ClickHouseStore({ url: embedded.url });
  try {
    await migrate(store);
    await quiet(embedded);
    const before = cpuMs(embedded);
    for (let first = 0; first < UPLOADS; first += UPLOADS_PER_INSERT) {
      const byTable = new Map();
      for (let n = first; n < first + UPLOADS_PER_INSERT; n++) {
        for (const part of encodeRows(ofSession(upload, n), { orgId: 'acme' }).tables) {
          byTable.set(part.table, [...(byTable.get(part.table) ?? []), part]);
        }
      }
      for (const [table, parts] of byTable) {
        const rowCount = parts.reduce((sum, part) => sum + part.rowCount, 0);
        await store.insert(table, joinRows(parts), rowCount);
      }
    }
    await quiet(embedded);
    const used = cpuMs(embedded) - before;
    const [{ records }] = await store.query('SELECT count() AS records FROM session_records');
    const [{ events }] = await store.query('SELECT count() AS events FROM prompt_event_deliveries');
    return { cpuMs: Math.round(used), records, events };
  } finally {
    await store.close();
    await embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same upload for another session. */
function ofSession(upload, n) {
  const number = n.toString(16).padStart(2, '0');
  return Buffer.from(upload.toString().replaceAll(/"(s_|)(01|6d)(?=[0-9a-f]{6})/g, `"$1${number}`));
}

/** CPU time so far of this process and of ClickHouse. */
function cpuMs({ pid }) {
  const { user, system } = process.cpuUsage();
  // The name of the process, in parentheses, may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (user + system) / 1000 + (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Resolves when ClickHouse has merged what came in. */
async function quiet(embedded) {
  for (let before = cpuMs(embedded); ; ) {
    await sleep(1000);
    const after = cpuMs(embedded);
    if (after - before < 50) return;
    before = after;
  }
}
