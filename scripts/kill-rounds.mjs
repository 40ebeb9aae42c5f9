#!/usr/bin/env node
// Kills the ingestion with SIGKILL at random moments, `node scripts/kill-rounds.mjs [rounds]` times (50 by default), and
// checks after each that nothing was lost which had been reported stored, and that ingesting all again ends in just the
// data of a run that nobody disturbed.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import metrics from '../index.js';
import { ingest } from './ingest.mjs';
import { ROOT } from './setup.mjs';
import { Store } from './store.mjs';

const ORG = 'local';
const COPIES = 25;
const SAMPLES = [1, 2, 3, 4].map((n) => readFileSync(join(ROOT, 'examples', 'sessions', `upload-${n}.json`), 'utf8'));

/** The sample uploads many times over, each time of other sessions. */
const UPLOADS = Array.from({ length: COPIES }, (_, copy) =>
  SAMPLES.map((text, n) => ({
    name: `${copy}/${n}`,
    body: text.replace(/"[0-9a-f]{2}(?=[0-9a-f]{14}[:"])/g, `"${copy.toString(16).padStart(2, '0')}`),
  })),
).flat();

const eventIds = ({ body }) => metrics.parseMetricsBatch(body).events.map(({ values }) => values.eventId);

// What a child process does; each has the data directory to itself, as ClickHouse demands.
const ROLES = {
  /** Stores all uploads, a few to an insert, and writes the name of each once it is stored. */
  ingest(store) {
    ingest(store, UPLOADS, {
      orgId: ORG,
      rowsPerInsert: 300,
      // Written at once: what waits in a buffer dies with the process, and would look like a loss.
      onStored: (names) => writeSync(1, names.map((name) => `${name}\n`).join('')),
      onRefused: (name, problem) => {
        throw new Error(`${name}: ${problem}`);
      },
    });
  },
  /** Writes the ids of all events. */
  events(store) {
    for (const { event_id } of store.rows('SELECT event_id FROM prompt_events')) writeSync(1, `${event_id}\n`);
  },
  /** Writes what every row and every query says, but for when it arrived. */
  data(store) {
    const always = { org_id: ORG, from: '2020-01-01 00:00:00.000', to: '2299-12-31 00:00:00.000' };
    const page = { now: always.to, before: '2299-12-31 23:59:59.999', before_prompt_id: '', limit: 10_000 };
    const columns = metrics.PROMPT_EVENT_COLUMNS.filter((column) => !['received_at', 'heard_at'].includes(column));
    const data = {
      events: store.rows(`SELECT ${columns.join(', ')} FROM prompt_events ORDER BY event_id`),
      sessions: store.ask('sessions', { ...always, ...page }),
      tools: store.ask('tools', always),
      models: store.ask('models', always),
      skills: store.ask('skills', { org_id: ORG }),
    };
    writeSync(1, JSON.stringify(data));
  },
};

/**
 * Runs a role and gives back what it wrote, even if it is killed, and for how long it wrote. It is killed `killAfterMs`
 * after its first words, so that the kill falls into its work, not into the start of Node and ClickHouse.
 */
function child(role, directory, killAfterMs) {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [fileURLToPath(import.meta.url), role, directory], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks = [];
    const errors = [];
    let timer;
    let first;
    let last;
    process_.stdout.on('data', (chunk) => {
      chunks.push(chunk);
      last = Date.now();
      if (first !== undefined) return;
      first = last;
      if (killAfterMs !== undefined) timer = setTimeout(() => process_.kill('SIGKILL'), killAfterMs);
    });
    process_.stderr.on('data', (chunk) => errors.push(chunk));
    process_.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 || signal === 'SIGKILL') {
        resolve({ text: Buffer.concat(chunks).toString(), killed: code !== 0, wroteMs: last - first });
      } else reject(new Error(`${role} ended with ${code ?? signal}: ${Buffer.concat(errors)}`));
    });
  });
}

const lines = (text) => text.split('\n').filter(Boolean);

async function rounds(count) {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-kill-'));
  const directory = (name) => join(folder, name);
  try {
    const { text: reports, wroteMs } = await child('ingest', directory('undisturbed'));
    const undisturbed = lines(reports);
    check(undisturbed.length === UPLOADS.length, 'the undisturbed run stores all uploads');
    const wanted = (await child('data', directory('undisturbed'))).text;
    check(JSON.parse(wanted).sessions.length > COPIES, 'the undisturbed run has sessions to show');

    let kills = 0;
    for (let round = 1; round <= count; round++) {
      const data = directory(`round-${round}`);
      const afterMs = Math.floor(Math.random() * wroteMs);
      const { text, killed } = await child('ingest', data, afterMs);
      kills += Number(killed);
      // A line that was cut short was not reported.
      const reported = new Set(lines(text.slice(0, text.lastIndexOf('\n') + 1)));
      const found = new Set(lines((await child('events', data)).text));
      for (const upload of UPLOADS) {
        if (!reported.has(upload.name)) continue;
        check(
          eventIds(upload).every((id) => found.has(id)),
          `round ${round}: upload ${upload.name} was reported stored, and is there`,
        );
      }
      await child('ingest', data);
      check((await child('data', data)).text === wanted, `round ${round}: all again gives the undisturbed data`);
      rmSync(data, { recursive: true });
      console.log(
        `  round ${round} of ${count}: ${killed ? `killed after ${afterMs} ms` : 'ended before its kill'}, ${reported.size} of ${UPLOADS.length} uploads reported, none lost`,
      );
    }
    check(count < 5 || kills > 0, 'some rounds killed a running ingestion');
    console.log(`✓ ${count} rounds, ${kills} of them killed in the middle: nothing lost, nothing twice`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function check(holds, what) {
  if (!holds) throw new Error(`not so: ${what}`);
}

const [argument = '50', directory] = process.argv.slice(2);
if (Object.hasOwn(ROLES, argument)) {
  const store = new Store(directory);
  ROLES[argument](store);
  store.close();
} else if (/^[1-9]\d*$/.test(argument)) {
  await rounds(Number(argument));
} else {
  console.error(`kill-rounds takes a number of rounds of at least 1, found ${JSON.stringify(argument)}`);
  process.exitCode = 2;
}
