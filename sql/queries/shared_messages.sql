-- Written by `npm run generate` from codegen/queries/shared_messages.sql; change it there.
--
-- How many human messages these sessions have in common with others. If there is none, none of these sessions holds copied
-- events, and sessions_with_copies needn't be asked, which takes twice as long.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT count() AS shared
FROM (
    SELECT message_key
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
    HAVING min(cityHash64(prompt_id)) != max(cityHash64(prompt_id))
)
