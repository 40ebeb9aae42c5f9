#!/usr/bin/env node
// npm run bench:clickhouse: how fast embedded ClickHouse takes a million events in each form, and how long the dashboard's
// queries take on 1 and 5 million. With numbers (`-- 1000000`), only the queries, on so many. Takes minutes, and a
// gigabyte of disk.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import metrics from '../index.js';
import { Store } from '../scripts/store.mjs';

const require = createRequire(import.meta.url);
const { makeUpload } = require('./inputs.js');
const { hand, rowObject } = require('./contestants.js');

const ORG = 'acme';
const EVENTS = 1_000_000;
const EVENTS_PER_UPLOAD = 250;
const ROWS_PER_INSERT = 10_000;
/** Different uploads; they come again for other orgs until there are enough. */
const UPLOADS = 200;
const RECEIVED_AT_MS = Date.UTC(2026, 5, 1);

const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-bench-'));
console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}, data in ${folder}`);
const store = new Store(folder);
try {
  const sizes = process.argv.slice(2).map(Number);
  if (sizes.length === 0) await inserts();
  for (const size of sizes.length > 0 ? sizes : [1_000_000, 5_000_000]) await queries(size);
} finally {
  store.close();
  rmSync(folder, { recursive: true, force: true });
}

async function inserts() {
  console.log(
    `\n${EVENTS.toLocaleString('en')} events, ${ROWS_PER_INSERT.toLocaleString('en')} rows an insert, from upload to stored`,
  );
  const bodies = Array.from({ length: UPLOADS }, (_, n) => makeUpload(EVENTS_PER_UPLOAD, { seed: n + 1 }));
  const forms = {
    objects: (body, options) => hand(body).events.map((event) => withNulls(rowObject(event, options))),
    JSONEachRow: (body, options) => metrics.encodePromptEventRows(body, { ...options, format: 'JSONEachRow' }).rows,
    RowBinary: (body, options) => metrics.encodePromptEventRows(body, options).rows,
  };
  // Of objects chDB makes a text of values again.
  const insert = {
    objects: (chunks) => store.session.insert({ table: 'prompt_event_deliveries', values: chunks.flat() }),
    JSONEachRow: (chunks) => store.insert(Buffer.concat(chunks), chunks.length * EVENTS_PER_UPLOAD, 'JSONEachRow'),
    RowBinary: (chunks) => store.insert(Buffer.concat(chunks), chunks.length * EVENTS_PER_UPLOAD),
  };
  for (const form of Object.keys(forms)) {
    const cpu = process.cpuUsage();
    let encodeMs = 0;
    let insertMs = 0;
    let chunks = [];
    for (let done = 0; done < EVENTS; done += EVENTS_PER_UPLOAD) {
      const round = Math.floor(done / EVENTS_PER_UPLOAD / UPLOADS);
      const body = bodies[(done / EVENTS_PER_UPLOAD) % UPLOADS];
      let began = performance.now();
      chunks.push(forms[form](body, { orgId: `${form} ${round}`, receivedAtMs: RECEIVED_AT_MS }));
      encodeMs += performance.now() - began;
      if (chunks.length * EVENTS_PER_UPLOAD < ROWS_PER_INSERT) continue;
      began = performance.now();
      await insert[form](chunks);
      insertMs += performance.now() - began;
      chunks = [];
    }
    const { user, system } = process.cpuUsage(cpu);
    const columns = [
      `${(encodeMs / 1000).toFixed(1)} s for rows`,
      `${(insertMs / 1000).toFixed(1)} s for inserts`,
      `${((user + system) / 1e6).toFixed(1)} s of CPU`,
      `${Math.round(EVENTS / ((encodeMs + insertMs) / 1000)).toLocaleString('en')} events/s`,
    ];
    console.log(`  ${form.padEnd(12)} ${columns.map((column) => column.padStart(20)).join('')}`);
  }
  const counts = store.rows(`
    SELECT splitByChar(' ', org_id)[1] AS form, uniqExact(org_id, event_id) AS events
    FROM prompt_event_deliveries GROUP BY form ORDER BY form`);
  if (new Set(counts.map(({ events }) => events)).size !== 1) throw new Error(`not equal: ${JSON.stringify(counts)}`);
  store.session.query('TRUNCATE TABLE prompt_event_deliveries');
}

/** chDB wants every column in every object. */
function withNulls(row) {
  for (const column in row) row[column] ??= null;
  return row;
}

/** Fills the table up to `size` events of one org over 90 days, a tenth of them delivered twice, and asks all queries. */
async function queries(size) {
  const [{ have }] = store.rows('SELECT count(DISTINCT prompt_id) * 100 AS have FROM prompt_event_deliveries');
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
  store.session.query(`INSERT INTO prompt_event_deliveries (${columns}) SELECT ${columns} FROM (${events})`);
  // The second delivery knows less, and of a third of them not even when the event began.
  store.session.query(`
    INSERT INTO prompt_event_deliveries (${columns})
    SELECT * REPLACE (NULL AS error, NULL AS observed_duration_ms, if(cityHash64(event_id) % 30 = 0, NULL, start_ts) AS start_ts,
      if(start_ts IS NULL, event_ts + INTERVAL 20 HOUR, event_ts) AS event_ts)
    FROM (SELECT ${columns} FROM (${events})) WHERE cityHash64(event_id) % 10 = 0`);

  // Merges of what has just come in would be measured along.
  while (store.rows('SELECT 1 FROM system.merges').length > 0) await new Promise((resolve) => setTimeout(resolve, 500));

  const org_id = ORG;
  const [{ prompt_id }] = store.rows('SELECT prompt_id FROM prompt_event_deliveries LIMIT 1');
  const week = { org_id, from: '2026-05-01 00:00:00.000', to: '2026-05-08 00:00:00.000' };
  const page = { now: week.to, before: '2299-12-31 23:59:59.999', before_prompt_id: '', limit: 50 };
  const asked = {
    'sessions of 7 days, first 50': () => store.ask('sessions', { ...week, ...page }),
    'one session': () => store.ask('session', { org_id, prompt_id }),
    'tools, 7 days': () => store.ask('tools', week),
    'models, 7 days': () => store.ask('models', week),
    'friction, 7 days': () => store.ask('friction', { ...week, patterns: ['^no,', 'that.s wrong', '\\bagain\\b'] }),
    'skills, all time': () => store.ask('skills', { org_id }),
    'leaderboard as the product has it, all time': () => store.ask('leaderboard', org_id),
  };
  const [{ deliveries, disk }] = store.rows(`
    SELECT sum(rows) AS deliveries, formatReadableSize(sum(bytes_on_disk)) AS disk
    FROM system.parts WHERE active AND table = 'prompt_event_deliveries'`);
  console.log(
    `\nQueries on ${size.toLocaleString('en')} events of one org over 90 days (${deliveries.toLocaleString('en')} rows, ${disk})`,
  );
  for (const [name, ask] of Object.entries(asked)) {
    const times = [];
    const cpu = process.cpuUsage();
    const runs = 5;
    for (let run = 0; run < runs; run++) {
      const began = performance.now();
      ask();
      times.push(performance.now() - began);
    }
    const { user, system } = process.cpuUsage(cpu);
    const columns = [
      `${Math.min(...times).toFixed(0)} ms at best`,
      `${((user + system) / 1000 / runs).toFixed(0)} ms of CPU`,
    ];
    console.log(`  ${name.padEnd(44)} ${columns.map((column) => column.padStart(18)).join('')}`);
  }
}
