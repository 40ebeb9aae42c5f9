-- Written by `npm run generate` from codegen/queries/longest.sql; change it there.
--
-- The sessions of a window with the longest time from their first event to their last, longest first.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {limit:UInt32}
SELECT prompt_id
FROM matching_sessions(
    org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))})
ORDER BY dateDiff('millisecond', first_ts, last_ts) DESC, prompt_id
LIMIT {limit:UInt32}
