-- Written by `npm run generate` from codegen/queries/skills.sql; change it there.
--
-- Skills in a window. One row, with the path NULL, is for all skills whose file wasn't found.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
SELECT
    skill_file_path AS path,
    argMax(tool_call_name, (event_ts, prompt_id, event_id)) AS name,
    count() AS invocations,
    min(start_ts) AS first_seen,
    max(skill_file_mtime) AS last_edited,
    uniqExact(session) AS sessions,
    uniqExact(human_author) AS distinct_users,
    uniqExact(skill_file_hash) AS distinct_versions
FROM matching_events(
    org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))}, kinds = ['SkillInvocation'])
GROUP BY path
ORDER BY invocations DESC, path
