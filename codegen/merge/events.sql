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
FROM {GROUPED_EVENTS_OF_SESSIONS}
-- The rows are stored when ClickHouse answers, on a cluster too.
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, max_partitions_per_insert_block = 0
