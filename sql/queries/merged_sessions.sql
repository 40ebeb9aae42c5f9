-- Written by `npm run generate` from codegen/queries/merged_sessions.sql; change it there.
--
-- What a list shows of merged sessions.
--
-- {org_id:String}
-- {days:Array(Date)}, {sessions:Array(String)}, {runs:Array(String)}   merged_day, prompt_id and merged_run of sessions_page
SELECT
    prompt_id,
    external_prompt_id,
    title,
    agent,
    author,
    repo,
    branch,
    start,
    end,
    duration_ms,
    active_ms,
    turns,
    tool_calls,
    errors,
    last_output
FROM merged_sessions
WHERE org_id = {org_id:String}
  AND (day, prompt_id, run) GLOBAL IN
  (
      SELECT
          found.1,
          found.2,
          toUInt64(found.3)
      FROM (SELECT arrayJoin(arrayZip({days:Array(Date)}, {sessions:Array(String)}, {runs:Array(String)})) AS found)
  )
