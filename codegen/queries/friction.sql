-- Friction by session: those whose signals weigh enough, with their signals, the heaviest sessions first.
--
{SELECTION_DOC}
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   see friction_signals
-- {threshold:UInt8}                         the least that a session's signals weigh in all; 2 is friction
-- {limit:UInt32}
SELECT
    prompt_id,
    any(repo) AS repo_url,
    sum(weight) AS score,
    arraySlice(arraySort(signal -> (signal.event_ts, signal.rule), groupArray(
        CAST((rule, weight, event_id, event_ts, tool_before, text),
             'Tuple(rule String, weight UInt8, event_id String, event_ts DateTime64(3, \'UTC\'), tool_before Nullable(String), text String)')
    )), 1, 20) AS signals
FROM friction_signals(
    {SELECTION},
    rules = {rules:Array(String)}, weights = {weights:Array(UInt8)}, patterns = {patterns:Array(String)})
GROUP BY prompt_id
HAVING score >= {threshold:UInt8}
ORDER BY score DESC, prompt_id
LIMIT {limit:UInt32}
