-- Written by `npm run generate` from codegen/queries/silent_sessions.sql; change it there.
--
-- The sessions of an org that the reaper ends, each with the event that its end follows. They have no end and have been
-- silent for 10 minutes, or for 60 while the last call has neither an outcome nor a duration. Silence begins with the
-- last sign of life, or with the last arrival if there never was one.
--
-- An end follows the last event that the session shows, so that it has a parent and adds no time. A result whose call never
-- came is a sign of life, but no such event. A session of nothing else is ended after the last of these: else it would stay
-- here forever.
--
-- {org_id:String}
-- {now:DateTime64(3)}
-- {since:DateTime64(3)}                      only sessions of which something has arrived since then
-- {limit:UInt32}
WITH
    (
        SELECT groupArray((prompt_id, silent_since, days, sources))
        FROM
        (
            SELECT
                prompt_id,
                ifNull(heard_at, arrived_at) AS silent_since,
                days,
                sources
            FROM (
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
                            heard_at IS NULL OR assumeNotNull(end.2) + toIntervalSecond(if(end.1 = 3, 10, 0)) >= heard_at,
                            -- It came too late. It counts if no event is filed after it, and if nothing was heard for a while before.
                            end.4 = last_ts AND (heard_at IS NULL OR heard_at <= end.3 - INTERVAL 10 MINUTE)),
                        ends) AS valid_ends,
                    notEmpty(valid_ends) AS ended,
                    -- The best reason of all valid ends.
                    if(ended, ['signal', 'idle_timeout', 'user_quit', NULL][arrayMax(end -> if(end.1 = 0, -1, toInt8(end.1)), valid_ends)], NULL) AS reason,
                    arrayDistinct(arrayMap(url -> if(position(url, '@') > 0, replaceRegexpOne(url, '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), url), groupUniqArrayArray(s.repos))) AS repos,
                    groupUniqArrayArray(s.branches) AS branches,
                    groupUniqArrayArray(s.agents) AS agents,
                    groupUniqArrayArray(s.authors) AS authors,
                    if(empty(groupUniqArrayArray(s.models)), groupUniqArrayArray(s.attr_models), groupUniqArrayArray(s.models)) AS models,
                    groupUniqArrayArray(s.tools) AS tools,
                    groupUniqArrayArray(s.kinds) AS kinds,
                    if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources, -- of the deliveries that count
                    toUInt64(bitAnd(max(merged), toUInt128(18446744073709551615))) AS run,
                    max(merged) > 0 AND bitShiftRight(max(merged), 64) = toUnixTimestamp64Micro(max(stored_at)) AS is_merged
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
                      AND d.prompt_id GLOBAL IN
                      (
                          SELECT prompt_id
                          FROM session_days
                          WHERE org_id = {org_id:String}
                            AND arrived_at >= {since:DateTime64(3, 'UTC')}
                      )
                    GROUP BY d.prompt_id, d.end_id
                ) AS s
                GROUP BY s.prompt_id
            )
            WHERE has_events
              AND NOT ended
              AND silent_since <= {now:DateTime64(3, 'UTC')} - INTERVAL 10 MINUTE
            ORDER BY silent_since, prompt_id
            LIMIT {limit:UInt32}
        )
    ) AS silent,
    events AS
    (
        SELECT
            d.prompt_id AS prompt_id,
            d.event_id AS event_id,
            if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
               fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
               min(d.event_ts)) AS event_ts,
            max(d.parent_id) AS parent_id,
            max(d.kind) AS kind,
            is_source AND ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived)) AS is_shown,
            CAST(multiIf(
                max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                max(d.error)) AS Nullable(Bool)) IS NULL AND max(d.observed_duration_ms) IS NULL AND max(d.reported_duration_ms) IS NULL AND min(d.result) IS NULL AS no_result,
            max(d.tool) AS tool
        FROM prompt_event_deliveries AS d
        WHERE d.org_id = {org_id:String}
          AND (toDate(d.event_ts), d.prompt_id) GLOBAL IN
          (
              SELECT
                  arrayJoin(session.3),
                  session.1
              FROM (SELECT arrayJoin(silent) AS session)
          )
        GROUP BY
            d.prompt_id,
            d.event_id,
            (d.prompt_id, multiIf(d.kind = 'SessionEnd', 'end', d.derived, 'record', 'client')) GLOBAL IN
            (
                SELECT
                    session.1,
                    arrayJoin(session.4)
                FROM (SELECT arrayJoin(silent) AS session)
            ) AS is_source
        HAVING kind != 'SessionEnd' OR kind IS NULL
    ),
    sessions AS
    (
        SELECT
            prompt_id,
            max((is_shown, event_ts)) AS last,
            last.2 AS last_ts,
            -- Of several events at that time, the last of their chain.
            arrayFilter(event -> event.1 = last, groupArray(((is_shown, event_ts), event_id, ifNull(parent_id, '')))) AS last_events,
            arrayExcept(last_events.2, last_events.3) AS leaves,
            arrayMax(if(empty(leaves), last_events.2, leaves)) AS last_event_id,
            argMaxIf(no_result, (event_ts, event_id), is_shown AND kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')) AS call_is_open,
            max(tool) AS agent
        FROM events
        GROUP BY prompt_id
    )
SELECT
    prompt_id,
    last_event_id AS event_id,
    toUnixTimestamp64Milli(last_ts) AS event_ms,
    agent
FROM sessions
INNER JOIN
(
    SELECT
        session.1 AS prompt_id,
        session.2 AS silent_since
    FROM (SELECT arrayJoin(silent) AS session)
) AS found USING (prompt_id)
WHERE silent_since <= {now:DateTime64(3, 'UTC')} - if(call_is_open, INTERVAL 60 MINUTE, INTERVAL 10 MINUTE)
ORDER BY prompt_id
