-- Written by `npm run generate` from codegen/queries/mcp_servers.sql; change it there.
--
-- MCP servers in a window. Their tools are named mcp__<server>__<tool>.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
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
        splitByString('__', assumeNotNull(tool_call_name))[2] AS server,
        count() AS calls,
        countIf(error) AS errors,
        countIf(error IS NULL) AS unknown_outcome,
        if(calls = unknown_outcome, NULL, errors / (calls - unknown_outcome)) AS error_rate,
        uniqExact(session) AS sessions,
        arraySort(groupArray(observed_duration_ms)) AS observed,
        arraySort(groupArray(reported_duration_ms)) AS reported,
        uniqExact(tool_call_name) AS tools
    FROM matching_events(
        org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
        now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))}, kinds = [])
    WHERE kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
      AND startsWith(tool_call_name, 'mcp__')
    GROUP BY server
)
ORDER BY calls DESC, mcp_server
