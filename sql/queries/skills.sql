-- Skills: the leaderboard with a row for those that no file was found for.
--
-- {org_id:String}
--
-- The same figures as leaderboard.sql, which makes events of all deliveries of the org first. This one makes events only of
-- those that any delivery calls a skill.
WITH invocations AS
(
    SELECT
        d.prompt_id AS prompt_id,
        d.event_id AS event_id,
        max(d.kind) AS kind,
        min(d.event_ts) AS event_ts,
        min(d.start_ts) AS start_ts,
        max(d.tool_call_name) AS tool_call_name,
        ifNull(max(d.named_author), max(d.human_author)) AS human_author,
        max(d.skill_file_path) AS skill_file_path,
        max(d.skill_file_mtime) AS skill_file_mtime,
        max(d.skill_file_hash) AS skill_file_hash
    FROM prompt_event_deliveries AS d
    WHERE d.org_id = {org_id:String}
      AND (d.prompt_id, d.event_id) GLOBAL IN
      (
          SELECT prompt_id, event_id
          FROM prompt_event_deliveries
          WHERE org_id = {org_id:String}
            AND kind = 'SkillInvocation'
      )
    GROUP BY d.prompt_id, d.event_id
    HAVING kind = 'SkillInvocation'
)
SELECT
    ifNull(skill_file_path, 'unresolved') AS path,
    argMax(tool_call_name, (event_ts, prompt_id, event_id)) AS name,
    count() AS invocations,
    min(start_ts) AS first_seen,
    max(skill_file_mtime) AS last_edited,
    uniqExact(prompt_id) AS sessions,
    uniqExact(human_author) AS distinct_users,
    uniqExact(skill_file_hash) AS distinct_versions
FROM invocations
GROUP BY path
ORDER BY invocations DESC, path
