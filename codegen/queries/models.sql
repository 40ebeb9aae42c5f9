-- Models in a window: what each did, and its errors. The row of NULL is for events whose model isn't known.
--
{SELECTION_DOC}
--
-- A turn is a human's message. It counts for the model that answers it: the next one in the session that an event names.
-- In a session where no event names a model, the events' attribute counts.
SELECT
    nullIf(used_model, '') AS used_model,
    countIf(step = 0) AS turns,
    countIf(step IN (2, 3)) AS tool_calls,
    countIf(step = 3) AS errors,
    uniqExact(session) AS sessions
FROM
(
    SELECT
        session,
        arrayMap(event -> bitAnd(event, 3), arraySort(events)) AS steps,
        arraySort((model, event) -> event, named, events) AS models,
        if(arrayExists(model -> model != '', models),
           arrayMap((step, model, next) -> if(step = 0, next, model), steps, models, arrayReverseFill(model -> model != '', models)),
           arraySort((model, event) -> event, attributed, events)) AS used_models
    FROM
    (
        -- An event is one number: its time, in order at one time with human messages first, and what counts of it. 0 is a
        -- human's message, 3 a call that failed, 2 another call.
        SELECT
            session,
            groupArray(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(event_ts)), 67)
                + bitShiftLeft(toUInt128(ifNull(kind != 'HumanMessage', true)), 66)
                + bitShiftLeft(toUInt128(cityHash64(event_id)), 2)
                + multiIf(kind = 'HumanMessage', 0, kind IN ({TOOL_LIKE_KINDS}), if(error, 3, 2), 1)) AS events,
            groupArray(ifNull(model, '')) AS named,
            groupArray(ifNull(attr_model, '')) AS attributed
        FROM {MATCHING_EVENTS}
        WHERE kind != 'SessionEnd' OR kind IS NULL
        GROUP BY session
    )
)
ARRAY JOIN
    steps AS step,
    used_models AS used_model
GROUP BY used_model
ORDER BY turns DESC, used_model
