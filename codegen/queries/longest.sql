-- The sessions of a window with the longest time from their first event to their last, longest first.
--
{SELECTION_DOC}
-- {limit:UInt32}
SELECT prompt_id
FROM {MATCHING_SESSIONS}
ORDER BY dateDiff('millisecond', first_ts, last_ts) DESC, prompt_id
LIMIT {limit:UInt32}
