-- The events of matching_sessions in its window, without copies. An event has the same values here as in prompt_events.
-- Deliveries are found by session and day, and grouped by hashes of the identity, because strings would take twice the time.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
SELECT
    any(d.prompt_id) AS prompt_id,
    cityHash64(d.prompt_id) AS session, -- counts faster than prompt_id
    any(d.event_id) AS event_id,
    {EVENT_TS} AS event_ts,
    max(d.kind) AS kind,
    max(d.tool_call_name) AS tool_call_name,
    {MODEL} AS model,
    {ERROR} AS error,
    min(d.start_ts) AS start_ts,
    {REPORTED_MS} AS reported_duration_ms,
    {OBSERVED_MS} AS observed_duration_ms,
    max(d.input_hash) AS input_hash,
    max(d.input_text) AS input_text,
    max(d.skill_file_path) AS skill_file_path,
    max(d.skill_file_mtime) AS skill_file_mtime,
    max(d.skill_file_hash) AS skill_file_hash,
    max(d.repo_url) AS repo_url,
    {HUMAN_AUTHOR} AS human_author,
    max(d.attr_model) AS attr_model
FROM prompt_event_deliveries AS d
PREWHERE d.org_id = {org_id:String}
  AND (toDate(d.event_ts), d.prompt_id, {SOURCE}) GLOBAL IN
  (
      SELECT
          arrayJoin(days),
          prompt_id,
          arrayJoin(sources)
      FROM {MATCHING_SESSIONS}
  )
WHERE (d.prompt_id, d.event_id) GLOBAL NOT IN
  (
      SELECT
          prompt_id,
          event_id
      FROM {COPIED_EVENTS}
  )
GROUP BY
    session,
    cityHash64(d.event_id)
HAVING event_ts >= {from:DateTime64(3, 'UTC')}
   AND event_ts < {to:DateTime64(3, 'UTC')}
   AND {COUNTS}
