-- The sessions of an org that the reaper ends, each with the event that its end follows. They have no end and have been
-- silent for {SILENT_MINUTES} minutes, or for {SILENT_CALL_MINUTES} while the last call has neither an outcome nor a duration. Silence begins with the
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
            FROM {ARRIVING_SESSION_STATES}
            WHERE has_events
              AND NOT ended
              AND silent_since <= {now:DateTime64(3, 'UTC')} - INTERVAL {SILENT_MINUTES} MINUTE
            ORDER BY silent_since, prompt_id
            LIMIT {limit:UInt32}
        )
    ) AS silent,
    events AS
    (
        SELECT
            d.prompt_id AS prompt_id,
            d.event_id AS event_id,
            {EVENT_TS} AS event_ts,
            max(d.parent_id) AS parent_id,
            max(d.kind) AS kind,
            is_source AND {COUNTS} AS is_shown,
            {ERROR} IS NULL AND max(d.observed_duration_ms) IS NULL AND max(d.reported_duration_ms) IS NULL AND min(d.result) IS NULL AS no_result,
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
            (d.prompt_id, {SOURCE}) GLOBAL IN
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
            argMaxIf(no_result, (event_ts, event_id), is_shown AND kind IN ({TOOL_LIKE_KINDS})) AS call_is_open,
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
WHERE silent_since <= {now:DateTime64(3, 'UTC')} - if(call_is_open, INTERVAL {SILENT_CALL_MINUTES} MINUTE, INTERVAL {SILENT_MINUTES} MINUTE)
ORDER BY prompt_id
