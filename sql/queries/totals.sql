-- Written by `npm run generate` from codegen/queries/totals.sql; change it there.
--
-- The number of sessions in a window, by state. A session counts once, however many days it spans.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
SELECT
    count() AS sessions,
    countIf(state = 'live') AS live,
    countIf(state = 'quiet') AS quiet,
    countIf(state = 'ended') AS ended,
    maxOrNull(arrived_at) AS newest_arrival,
    maxOrNull(last_ts) AS newest_event
FROM matching_sessions(
    org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))})
