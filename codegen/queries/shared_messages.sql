-- How many human messages these sessions have in common with others. If there is none, none of these sessions holds copied
-- events, and sessions_with_copies needn't be asked, which takes twice as long.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT count() AS shared
FROM {SHARED_MESSAGES_OF_SESSIONS}
