-- The range of a session's events, first_ts ≤ t < after_last. There is no row if the org doesn't have the session.
--
-- {org_id:String}, {prompt_id:String}
SELECT
    min(first_ts) AS first_ts,
    max(last_ts) + INTERVAL 1 MILLISECOND AS after_last
FROM session_days
WHERE org_id = {org_id:String}
  AND prompt_id = {prompt_id:String}
HAVING count() > 0
