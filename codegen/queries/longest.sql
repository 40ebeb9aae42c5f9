-- The sessions of a window with the longest time from their first event to their last, longest first. An event
-- that the session doesn't show counts here too, so a session never lasts longer than span_ms.
--
{SELECTION_DOC}
-- {limit:UInt32}
SELECT
    prompt_id,
    dateDiff('millisecond', first_ts, last_ts) AS span_ms
FROM {MATCHING_SESSIONS}
ORDER BY span_ms DESC, prompt_id
LIMIT {limit:UInt32}
