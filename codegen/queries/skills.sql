-- Skills in a window. One row, with the path NULL, is for all skills whose file wasn't found.
--
{SELECTION_DOC}
SELECT
    skill_file_path AS path,
    argMax(tool_call_name, (event_ts, tool_call_name)) AS name,
    count() AS invocations,
    min(start_ts) AS first_seen,
    max(skill_file_mtime) AS last_edited,
    uniqExact(session) AS sessions,
    uniqExact(human_author) AS distinct_users,
    uniqExact(skill_file_hash) AS distinct_versions
FROM {MATCHING_EVENTS}
WHERE kind = 'SkillInvocation'
GROUP BY path
ORDER BY invocations DESC, path
