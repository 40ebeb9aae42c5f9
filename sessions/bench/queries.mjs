#!/usr/bin/env node
// Measures the queries in sql/queries on embedded ClickHouse: on an empty store, where a query costs only its planning, then
// on 1 and on 5 million events, or on as many as you name: `node sessions/bench/queries.mjs 1000000`. It takes minutes and
// a gigabyte of disk. Build first: npm run build -w sessions.
//
// The CPU is that of ClickHouse, per run. Compare it rather than the time if the machine has other work.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fill } from './fill.mjs';

const require = createRequire(import.meta.url);
const { migrate } = require('../dist/store/migrate.js');
const { ClickHouseStore } = require('../dist/store/clickhouse.js');
const { EmbeddedClickHouse } = require('../dist/store/embedded.js');
const { namedQuery } = require('../dist/store/sql.js');
const { askAbout } = require('../dist/api/selected.js');
const { pageOfSessions } = require('../dist/api/sessions.js');

const ORG = 'acme';
const RUNS = 7;
/** Of /proc/<pid>/stat, on Linux. */
const MS_PER_TICK = 10;

const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-bench-'));
console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}, data in ${folder}`);
const embedded = await EmbeddedClickHouse.start({ folder });
const store = new ClickHouseStore({ url: embedded.url, timeoutMs: 600_000 });
try {
  await migrate(store);
  console.log('\nAn empty store');
  await measure('none');
  const sizes = process.argv.slice(2).map(Number);
  for (const size of sizes.length > 0 ? sizes : [1_000_000, 5_000_000]) await queries(size);
} finally {
  await store.close();
  await embedded.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Fills the table up to `size` events of one org over 90 days, a tenth of them delivered twice, and measures all queries. */
async function queries(size) {
  await fill(store, { org: ORG, size, from: '2026-03-03 00:00:00' });

  const [{ deliveries, disk }] = await store.query(`
    SELECT sum(rows) AS deliveries, formatReadableSize(sum(bytes_on_disk)) AS disk
    FROM system.parts WHERE active AND table = 'prompt_event_deliveries'`);
  console.log(
    `\n${size.toLocaleString('en')} events of one org over 90 days (${deliveries.toLocaleString('en')} rows, ${disk})`,
  );
  const [{ prompt_id }] = await store.query('SELECT prompt_id FROM prompt_event_deliveries LIMIT 1');
  await measure(prompt_id);
}

async function measure(prompt_id) {
  const org_id = ORG;
  const week = {
    org_id,
    from: '2026-05-01 00:00:00.000',
    to: '2026-05-08 00:00:00.000',
    now: '2026-05-08 00:00:00.000',
    filters: {},
  };
  const always = { ...week, from: '2020-01-01 00:00:00.000', to: '2299-12-30 00:00:00.000' };
  const none = { only_rules: [], only_tools: [] };
  const friction = {
    ...none,
    rules: ['no', 'still'],
    weights: [1, 2],
    patterns: ['^no,', 'still (broken|failing|wrong)'],
    most_signals: 20,
  };
  // Each run has filters of its own, as each request has: what is known of a selection is asked for along.
  const ask = (name, parameters) => () => askAbout(store, name, { ...parameters, filters: {} });
  const list =
    (window, filters = {}) =>
    () =>
      pageOfSessions(store, { ...window, filters: { ...filters } }, 50);
  const reaper = (day) => ({ org_id, now: week.now, since: `${day} 22:00:00.000`, limit: 2000 });
  const leaderboard = namedQuery('leaderboard').replace('?', '{org_id:String}');
  const asked = {
    'sessions of 7 days, first 50': list(week),
    'sessions of all time, first 50': list(always),
    'sessions of 7 days that have ended, first 50': list(week, { state: ['ended'] }),
    'one session: its range': ask('session_range', { org_id, prompt_id }),
    'one session: its events': ask('session', { org_id, prompt_id, offset: 0, limit: 5000 }),
    'overview: totals, 7 days': ask('totals', week),
    'overview: days, 7 days': ask('overview', { ...week, timezone: 'UTC' }),
    'tools, 7 days': ask('tools', week),
    'MCP servers, 7 days': ask('mcp_servers', week),
    'recurring failures, 7 days': ask('failures', { ...week, limit: 50 }),
    'models, 7 days': ask('models', week),
    'friction, 7 days': ask('friction', { ...week, ...friction, threshold: 2, limit: 100 }),
    'skills, 7 days': ask('skills', week),
    'skills, all time': ask('skills', always),
    'filter values, 7 days': ask('filter_values', { ...week, limit: 200 }),
    'reaper: first run, 2,000 silent sessions': ask('silent_sessions', reaper('1970-01-01')),
    'reaper: each minute': ask('silent_sessions', reaper('2026-05-07')),
    'leaderboard as the product has it, all time': () => store.query(leaderboard, { org_id }),
  };
  for (const [name, run] of Object.entries(asked)) {
    const times = [];
    const began = cpuMs();
    for (let n = 0; n < RUNS; n++) {
      const start = performance.now();
      await run();
      times.push(performance.now() - start);
    }
    const cpu = (cpuMs() - began) / RUNS;
    times.sort((a, b) => a - b);
    const [best, median, used] = [times[0], times[RUNS >> 1], cpu].map((ms) => `${ms.toFixed(0).padStart(8)} ms`);
    console.log(`  ${name.padEnd(46)}${best} at best${median} median${used} CPU`);
  }
}

/** CPU time of ClickHouse so far, or NaN where there is no /proc. */
function cpuMs() {
  try {
    // The name of the process, in parentheses, may contain spaces.
    const fields = readFileSync(`/proc/${embedded.pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return Number.NaN;
  }
}
