-- Sessions with friction in a window, the heaviest first. Each has its first signals, in order, and their
-- number in all.
--
{SELECTION_DOC}
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   the rules about words: a name, a weight and an RE2 pattern each
-- {threshold:UInt8}                         the least weight that a session's signals have together; 2 is friction
-- {only_rules:Array(String)}, {only_tools:Array(String)}   show only signals of these rules, or after these tools, and only
--                                            sessions that have one. '' stands for no tool. All if empty
-- {most_signals:UInt8}                      how many signals of a session
-- {limit:UInt32}
SELECT
    prompt_id,
    any(repo) AS repo_url,
    sum(weight) AS score,
    countIf(is_asked_for) AS signal_count,
    arraySlice(arraySort(signal -> (signal.event_ts, signal.rule), groupArrayIf(
        CAST((rule, weight, event_id, event_ts, tool_before, text),
             'Tuple(rule String, weight UInt8, event_id String, event_ts DateTime64(3, \'UTC\'), tool_before Nullable(String), text String)'),
        (empty({only_rules:Array(String)}) OR has({only_rules:Array(String)}, rule))
            AND (empty({only_tools:Array(String)}) OR has({only_tools:Array(String)}, ifNull(tool_before, ''))) AS is_asked_for
    )), 1, {most_signals:UInt8}) AS signals
FROM {FRICTION_SIGNALS}
GROUP BY prompt_id
HAVING score >= {threshold:UInt8}
   AND notEmpty(signals)
ORDER BY score DESC, prompt_id
LIMIT {limit:UInt32}
