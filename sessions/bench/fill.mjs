// Events for the benchmarks, made in ClickHouse itself: sessions of 100 events each.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { PROMPT_EVENT_COLUMNS } = require('git-ai-metrics');
const { Merger } = require('../dist/merge/merger.js');

/**
 * Fills the table up to `size` events of one org over the 90 days after `from`, a tenth of them delivered twice, and merges
 * the sessions, as a server does once they are quiet. Resolves when nothing is left to merge.
 */
export async function fill(store, { org, size, from }) {
  const [{ have }] = await store.query('SELECT count(DISTINCT prompt_id) * 100 AS have FROM prompt_event_deliveries');
  const events = `
    SELECT
      '${org}' AS org_id,
      lower(hex(substring(SHA256(toString(session)), 1, 8))) AS prompt_id,
      concat(prompt_id, ':', lower(hex(substring(SHA256(toString(number)), 1, 6)))) AS event_id,
      toDateTime64('${from}', 3, 'UTC')
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
  const columns = PROMPT_EVENT_COLUMNS.filter((column) => new RegExp(` AS ${column}\\b`).test(events)).join(', ');
  await store.command(`INSERT INTO prompt_event_deliveries (${columns}) SELECT ${columns} FROM (${events})`);
  // The second delivery knows less, and of a third of them not even when the event began.
  await store.command(`
    INSERT INTO prompt_event_deliveries (${columns})
    SELECT * REPLACE (NULL AS error, NULL AS observed_duration_ms, if(cityHash64(event_id) % 30 = 0, NULL, start_ts) AS start_ts,
      if(start_ts IS NULL, event_ts + INTERVAL 20 HOUR, event_ts) AS event_ts)
    FROM (SELECT ${columns} FROM (${events})) WHERE cityHash64(event_id) % 10 = 0`);

  await new Merger({ store, quietMs: 0 }).run();

  // Merges of what has just come in would be measured along.
  while ((await store.query('SELECT 1 FROM system.merges')).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 500));
}
