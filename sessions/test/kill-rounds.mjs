#!/usr/bin/env node
// Kills the backend with SIGKILL while clients upload, `node sessions/test/kill-rounds.mjs [rounds]` times (50 by default):
// the server, its ClickHouse, or both at once. After each kill every event that was acknowledged has to be there. Then the
// clients send again what was not, newest first as git-ai does, and the data has to equal that of an undisturbed run.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const metrics = require('git-ai-metrics');
const { openStore } = require('../dist/store/open.js');

const BIN = require.resolve('../bin/git-ai-sessions.js');
const SAMPLES = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..', '..', 'examples', 'sessions');
const ORG = 'local';
const COPIES = 25;
const CLIENTS = 8;
/** A round may be killed this long after its first upload at the latest. */
const LONGEST_MS = 1500;

/** The sample uploads many times over, each time of other sessions. */
const UPLOADS = Array.from({ length: COPIES }, (_, copy) =>
  readdirSync(SAMPLES).map((name) =>
    readFileSync(join(SAMPLES, name), 'utf8').replace(
      /"[0-9a-f]{2}(?=[0-9a-f]{14}[:"])/g,
      `"${copy.toString(16).padStart(2, '0')}`,
    ),
  ),
).flat();

const eventIds = (body) => metrics.parseMetricsBatch(body).events.map(({ values }) => values.eventId);

/** Starts the server, and resolves once it listens. */
async function startServer(data) {
  const server = spawn(process.execPath, [BIN, 'serve', '--data', data, '--port', '0', '--rate-burst', '1000000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  server.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /listens on (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { server, url, ended };
  }
  throw new Error(`the server did not start: ${log}`);
}

async function stopServer({ server, ended }) {
  server.kill('SIGTERM');
  await ended;
}

/** The process of the server's ClickHouse, by the folder that it was given. */
function clickHousePid(data) {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (args.includes('embedded-clickhouse.js') && args.includes(join(data, 'clickhouse'))) return Number(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined;
}

/** Whether the upload was acknowledged: exactly 200 with a list of errors, here an empty one. */
async function send(url, body) {
  try {
    const answer = await fetch(`${url}/worker/metrics/upload`, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(30_000),
    });
    const { errors } = await answer.json();
    return answer.status === 200 && Array.isArray(errors) && errors.length === 0;
  } catch {
    return false;
  }
}

/** Sends uploads, several at once, and returns the places of those that were acknowledged. Stops once `stopped` says so. */
async function sendAll(url, places, stopped = () => false) {
  const acknowledged = new Set();
  const queue = [...places];
  const client = async () => {
    for (let at = queue.shift(); at !== undefined && !stopped(); at = queue.shift()) {
      if (await send(url, UPLOADS[at])) acknowledged.add(at);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return acknowledged;
}

async function ask(data, sql) {
  const store = await openStore({ data });
  try {
    return await store.query(sql, { org: ORG });
  } finally {
    await store.close();
  }
}

/** All that the events say, but for when they arrived. */
async function contents(data) {
  const columns = metrics.PROMPT_EVENT_COLUMNS.filter((column) => !['received_at', 'heard_at'].includes(column));
  return JSON.stringify(
    await ask(
      data,
      `SELECT ${columns.join(', ')} FROM prompt_events WHERE org_id = {org:String} ORDER BY prompt_id, event_id`,
    ),
  );
}

const VICTIMS = ['server', 'ClickHouse', 'both'];

async function rounds(count) {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-kill-'));
  const everything = UPLOADS.map((_, at) => at);
  try {
    const undisturbed = join(folder, 'undisturbed');
    const running = await startServer(undisturbed);
    assert.equal(
      (await sendAll(running.url, everything)).size,
      UPLOADS.length,
      'an undisturbed run stores all uploads',
    );
    await stopServer(running);
    const wanted = await contents(undisturbed);
    assert.equal(new Set(JSON.parse(wanted).map((row) => row.event_id)).size, JSON.parse(wanted).length);

    let cut = 0;
    for (let round = 1; round <= count; round++) {
      const data = join(folder, `round-${round}`);
      const victim = VICTIMS[round % VICTIMS.length];
      const afterMs = Math.floor(Math.random() ** 2 * LONGEST_MS);
      const { server, url, ended } = await startServer(data);
      const store = clickHousePid(data);
      let killed = false;
      const kill = sleep(afterMs).then(() => {
        killed = true;
        if (victim !== 'server') process.kill(store, 'SIGKILL');
        if (victim !== 'ClickHouse') server.kill('SIGKILL');
      });
      const acknowledged = await sendAll(url, everything, () => killed);
      await kill;
      await ended;
      while (clickHousePid(data) !== undefined) await sleep(10);

      const ids = await ask(data, 'SELECT event_id FROM prompt_events WHERE org_id = {org:String}');
      const found = new Set(ids.map(({ event_id }) => event_id));
      assert.equal(found.size, ids.length, `round ${round}: no event is there twice`);
      for (const at of acknowledged) {
        for (const id of eventIds(UPLOADS[at]))
          assert(found.has(id), `round ${round}: ${id} was acknowledged, and is lost`);
      }

      const again = await startServer(data);
      let missing = everything.filter((at) => !acknowledged.has(at)).reverse();
      if (missing.length > 0) cut += 1;
      while (missing.length > 0) {
        const stored = await sendAll(again.url, missing);
        missing = missing.filter((at) => !stored.has(at));
      }
      await stopServer(again);
      assert.equal(await contents(data), wanted, `round ${round}: the data is that of an undisturbed run`);
      rmSync(data, { recursive: true });
      console.log(
        `  round ${round} of ${count}: ${victim} killed after ${afterMs} ms, ${acknowledged.size} of ${UPLOADS.length} uploads acknowledged, none lost`,
      );
    }
    assert(count < 5 || cut > 0, 'some rounds were killed in the middle');
    console.log(`✓ ${count} rounds, ${cut} of them killed in the middle: nothing lost, nothing twice`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [argument = '50'] = process.argv.slice(2);
if (/^[1-9]\d*$/.test(argument)) {
  await rounds(Number(argument));
} else {
  console.error(`kill-rounds takes a number of rounds of at least 1, found ${JSON.stringify(argument)}`);
  process.exitCode = 2;
}
