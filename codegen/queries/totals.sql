-- The number of sessions in a window, by state. A session counts once, however many days it spans.
--
{SELECTION_DOC}
SELECT
    count() AS sessions,
    countIf(state = 'live') AS live,
    countIf(state = 'quiet') AS quiet,
    countIf(state = 'ended') AS ended,
    maxOrNull(sent_at) AS newest_arrival,
    maxOrNull(last_ts) AS newest_event
FROM {MATCHING_SESSIONS}
