-- Written by `npm run generate` from codegen/queries/friction.sql; change it there.
--
-- Sessions with friction in a window, the heaviest first. Each has its first 20 signals, in order.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   see friction_signals
-- {threshold:UInt8}                         the least weight that a session's signals have together; 2 is friction
-- {only_rules:Array(String)}, {only_tools:Array(String)}   show only signals of these rules, or after these tools, and only
--                                            sessions that have one. '' stands for no tool. All if empty
-- {limit:UInt32}
SELECT
    prompt_id,
    any(repo) AS repo_url,
    sum(weight) AS score,
    arraySlice(arraySort(signal -> (signal.event_ts, signal.rule), groupArrayIf(
        CAST((rule, weight, event_id, event_ts, tool_before, text),
             'Tuple(rule String, weight UInt8, event_id String, event_ts DateTime64(3, \'UTC\'), tool_before Nullable(String), text String)'),
        (empty({only_rules:Array(String)}) OR has({only_rules:Array(String)}, rule))
            AND (empty({only_tools:Array(String)}) OR has({only_tools:Array(String)}, ifNull(tool_before, '')))
    )), 1, 20) AS signals
FROM friction_signals(
    org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))},
    rules = {rules:Array(String)}, weights = {weights:Array(UInt8)}, patterns = {patterns:Array(String)})
GROUP BY prompt_id
HAVING score >= {threshold:UInt8}
   AND notEmpty(signals)
ORDER BY score DESC, prompt_id
LIMIT {limit:UInt32}
