-- Skills: the leaderboard with a row for those that no file was found for.
--
-- {org_id:String}
--
-- The same figures as leaderboard.sql, which reads every event of the org; this one finds the skills' events among the
-- deliveries first.
SELECT
    ifNull(skill_file_path, 'unresolved') AS path,
    argMax(tool_call_name, event_ts) AS name,
    count() AS invocations,
    min(start_ts) AS first_seen,
    max(skill_file_mtime) AS last_edited,
    uniqExact(prompt_id) AS sessions,
    uniqExact(human_author) AS distinct_users,
    uniqExact(skill_file_hash) AS distinct_versions
FROM prompt_events
WHERE org_id = {org_id:String}
  AND kind = 'SkillInvocation'
  AND (prompt_id, event_id) IN
  (
      SELECT prompt_id, event_id
      FROM prompt_event_deliveries
      WHERE org_id = {org_id:String}
        AND kind = 'SkillInvocation'
  )
GROUP BY path
ORDER BY invocations DESC, path
