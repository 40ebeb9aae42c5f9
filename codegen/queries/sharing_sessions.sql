-- How many sessions have a human message in common with one of these, these included. If none has, none of these holds
-- copied events, and sessions_with_copies needn't be asked, which takes twice as long.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT count() AS sharing
FROM {SHARING_WITH_SESSIONS}
