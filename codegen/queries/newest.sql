-- The time of an org's newest arrival, and that of its newest event. Both are NULL if nothing ever arrived.
--
-- The ends that the server makes didn't arrive.
--
-- {org_id:String}
SELECT
    maxOrNullIf(arrived_at, end_id = '' OR end_reason != 'signal') AS newest_arrival,
    maxOrNull(last_ts) AS newest_event
FROM session_days
WHERE org_id = {org_id:String}
