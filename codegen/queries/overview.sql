-- What happened, by day, in a window. A session counts on every day on which something of it was recorded.
--
{SELECTION_DOC}
-- {timezone:String}                          whose days: 'UTC', 'Europe/Zurich', …
--
-- Active time is that in gaps of at most 5 minutes; a gap counts on the day on which it begins.
SELECT
    toDate(event.1, {timezone:String}) AS day,
    uniqExact(prompt_id) AS sessions,
    sum(event.2) AS active_ms,
    countIf(event.3 = 'HumanMessage') AS turns,
    countIf(event.3 IN ({TOOL_LIKE_KINDS})) AS tool_calls,
    countIf(event.3 IN ({TOOL_LIKE_KINDS}) AND event.4) AS errors,
    countIf(event.3 IN ({TOOL_LIKE_KINDS}) AND event.4 IS NULL) AS unknown_outcome
FROM
(
    SELECT
        prompt_id,
        arraySort(groupArray((event_ts, kind, error))) AS events,
        arrayMap(
            (event, next) -> (
                event.1,
                if(dateDiff('millisecond', event.1, next.1) <= {LONGEST_GAP_MS}, dateDiff('millisecond', event.1, next.1), 0),
                event.2,
                event.3),
            events, arrayPushBack(arrayPopFront(events), events[-1])) AS gaps
    FROM matching_events(
        {SELECTION},
        kinds = [])
    GROUP BY prompt_id
)
ARRAY JOIN gaps AS event
GROUP BY day
ORDER BY day
