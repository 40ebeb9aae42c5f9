-- Writes what may be signs of friction in sessions, from the events of the same run. They don't count before sessions.sql says
-- so.
--
-- {org_id:String}, {sessions:Array(String)}
-- {run:UInt64}
INSERT INTO merged_signs
(
    org_id, day, session, run, event_ts, received_at, event, sign, prompt_id, event_id, repo, tool_before, words
)
SELECT
    {org_id:String}, toDate(event_ts), session, {run:UInt64}, event_ts, received_at, event, sign, prompt_id, event_id, repo, tool_before, words
FROM {SIGNS_OF_RUN} AS found
INNER JOIN
(
    SELECT
        session,
        event,
        received_at
    FROM {EVENTS_OF_RUN}
) AS arrived USING (session, event)
-- The rows are stored when ClickHouse answers, on a cluster too.
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, max_partitions_per_insert_block = 0
