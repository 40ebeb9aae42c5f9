-- Models: what each did, and its errors, in a window. The row with a NULL is for what no model is known of.
--
{SELECTION_DOC}
--
-- A turn is a human's message; it counts for the model that answered it, which is the one that acts next in the session.
-- In a session where no event names its model, an attribute's counts.
SELECT
    event.2 AS used_model,
    countIf(event.1 = 'HumanMessage') AS turns,
    countIf(event.1 IN ({TOOL_LIKE_KINDS})) AS tool_calls,
    countIf(event.3 AND event.1 IN ({TOOL_LIKE_KINDS})) AS errors,
    uniqExact(prompt_id) AS sessions
FROM
(
    SELECT
        prompt_id,
        -- At one time a human's message comes first and an end last.
        arraySort(groupArray((event_ts, multiIf(kind = 'HumanMessage', 0, kind = 'SessionEnd', 2, 1), event_id, kind, model, attr_model, error))) AS events,
        arrayReverseFill(model -> model IS NOT NULL, arrayMap(event -> event.5, events)) AS next_models,
        arrayExists(event -> event.5 IS NOT NULL, events) AS named,
        arrayMap(
            (event, next) -> (event.4, multiIf(NOT named, event.6, event.4 = 'HumanMessage', next, event.5), event.7),
            events, next_models) AS attributed
    FROM matching_events(
        {SELECTION},
        kinds = [])
    GROUP BY prompt_id
)
ARRAY JOIN attributed AS event
WHERE event.1 != 'SessionEnd' OR event.1 IS NULL
GROUP BY used_model
ORDER BY turns DESC, used_model
