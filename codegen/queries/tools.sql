-- Tools in a window.
--
{SELECTION_DOC}
--
-- A call without a known result counts in calls and unknown_outcome. The error rate is that of the other calls. Percentiles
-- are those of the known durations, by nearest rank, or NULL if none is known.
SELECT
    tool_call_name AS tool,
    mcp_server,
    calls,
    errors,
    unknown_outcome,
    error_rate,
    sessions,
    if(empty(observed), NULL, observed[intDiv(length(observed) * 50 + 99, 100)]) AS observed_p50_ms,
    if(empty(observed), NULL, observed[intDiv(length(observed) * 95 + 99, 100)]) AS observed_p95_ms,
    if(empty(reported), NULL, reported[intDiv(length(reported) * 50 + 99, 100)]) AS reported_p50_ms,
    if(empty(reported), NULL, reported[intDiv(length(reported) * 95 + 99, 100)]) AS reported_p95_ms
FROM
(
    SELECT
        tool_call_name,
        -- Agents can have equal names for tools of different kinds.
        any({MCP_SERVER}) AS mcp_server,
        count() AS calls,
        countIf(error) AS errors,
        countIf(error IS NULL) AS unknown_outcome,
        if(calls = unknown_outcome, NULL, errors / (calls - unknown_outcome)) AS error_rate,
        uniqExact(session) AS sessions,
        arraySort(groupArray(observed_duration_ms)) AS observed,
        arraySort(groupArray(reported_duration_ms)) AS reported
    FROM {MATCHING_EVENTS}
    WHERE kind IN ({TOOL_LIKE_KINDS})
    GROUP BY tool_call_name
)
ORDER BY calls DESC, tool
