-- Sessions of a selection that merged_events doesn't have as they are now, by day and by the deliveries that count.
--
{SELECTION_DOC}
-- {limit:UInt32}
SELECT
    arrayJoin(days) AS day,
    prompt_id,
    arrayJoin(sources) AS source
FROM {PLACES}
WHERE NOT is_merged
LIMIT {limit:UInt32}
