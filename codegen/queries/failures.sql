-- Tools that failed at least twice in one repository, in a window.
--
{SELECTION_DOC}
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
FROM {MATCHING_EVENTS}
WHERE kind IN ({TOOL_LIKE_KINDS})
GROUP BY tool, repo
HAVING errors >= 2
ORDER BY errors DESC, tool, repo
LIMIT {limit:UInt32}
