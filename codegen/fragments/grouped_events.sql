-- The events of some sessions, from all their deliveries, one row each. An event has the same values here as in
-- prompt_events. Deliveries are found by session and day, and grouped by hashes of the identity, because strings would take
-- twice the time.
--
-- {org_id:String}
-- {SESSION_DAYS}                             (day, prompt_id, source) of what to read
SELECT
    any(d.prompt_id) AS prompt_id,
    cityHash64(d.prompt_id) AS session, -- counts faster than prompt_id
    any(d.event_id) AS event_id,
    cityHash64(d.event_id) AS event,
    {EVENT_TS} AS event_ts,
    min(d.received_at) AS received_at,
    max(d.kind) AS kind,
    max(d.tool_call_name) AS tool_call_name,
    {MODEL} AS model,
    {ERROR} AS error,
    min(d.start_ts) AS start_ts,
    {REPORTED_MS} AS reported_duration_ms,
    {OBSERVED_MS} AS observed_duration_ms,
    max(d.input_hash) AS input_hash,
    if(max(d.kind) = 'HumanMessage', {WORDS}, '') AS words,
    max(d.skill_file_path) AS skill_file_path,
    max(d.skill_file_mtime) AS skill_file_mtime,
    max(d.skill_file_hash) AS skill_file_hash,
    {REPO_URL} AS repo_url,
    {HUMAN_AUTHOR} AS human_author,
    max(d.attr_model) AS attr_model,
    max(d.tool) AS agent
FROM prompt_event_deliveries AS d
PREWHERE d.org_id = {org_id:String}
  AND (toDate(d.event_ts), d.prompt_id, {SOURCE}) GLOBAL IN
  (
      {SESSION_DAYS}
  )
GROUP BY
    session,
    event
HAVING {COUNTS}
