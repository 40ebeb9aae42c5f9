-- The time of an org's newest arrival, and that of its newest event. Both are NULL if nothing ever arrived.
--
-- {org_id:String}
SELECT
    maxOrNull(arrived_at) AS newest_arrival,
    maxOrNull(last_ts) AS newest_event
FROM session_days
WHERE org_id = {org_id:String}
