-- Sessions that can be merged: nothing was stored of them for a while, and something since they were merged last. Those of
-- the newest hour first. Of an hour, those of one day stand together, as their events do: after an import, others would
-- make each statement read all days.
--
-- {org_id:String}
-- {since:DateTime64(6)}                      only those of which something was stored since then
-- {quiet_ms:UInt32}                          how long nothing may have been stored
-- {limit:UInt32}
SELECT
    prompt_id,
    toUnixTimestamp64Micro(max(stored_at)) AS stored_us
FROM session_days
WHERE org_id = {org_id:String}
  AND length(prompt_id) BETWEEN 1 AND 1024 -- longer ones, which no agent has, don't fit into a statement
GROUP BY prompt_id
HAVING max(stored_at) >= {since:DateTime64(6, 'UTC')}
   AND max(stored_at) <= now64(6, 'UTC') - toIntervalMillisecond({quiet_ms:UInt32})
   AND bitShiftRight(max(merged), 64) < stored_us
ORDER BY intDiv(stored_us, 3600000000) DESC, min(day) DESC, prompt_id
LIMIT {limit:UInt32}
