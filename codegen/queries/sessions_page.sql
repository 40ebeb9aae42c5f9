-- Sessions, newest first, a page at a time: which they are, and what is known of them without reading events. The order is
-- that of filed, the earliest time that the session's deliveries are filed under.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window, in UTC: sessions with an event in from ≤ t < to, or heard of in it
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {before:DateTime64(3)}, {before_prompt_id:String}   filed and prompt_id of the last row of the page before;
--                                            '2299-12-31 23:59:59.999' and '' for the first page
-- {limit:UInt32}
--
-- merged_day and merged_run say where merged_sessions has what session_rows would say of it, if it has; else they are NULL.
SELECT
    prompt_id,
    first_ts AS filed,
    state,
    reason,
    heard_at,
    arraySort(models) AS models,
    if(is_merged, arrayMin(days), NULL) AS merged_day,
    if(is_merged, toString(run), NULL) AS merged_run
FROM {MATCHING_SESSIONS_OF_PAGE}
WHERE (first_ts, prompt_id) < ({before:DateTime64(3, 'UTC')}, {before_prompt_id:String})
ORDER BY first_ts DESC, prompt_id DESC
LIMIT {limit:UInt32}
