-- Written by `npm run generate` from codegen/queries/overview.sql; change it there.
--
-- What happened, by day, in a window. A session counts on every day on which something of it was recorded.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {timezone:String}                          whose days: 'UTC', 'Europe/Zurich', …
--
-- Active time is that in gaps of at most 5 minutes; a gap counts on the day on which it begins.
SELECT
    toDate(event.1, {timezone:String}) AS day,
    uniqExact(prompt_id) AS sessions,
    sum(event.2) AS active_ms,
    countIf(event.3 = 'HumanMessage') AS turns,
    countIf(event.3 IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')) AS tool_calls,
    countIf(event.3 IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall') AND event.4) AS errors,
    countIf(event.3 IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall') AND event.4 IS NULL) AS unknown_outcome
FROM
(
    SELECT
        prompt_id,
        arraySort(groupArray((event_ts, kind, error))) AS events,
        arrayMap(
            (event, next) -> (
                event.1,
                if(dateDiff('millisecond', event.1, next.1) <= 300000, dateDiff('millisecond', event.1, next.1), 0),
                event.2,
                event.3),
            events, arrayPushBack(arrayPopFront(events), events[-1])) AS gaps
    FROM matching_events(
        org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
        now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))},
        kinds = [])
    GROUP BY prompt_id
)
ARRAY JOIN gaps AS event
GROUP BY day
ORDER BY day
