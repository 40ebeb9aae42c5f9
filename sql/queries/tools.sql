-- Tools, per tool and MCP server, in a window.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
--
-- A call whose result isn't known counts as a call and in unknown_outcome; the error rate is of those that are known.
-- Percentiles are of the durations that are known, NULL where none is.
SELECT
    tool_call_name AS tool,
    -- mcp__<server>__<tool>
    if(startsWith(tool, 'mcp__'), splitByString('__', assumeNotNull(tool))[2], NULL) AS mcp_server,
    count() AS calls,
    countIf(error) AS errors,
    countIf(error IS NULL) AS unknown_outcome,
    if(calls = unknown_outcome, NULL, errors / (calls - unknown_outcome)) AS error_rate,
    quantileExact(0.5)(observed_duration_ms) AS observed_p50_ms,
    quantileExact(0.95)(observed_duration_ms) AS observed_p95_ms,
    quantileExact(0.5)(reported_duration_ms) AS reported_p50_ms,
    quantileExact(0.95)(reported_duration_ms) AS reported_p95_ms
FROM prompt_events
WHERE org_id = {org_id:String}
  -- By session first, and by time only once deliveries have become events: a delivery of the same event may lie outside
  -- the window.
  AND prompt_id GLOBAL IN
  (
      SELECT prompt_id
      FROM prompt_event_deliveries
      WHERE org_id = {org_id:String}
        AND toDate(event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')})
  )
  AND event_ts >= {from:DateTime64(3, 'UTC')}
  AND event_ts < {to:DateTime64(3, 'UTC')}
  AND kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
GROUP BY tool
ORDER BY calls DESC, tool
