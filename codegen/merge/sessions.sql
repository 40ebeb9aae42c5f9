-- Makes a run count for its sessions, as long as nothing is stored of them. Repeats a row of session_days, so nothing else
-- changes.
--
-- {org_id:String}, {sessions:Array(String)}
-- {stored_us:Array(Int64)}                   of each session, as due.sql has found it before the run
-- {run:UInt64}
INSERT INTO session_days (org_id, day, prompt_id, end_id, first_ts, last_ts, received_at, arrived_at, merged)
SELECT
    d.org_id,
    d.day,
    d.prompt_id,
    d.end_id,
    min(d.first_ts),
    max(d.last_ts),
    min(d.received_at),
    max(d.arrived_at),
    bitShiftLeft(toUInt128({stored_us:Array(Int64)}[indexOf({sessions:Array(String)}, d.prompt_id)]), 64) + {run:UInt64}
FROM session_days AS d
WHERE d.org_id = {org_id:String}
  AND d.prompt_id IN {sessions:Array(String)}
GROUP BY d.org_id, d.day, d.prompt_id, d.end_id
ORDER BY d.prompt_id, d.day, d.end_id
LIMIT 1 BY d.prompt_id
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, max_partitions_per_insert_block = 0
