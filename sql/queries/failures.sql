-- Written by `npm run generate` from codegen/queries/failures.sql; change it there.
--
-- Tools that failed at least twice in one repository, in a window.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {limit:UInt32}
SELECT
    tool_call_name AS tool,
    repo_url AS repo,
    countIf(error) AS errors,
    countIf(error IS NOT NULL) AS known_outcomes,
    errors / known_outcomes AS error_rate,
    uniqExactIf(session, error) AS sessions,
    minIf(event_ts, error) AS first_seen,
    maxIf(event_ts, error) AS last_seen,
    argMaxIf(prompt_id, (event_ts, event_id), error) AS last_prompt_id
FROM matching_events(
    org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))}, kinds = [])
WHERE kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
GROUP BY tool, repo
HAVING errors >= 2
ORDER BY errors DESC, tool, repo
LIMIT {limit:UInt32}
