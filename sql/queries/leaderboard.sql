SELECT
  skill_file_path                AS path,
  anyLast(tool_call_name)        AS name,
  MIN(start_ts)                  AS first_seen,
  MAX(skill_file_mtime)          AS last_edited,
  countDistinct(prompt_id)       AS sessions,
  countDistinct(human_author)    AS distinct_users,
  countDistinct(skill_file_hash) AS distinct_versions
FROM prompt_events
WHERE kind = 'SkillInvocation'
  AND org_id = ?
GROUP BY skill_file_path
