-- Written by `npm run generate` from codegen/merge/events.sql; change it there.
--
-- Writes the events of sessions, merged. They don't count before sessions.sql says so.
--
-- {org_id:String}, {sessions:Array(String)}
-- {run:UInt64}
INSERT INTO merged_events
(
    org_id, day, run, prompt_id, session, event_id, event, event_ts, received_at, kind, tool_call_name, model, error, start_ts,
    reported_duration_ms, observed_duration_ms, input_hash, words, skill_file_path, skill_file_mtime, skill_file_hash, repo_url,
    human_author, attr_model, agent
)
SELECT
    {org_id:String}, toDate(event_ts), {run:UInt64}, prompt_id, session, event_id, event, event_ts, received_at, kind, tool_call_name, model, error, start_ts,
    reported_duration_ms, observed_duration_ms, input_hash, words, skill_file_path, skill_file_mtime, skill_file_hash, repo_url,
    human_author, attr_model, agent
FROM (
    SELECT
        any(d.prompt_id) AS prompt_id,
        cityHash64(d.prompt_id) AS session, -- counts faster than prompt_id
        any(d.event_id) AS event_id,
        cityHash64(d.event_id) AS event,
        if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
           fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
           min(d.event_ts)) AS event_ts,
        min(d.received_at) AS received_at,
        max(d.kind) AS kind,
        max(d.tool_call_name) AS tool_call_name,
        ifNull(max(d.model), nullIf(substring(max(d.settled), 17), '')) AS model,
        CAST(multiIf(
            max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
            min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
            max(d.error)) AS Nullable(Bool)) AS error,
        min(d.start_ts) AS start_ts,
        multiIf(
            max(d.reported_duration_ms) IS NOT NULL, max(d.reported_duration_ms),
            CAST(multiIf(
            max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
            min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
            max(d.error)) AS Nullable(Bool)) IS NULL OR bitShiftRight(max(d.ranked_duration), 53) = 11, NULL,
            bitAnd(max(d.ranked_duration), 9007199254740991)) AS reported_duration_ms,
        ifNull(
            max(d.observed_duration_ms),
            if(bitShiftRight(min(d.result), 2) >= min(d.start_ts),
               CAST(bitShiftRight(min(d.result), 2) - min(d.start_ts) AS Nullable(UInt64)), NULL)) AS observed_duration_ms,
        max(d.input_hash) AS input_hash,
        if(max(d.kind) = 'HumanMessage', substringUTF8(trimBoth(replaceRegexpAll(ifNull(max(d.input_text), ''),
            '(?s)```.*?(?:```|\\z)|`[^`\\n]*`|<(\\w[\\w-]*)\\b[^>]*>|</\\w[\\w-]*>|(?m:^>.*$)', ' ')), 1, 300), '') AS words,
        max(d.skill_file_path) AS skill_file_path,
        max(d.skill_file_mtime) AS skill_file_mtime,
        max(d.skill_file_hash) AS skill_file_hash,
        if(position(max(d.repo_url), '@') > 0, replaceRegexpOne(max(d.repo_url), '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), max(d.repo_url)) AS repo_url,
        ifNull(max(d.named_author), max(d.human_author)) AS human_author,
        max(d.attr_model) AS attr_model,
        max(d.tool) AS agent
    FROM prompt_event_deliveries AS d
    PREWHERE d.org_id = {org_id:String}
      AND (toDate(d.event_ts), d.prompt_id, multiIf(d.kind = 'SessionEnd', 'end', d.derived, 'record', 'client')) GLOBAL IN
      (
          SELECT
              arrayJoin(days),
              prompt_id,
              arrayJoin(sources)
          FROM
          (
              SELECT
                  prompt_id,
                  groupUniqArray(day) AS days,
                  if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources
              FROM session_days
              WHERE org_id = {org_id:String}
                AND prompt_id IN {sessions:Array(String)}
              GROUP BY prompt_id
          )
      )
    GROUP BY
        session,
        event
    HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived))
)
-- The rows are stored when ClickHouse answers, on a cluster too.
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, max_partitions_per_insert_block = 0
