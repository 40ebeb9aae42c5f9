-- The values of each filter in a window, with the number of sessions that have them. '' stands for "not reported".
--
{SELECTION_DOC}
-- {limit:UInt32}                             values per filter, the most frequent ones
SELECT
    filter,
    value,
    count() AS sessions
FROM
(
    SELECT arrayJoin(arrayFlatten([
        arrayMap(value -> ('repo', value), if(empty(repos), [''], repos)),
        arrayMap(value -> ('branch', value), if(empty(branches), [''], branches)),
        arrayMap(value -> ('agent', value), if(empty(agents), [''], agents)),
        arrayMap(value -> ('author', value), if(empty(authors), [''], authors)),
        arrayMap(value -> ('model', value), if(empty(models), [''], models)),
        arrayMap(value -> ('tool', value), tools),
        [('state', state)]])) AS pair, pair.1 AS filter, pair.2 AS value
    FROM {MATCHING_SESSIONS}
)
GROUP BY filter, value
ORDER BY filter, sessions DESC, value
LIMIT {limit:UInt32} BY filter
