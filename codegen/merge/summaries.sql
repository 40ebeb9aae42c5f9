-- Writes what a list shows of sessions. It doesn't count before sessions.sql says so.
--
-- {org_id:String}, {sessions:Array(String)}
-- {run:UInt64}
INSERT INTO merged_sessions
(
    org_id, day, prompt_id, run, received_at, external_prompt_id, title, agent, author, repo, branch, start, end, duration_ms, active_ms,
    turns, tool_calls, errors, last_output
)
SELECT
    {org_id:String}, day, prompt_id, {run:UInt64}, received_at, external_prompt_id, title, agent, author, repo, branch, start, end, duration_ms, active_ms,
    turns, tool_calls, errors, last_output
FROM {SESSION_ROWS_WITH_COPIES} AS said
INNER JOIN
(
    SELECT
        prompt_id,
        min(day) AS day,
        min(received_at) AS received_at
    FROM session_days
    WHERE org_id = {org_id:String}
      AND prompt_id IN {sessions:Array(String)}
    GROUP BY prompt_id
) AS filed USING (prompt_id)
-- The rows are stored when ClickHouse answers, on a cluster too.
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, max_partitions_per_insert_block = 0
