-- Agents in a window: what each did. The row of NULL is for sessions whose agent isn't known.
--
{SELECTION_DOC}
--
-- A session is of one agent. Percentiles are those of the known durations, by nearest rank, or NULL if none is known.
SELECT
    agent,
    sessions,
    turns,
    calls,
    errors,
    unknown_outcome,
    if(calls = unknown_outcome, NULL, errors / (calls - unknown_outcome)) AS error_rate,
    if(empty(observed), NULL, observed[intDiv(length(observed) * 50 + 99, 100)]) AS observed_p50_ms,
    if(empty(observed), NULL, observed[intDiv(length(observed) * 95 + 99, 100)]) AS observed_p95_ms,
    if(empty(reported), NULL, reported[intDiv(length(reported) * 50 + 99, 100)]) AS reported_p50_ms,
    if(empty(reported), NULL, reported[intDiv(length(reported) * 95 + 99, 100)]) AS reported_p95_ms
FROM
(
    SELECT
        agent,
        count() AS sessions,
        sum(of_session.1) AS turns,
        sum(of_session.2) AS calls,
        sum(of_session.3) AS errors,
        sum(of_session.4) AS unknown_outcome,
        arraySort(groupArrayArray(of_session.5)) AS observed,
        arraySort(groupArrayArray(of_session.6)) AS reported
    FROM
    (
        SELECT
            max(agent) AS agent,
            (
                countIf(kind = 'HumanMessage'),
                countIf(kind IN ({TOOL_LIKE_KINDS})),
                countIf(error AND kind IN ({TOOL_LIKE_KINDS})),
                countIf(error IS NULL AND kind IN ({TOOL_LIKE_KINDS})),
                groupArrayIf(observed_duration_ms, kind IN ({TOOL_LIKE_KINDS})),
                groupArrayIf(reported_duration_ms, kind IN ({TOOL_LIKE_KINDS}))
            ) AS of_session
        FROM {MATCHING_EVENTS}
        GROUP BY session
    )
    GROUP BY agent
)
ORDER BY sessions DESC, agent
