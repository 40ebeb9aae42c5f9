-- Events of a window that are copies of another session's. session and event are hashes of prompt_id and event_id.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}
-- {limit:UInt32}
SELECT
    toString(cityHash64(prompt_id)) AS session,
    toString(cityHash64(event_id)) AS event
FROM {COPIED_EVENTS}
LIMIT {limit:UInt32}
