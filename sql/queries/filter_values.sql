-- Written by `npm run generate` from codegen/queries/filter_values.sql; change it there.
--
-- The values of each filter in a window, with the number of sessions that have them. '' stands for "not reported".
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
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
    FROM matching_sessions(
        org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
        now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))})
)
GROUP BY filter, value
ORDER BY filter, sessions DESC, value
LIMIT {limit:UInt32} BY filter
