-- Sessions of a window that hold copies of another session's events.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}
SELECT DISTINCT prompt_id
FROM {COPIED_EVENTS}
