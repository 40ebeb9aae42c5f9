-- Written by `npm run generate` from codegen/queries/friction_tools.sql; change it there.
--
-- Friction by the tool that was used just before: signals, what they weigh, and in how many sessions.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   see friction_signals
SELECT
    tool_before,
    count() AS signals,
    sum(weight) AS score,
    uniqExact(prompt_id) AS sessions
FROM friction_signals(
    org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))},
    rules = {rules:Array(String)}, weights = {weights:Array(UInt8)}, patterns = {patterns:Array(String)})
GROUP BY tool_before
ORDER BY score DESC, tool_before
