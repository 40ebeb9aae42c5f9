-- Friction by the tool that was used just before: signals, what they weigh, and in how many sessions.
--
{SELECTION_DOC}
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   see friction_signals
SELECT
    tool_before,
    count() AS signals,
    sum(weight) AS score,
    uniqExact(prompt_id) AS sessions
FROM friction_signals(
    {SELECTION},
    rules = {rules:Array(String)}, weights = {weights:Array(UInt8)}, patterns = {patterns:Array(String)})
GROUP BY tool_before
ORDER BY score DESC, tool_before
