-- Which of these sessions hold events that were copied from another session.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT DISTINCT prompt_id
FROM {COPIED_EVENTS_OF_SESSIONS}
WHERE prompt_id IN {sessions:Array(String)}
