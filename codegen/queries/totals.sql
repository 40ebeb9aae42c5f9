-- What happened in a window, in one row. The sums of overview.sql, but a session counts once.
--
{SELECTION_DOC}
SELECT
    count() AS sessions,
    countIf(state = 'live') AS live,
    countIf(state = 'quiet') AS quiet,
    countIf(state = 'ended') AS ended,
    maxOrNull(arrived_at) AS newest_arrival,
    maxOrNull(last_ts) AS newest_event
FROM matching_sessions({SELECTION})
