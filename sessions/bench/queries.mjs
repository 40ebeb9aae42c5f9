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

const require = createRequire(import.meta.url);
const metrics = require('git-ai-metrics');
const { migrate } = require('../dist/store/migrate.js');
const { ClickHouseStore } = require('../dist/store/clickhouse.js');
const { EmbeddedClickHouse } = require('../dist/store/embedded.js');
const { namedQuery } = require('../dist/store/sql.js');

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
  const [{ have }] = await store.query('SELECT count(DISTINCT prompt_id) * 100 AS have FROM prompt_event_deliveries');
  const events = `
    SELECT
      '${ORG}' AS org_id,
      lower(hex(substring(SHA256(toString(session)), 1, 8))) AS prompt_id,
      concat(prompt_id, ':', lower(hex(substring(SHA256(toString(number)), 1, 6)))) AS event_id,
      toDateTime64('2026-03-03 00:00:00', 3, 'UTC')
        + toIntervalSecond(cityHash64(session) % (90 * 86400) + number % 100 * 20) AS event_ts,
      event_ts + INTERVAL 1 SECOND AS emitted_at,
      event_ts + INTERVAL 3 SECOND AS received_at,
      received_at AS heard_at,
      ['HumanMessage', 'AiMessage', 'AiMessage', 'ThinkingMessage', 'ToolCall', 'ToolCall', 'ToolCall', 'ToolCall',
        'FileWrite', if(number % 70 = 9, 'SkillInvocation', 'McpCall')][number % 10 + 1] AS kind,
      number % 10 > 3 AS is_call,
      concat(prompt_id, ':', lower(hex(substring(SHA256(toString(number - 1)), 1, 6)))) AS parent_id,
      false AS parent_id_estimated,
      if(is_call, ['Bash', 'Read', 'Edit', 'Grep', 'mcp__github__get_issue'][cityHash64(number) % 5 + 1], NULL) AS tool_call_name,
      if(kind = 'HumanMessage', NULL, 'claude-opus-4-7') AS model,
      if(is_call, number % 13 = 0, NULL) AS error,
      toUnixTimestamp64Milli(event_ts) AS start_ts,
      if(is_call, cityHash64(number) % 9000, NULL) AS observed_duration_ms,
      lower(hex(cityHash64(number))) AS input_hash,
      if(kind IN ('HumanMessage', 'AiMessage'), repeat('lorem ipsum ', 1 + number % 60), NULL) AS input_text,
      if(kind = 'SkillInvocation', concat('/skills/', toString(session % 37), '/SKILL.md'), NULL) AS skill_file_path,
      '1.1.23' AS git_ai_version,
      'https://github.com/example/parser' AS repo_url,
      concat('user ', toString(session % 200)) AS human_author,
      'main' AS branch,
      'claude' AS tool
    FROM (SELECT number, intDiv(number, 100) AS session FROM numbers(${have}, ${size - have}))`;
  const columns = metrics.PROMPT_EVENT_COLUMNS.filter((column) => new RegExp(` AS ${column}\\b`).test(events)).join(
    ', ',
  );
  await store.command(`INSERT INTO prompt_event_deliveries (${columns}) SELECT ${columns} FROM (${events})`);
  // The second delivery knows less, and of a third of them not even when the event began.
  await store.command(`
    INSERT INTO prompt_event_deliveries (${columns})
    SELECT * REPLACE (NULL AS error, NULL AS observed_duration_ms, if(cityHash64(event_id) % 30 = 0, NULL, start_ts) AS start_ts,
      if(start_ts IS NULL, event_ts + INTERVAL 20 HOUR, event_ts) AS event_ts)
    FROM (SELECT ${columns} FROM (${events})) WHERE cityHash64(event_id) % 10 = 0`);

  // Merges of what has just come in would be measured along.
  while ((await store.query('SELECT 1 FROM system.merges')).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 500));

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
  const page = { before: '2299-12-31 23:59:59.999', before_prompt_id: '', limit: 50 };
  const none = { only_rules: [], only_tools: [] };
  const friction = {
    ...none,
    rules: ['no', 'still'],
    weights: [1, 2],
    patterns: ['^no,', 'still (broken|failing|wrong)'],
  };
  const ask = (name, parameters) => () => store.query(namedQuery(name).replace('?', '{org_id:String}'), parameters);
  const asked = {
    'sessions of 7 days, first 50': ask('sessions', { ...week, ...page }),
    'sessions of all time, first 50': ask('sessions', { ...always, ...page }),
    'sessions of 7 days that have ended, first 50': ask('sessions', {
      ...week,
      ...page,
      filters: { state: ['ended'] },
    }),
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
    'reaper: silent sessions': ask('silent_sessions', { org_id, now: week.now, limit: 2000 }),
    'leaderboard as the product has it, all time': ask('leaderboard', { org_id }),
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
