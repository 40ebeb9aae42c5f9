-- The sessions of an org, with their state by the rule of docs/sessions.md. Whether a session
-- has ended doesn't depend on the time of the question, but whether it is live does. So matching_sessions decides that.
--
-- {org_id:String}
-- {IN_WINDOW}                                which of them
SELECT
    s.prompt_id AS prompt_id,
    min(s.first_ts) AS first_ts,
    max(if(s.end_id = '', s.last_ts, s.first_ts)) AS last_ts,
    groupUniqArrayArray(s.days) AS days, -- of all its deliveries
    max(s.arrived_at) AS arrived_at,
    maxOrNullIf(s.arrived_at, s.end_id = '' OR s.end_reason != 'signal') AS sent_at, -- the last arrival of what the server didn't make
    maxIf(s.heard_at, s.end_id = '') AS heard_at, -- the last sign of life
    countIf(s.end_id = '') > 0 AS has_events,
    groupArrayIf((
        indexOf(['signal', 'idle_timeout', 'user_quit'], ifNull(s.end_reason, '')),
        s.heard_at,
        s.received_at,
        s.first_ts), s.end_id != '') AS ends,
    arrayFilter(
        end -> if(
            end.2 IS NOT NULL,
            -- The end was heard. It counts if nothing fresh came after it. A quit may overtake the last message.
            heard_at IS NULL OR assumeNotNull(end.2) + toIntervalSecond(if(end.1 = 3, {GRACE_SECONDS}, 0)) >= heard_at,
            -- It came too late. It counts if no event is filed after it, and if nothing was heard for a while before.
            end.4 = last_ts AND (heard_at IS NULL OR heard_at <= end.3 - INTERVAL {SILENT_MINUTES} MINUTE)),
        ends) AS valid_ends,
    notEmpty(valid_ends) AS ended,
    -- The best reason of all valid ends.
    if(ended, ['signal', 'idle_timeout', 'user_quit', NULL][arrayMax(end -> if(end.1 = 0, -1, toInt8(end.1)), valid_ends)], NULL) AS reason,
    {REPOS} AS repos,
    groupUniqArrayArray(s.branches) AS branches,
    groupUniqArrayArray(s.agents) AS agents,
    groupUniqArrayArray(s.authors) AS authors,
    if(empty(groupUniqArrayArray(s.models)), groupUniqArrayArray(s.attr_models), groupUniqArrayArray(s.models)) AS models,
    groupUniqArrayArray(s.tools) AS tools,
    groupUniqArrayArray(s.kinds) AS kinds,
    {SOURCES} AS sources, -- of the deliveries that count
    {RUN} AS run,
    {IS_MERGED} AS is_merged
FROM
(
    SELECT
        d.prompt_id AS prompt_id,
        d.end_id AS end_id,
        groupUniqArray(d.day) AS days,
        min(d.first_ts) AS first_ts,
        max(d.last_ts) AS last_ts,
        min(d.received_at) AS received_at,
        max(d.arrived_at) AS arrived_at,
        max(d.heard_at) AS heard_at,
        max(d.end_reason) AS end_reason,
        groupUniqArrayArray(d.repos) AS repos,
        groupUniqArrayArray(d.branches) AS branches,
        groupUniqArrayArray(d.agents) AS agents,
        groupUniqArrayArray(d.authors) AS authors,
        groupUniqArrayArray(d.models) AS models,
        groupUniqArrayArray(d.attr_models) AS attr_models,
        groupUniqArrayArray(d.tools) AS tools,
        groupUniqArrayArray(d.kinds) AS kinds,
        max(d.has_own) AS has_own,
        max(d.has_derived) AS has_derived,
        max(d.stored_at) AS stored_at,
        max(d.merged) AS merged
    FROM session_days AS d
    WHERE d.org_id = {org_id:String}
      AND {IN_WINDOW}
    GROUP BY d.prompt_id, d.end_id
) AS s
GROUP BY s.prompt_id
