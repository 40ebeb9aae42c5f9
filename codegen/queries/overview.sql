-- Activity by day, in a window. A session counts on every day of one of its events.
--
{SELECTION_DOC}
-- {timezone:String}                          the days' time zone: 'UTC', 'Europe/Zurich', …
--
-- Active time adds up the gaps of at most 5 minutes. A gap counts on the day on which it begins.
SELECT
    toDate(fromUnixTimestamp64Milli(toInt64(bitShiftRight(event, 3)), {timezone:String})) AS day,
    uniqExact(session) AS sessions,
    sum(gap) AS active_ms,
    countIf(bitAnd(event, 7) = 1) AS turns,
    countIf(bitAnd(event, 7) >= 2) AS tool_calls,
    countIf(bitAnd(event, 7) = 4) AS errors,
    countIf(bitAnd(event, 7) = 2) AS unknown_outcome
FROM
(
    -- An event is one number, its time and what counts of it: arrays of numbers are much faster to sort than tuples.
    -- 1 is a human's message, 2 a call without a result, 3 one that passed, 4 one that failed.
    SELECT
        session,
        arraySort(groupArray(bitShiftLeft(toUInt64(toUnixTimestamp64Milli(event_ts)), 3) + multiIf(
            kind = 'HumanMessage', 1,
            kind IN ({TOOL_LIKE_KINDS}), multiIf(error IS NULL, 2, error, 4, 3),
            0))) AS events,
        arrayMap(event -> toUInt64(bitShiftRight(event, 3)), events) AS times,
        arrayMap(gap -> if(gap <= {LONGEST_GAP_MS}, gap, 0), arrayPushBack(arrayPopFront(arrayDifference(times)), 0)) AS gaps
    FROM {MATCHING_EVENTS}
    GROUP BY session
)
ARRAY JOIN
    events AS event,
    gaps AS gap
GROUP BY day
ORDER BY day
