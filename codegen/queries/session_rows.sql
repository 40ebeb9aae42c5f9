-- What a list shows of sessions by name, from their deliveries.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT *
FROM {SESSION_ROWS}
