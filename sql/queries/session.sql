-- One session: its events in order, each with its parent, for the chain.
--
-- {org_id:String}, {prompt_id:String}
--
-- Durations are NULL where nobody knows them; that isn't 0. parent_known is 0 where the parent is none of the session's
-- events (lost, or not arrived yet), NULL for the first of a chain.
WITH event_ids AS
(
    SELECT event_id
    FROM prompt_events
    WHERE org_id = {org_id:String}
      AND prompt_id = {prompt_id:String}
)
SELECT
    event_id,
    parent_id,
    parent_id_estimated,
    if(parent_id IS NULL, NULL, parent_id GLOBAL IN event_ids) AS parent_known,
    kind,
    event_ts,
    start_ts,
    model,
    tool_call_name,
    error,
    reported_duration_ms,
    observed_duration_ms,
    input_text,
    skill_file_path,
    end_reason
FROM prompt_events
WHERE org_id = {org_id:String}
  AND prompt_id = {prompt_id:String}
ORDER BY event_ts, kind = 'SessionEnd', event_id
