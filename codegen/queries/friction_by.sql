-- Friction in a window by repository, by the tool used just before, and by rule: the number of signals, their weight, and
-- their sessions.
--
{SELECTION_DOC}
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   the rules about words: a name, a weight and an RE2 pattern each
-- {threshold:UInt8}                         the least weight that a session's signals have together; 2 is friction
SELECT
    multiIf(grouping(repo) = 0, 'repo', grouping(tool_before) = 0, 'tool_before', 'rule') AS dimension,
    multiIf(dimension = 'repo', repo, dimension = 'tool_before', tool_before, rule) AS value,
    count() AS signals,
    sum(weight) AS score,
    uniqExact(prompt_id) AS sessions
FROM
(
    SELECT
        prompt_id,
        repo,
        tool_before,
        toNullable(rule) AS rule,
        weight,
        sum(weight) OVER (PARTITION BY prompt_id) AS session_score
    FROM {FRICTION_SIGNALS}
)
WHERE session_score >= {threshold:UInt8}
GROUP BY GROUPING SETS ((repo), (tool_before), (rule))
ORDER BY dimension, score DESC, value
