-- MCP servers in a window, as the names of their tools say them.
--
{SELECTION_DOC}
--
-- A call without a known result counts in calls and unknown_outcome. The error rate is that of the other calls. Percentiles
-- are those of the known durations, by nearest rank, or NULL if none is known.
SELECT
    server AS mcp_server,
    tools,
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
        {MCP_SERVER} AS server,
        count() AS calls,
        countIf(error) AS errors,
        countIf(error IS NULL) AS unknown_outcome,
        if(calls = unknown_outcome, NULL, errors / (calls - unknown_outcome)) AS error_rate,
        uniqExact(session) AS sessions,
        arraySort(groupArray(observed_duration_ms)) AS observed,
        arraySort(groupArray(reported_duration_ms)) AS reported,
        uniqExact(tool_call_name) AS tools
    FROM {MATCHING_EVENTS}
    WHERE kind = 'McpCall'
      AND server IS NOT NULL
    GROUP BY server
)
ORDER BY calls DESC, mcp_server
