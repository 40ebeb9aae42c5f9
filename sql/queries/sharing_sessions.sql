-- Written by `npm run generate` from codegen/queries/sharing_sessions.sql; change it there.
--
-- How many sessions have a human message in common with one of these, these included. If none has, none of these holds
-- copied events, and sessions_with_copies needn't be asked, which takes twice as long.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT count() AS sharing
FROM (
    SELECT arrayJoin(sessions)
    FROM
    (
        SELECT groupUniqArray(prompt_id) AS sessions
        FROM session_days
        ARRAY JOIN message_keys AS message_key
        WHERE org_id = {org_id:String}
          AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 1
          AND message_key GLOBAL IN
          (
              SELECT arrayJoin(message_keys)
              FROM session_days
              WHERE org_id = {org_id:String}
                AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 1
                AND prompt_id IN {sessions:Array(String)}
          )
        GROUP BY message_key
        HAVING length(sessions) > 1
    )
)
