-- Written by `npm run generate` from codegen/queries/newest.sql; change it there.
--
-- When the newest event of an org arrived, and the newest time of an event; NULL where nothing ever arrived.
--
-- {org_id:String}
SELECT
    maxOrNull(arrived_at) AS newest_arrival,
    maxOrNull(last_ts) AS newest_event
FROM session_days
WHERE org_id = {org_id:String}
