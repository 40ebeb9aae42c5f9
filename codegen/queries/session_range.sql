-- The range of time that a session lies in, first_ts ≤ t < after_last; no row if the org has no such session.
--
-- {org_id:String}, {prompt_id:String}
SELECT
    min(first_ts) AS first_ts,
    max(last_ts) + INTERVAL 1 MILLISECOND AS after_last
FROM session_days
WHERE org_id = {org_id:String}
  AND prompt_id = {prompt_id:String}
HAVING count() > 0
