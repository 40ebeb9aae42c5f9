-- Written by `npm run generate` from codegen/queries/session.sql; change it there.
--
-- The events of one session in order, each with its parent.
--
-- {org_id:String}, {prompt_id:String}
-- {offset:UInt32}, {limit:UInt32}   a page of the events in this order
--
-- event_count is the number of all its events, whatever the page. A duration that nobody knows is NULL, not 0. parent_known is 0 if the session doesn't have the parent, because it was lost
-- or hasn't arrived yet. It is NULL for the first event of a chain. gap_ms is the time since the event before. copied_from
-- is the session that the event was copied from, or NULL.
--
-- Events at one time stand in the order of their parents. depth counts the ancestors in a row that an event has at its own
-- time. It is found by doubling, so a chain takes as many steps as its length has binary digits. A link is one number: an
-- ancestor's above 32 bits, and how many ancestors there are up to it. A step looks up each ancestor's own link by sorting:
-- each event's link stands before those that ask for it. A lambda that reads an array by index would be shorter, but it
-- copies the array for each of its elements, which takes half a minute for 10,000 events.
WITH
    (
        SELECT (min(day), max(day))
        FROM session_days
        WHERE org_id = {org_id:String}
          AND prompt_id = {prompt_id:String}
    ) AS days,
    events AS
    (
        SELECT
            *,
            row_number() OVER (ORDER BY event_ts, event_id) AS number
        FROM (
            SELECT
                d.org_id AS org_id,
                d.prompt_id AS prompt_id,
                d.event_id AS event_id,
                if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
                   fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
                   min(d.event_ts)) AS event_ts,
                min(d.emitted_at) AS emitted_at,
                min(d.received_at) AS received_at,
                max(d.heard_at) AS heard_at,
                max(d.derived) AS derived,
                max(d.derived_from) AS derived_from,
                max(d.verdict) AS verdict,
                min(d.result) AS result,
                max(d.ranked_duration) AS ranked_duration,
                max(d.settled) AS settled,
                max(d.kind) AS kind,
                max(d.parent_id) AS parent_id,
                max(d.parent_id_estimated) AS parent_id_estimated,
                max(d.tool_call_name) AS tool_call_name,
                ifNull(max(d.model), nullIf(substring(max(d.settled), 17), '')) AS model,
                CAST(multiIf(
                    max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                    min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                    max(d.error)) AS Nullable(Bool)) AS error,
                min(d.start_ts) AS start_ts,
                multiIf(
                    max(d.reported_duration_ms) IS NOT NULL, max(d.reported_duration_ms),
                    CAST(multiIf(
                    max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                    min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                    max(d.error)) AS Nullable(Bool)) IS NULL OR bitShiftRight(max(d.ranked_duration), 53) = 11, NULL,
                    bitAnd(max(d.ranked_duration), 9007199254740991)) AS reported_duration_ms,
                ifNull(
                    max(d.observed_duration_ms),
                    if(bitShiftRight(min(d.result), 2) >= min(d.start_ts),
                       CAST(bitShiftRight(min(d.result), 2) - min(d.start_ts) AS Nullable(UInt64)), NULL)) AS observed_duration_ms,
                max(d.input_hash) AS input_hash,
                max(d.input_text) AS input_text,
                max(d.skill_file_path) AS skill_file_path,
                max(d.skill_file_mtime) AS skill_file_mtime,
                max(d.skill_file_hash) AS skill_file_hash,
                max(d.end_reason) AS end_reason,
                max(d.git_ai_version) AS git_ai_version,
                max(d.repo_url) AS repo_url,
                ifNull(max(d.named_author), max(d.human_author)) AS human_author,
                max(d.commit_sha) AS commit_sha,
                max(d.base_commit_sha) AS base_commit_sha,
                max(d.branch) AS branch,
                max(d.tool) AS tool,
                max(d.attr_model) AS attr_model,
                max(d.external_prompt_id) AS external_prompt_id,
                max(d.trace_id) AS trace_id,
                max(d.parent_session_id) AS parent_session_id,
                max(d.external_parent_session_id) AS external_parent_session_id,
                max(d.custom_attributes) AS custom_attributes,
                max(d.named_author) AS named_author,
                max(d.installation) AS installation
            FROM prompt_event_deliveries AS d
            WHERE d.org_id = {org_id:String}
              AND (toDate(d.event_ts), d.prompt_id, multiIf(d.kind = 'SessionEnd', 'end', d.derived, 'record', 'client')) GLOBAL IN
              (
                  SELECT
                      arrayJoin(days),
                      {prompt_id:String},
                      arrayJoin(sources)
                  FROM
                  (
                      SELECT
                          groupUniqArray(day) AS days,
                          if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources
                      FROM session_days
                      WHERE org_id = {org_id:String}
                        AND prompt_id = {prompt_id:String}
                  )
              )
            GROUP BY d.org_id, d.prompt_id, d.event_id
            HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived))
        )
    ),
    linked AS
    (
        SELECT
            e.*,
            p.event_id != '' AS has_parent,
            if(has_parent AND p.event_ts = e.event_ts AND p.number != e.number, p.number, 0) AS parent_number
        FROM events AS e
        LEFT JOIN (SELECT event_id, event_ts, number FROM events) AS p ON e.parent_id = p.event_id
    ),
    (
        SELECT arrayMap(link -> toUInt32(bitAnd(link, 4294967295)), arrayFold(
            (links, step) -> arraySort(
                (link, key) -> bitAnd(key, 4294967295),
                arrayFilter((link, key) -> bitTest(key, 32), arrayMap(
                    (own, up) -> if(own < 4294967296, own, up + bitAnd(own, 4294967295)),
                    arraySort((link, key) -> key,
                        arrayConcat(links, links) AS twice,
                        arrayConcat(
                            arrayMap(number -> bitShiftLeft(toUInt64(number), 33) + number, arrayEnumerate(links)),
                            arrayMap((link, number) -> bitShiftLeft(bitShiftRight(link, 32), 33) + 4294967296 + number, links, arrayEnumerate(links))) AS keys) AS sorted,
                    arrayFill((link, key) -> NOT bitTest(key, 32), sorted, arraySort(keys) AS sorted_keys)), sorted_keys),
                arrayFilter(key -> bitTest(key, 32), sorted_keys)),
            range(toUInt64(ceil(log2(countIf(parent_number != 0) + 1)))),
            arrayMap(pair -> bitShiftLeft(toUInt64(pair.2), 32) + toUInt64(pair.2 != 0), arraySort(groupArray((number, parent_number))))))
        FROM linked
    ) AS depths
SELECT
    event_id,
    parent_id,
    parent_id_estimated,
    if(parent_id IS NULL, NULL, has_parent) AS parent_known,
    kind,
    event_ts,
    dateDiff('millisecond', lagInFrame(toNullable(event_ts)) OVER ordered, event_ts) AS gap_ms,
    start_ts,
    model,
    attr_model,
    tool_call_name,
    error,
    reported_duration_ms,
    observed_duration_ms,
    input_hash,
    input_text,
    skill_file_path,
    skill_file_mtime,
    skill_file_hash,
    end_reason,
    commit_sha,
    received_at,
    nullIf(copy.copied_from, '') AS copied_from,
    count() OVER () AS event_count
FROM linked
LEFT JOIN
(
    SELECT
        event_id AS copy_id,
        copied_from
    FROM (
        SELECT
            copy.2 AS prompt_id,
            copy.3 AS event_id,
            original.2 AS copied_from
        FROM
        (
            SELECT
                arraySort(groupArray((received_at, prompt_id, event_id))) AS events,
                events[1] AS original,
                arrayJoin(arrayFilter(event -> event.2 != original.2, events)) AS copy
            FROM
            (
                SELECT
                    d.prompt_id AS prompt_id,
                    d.event_id AS event_id,
                    min(d.received_at) AS received_at,
                    max(d.kind) AS kind,
                    max(d.input_hash) AS input_hash,
                    min(d.start_ts) AS start_ts,
                    ifNull(max(d.named_author), max(d.human_author)) AS human_author
                FROM prompt_event_deliveries AS d
                WHERE d.org_id = {org_id:String}
                  AND toDate(d.event_ts) BETWEEN days.1 AND days.2
                  AND d.prompt_id GLOBAL IN
                  (
                      SELECT DISTINCT prompt_id
                      FROM session_days
                      ARRAY JOIN message_keys AS message_key
                      WHERE org_id = {org_id:String}
                        AND day BETWEEN days.1 AND days.2
                        AND message_key GLOBAL IN
                        (
                            SELECT message_key
                            FROM session_days
                            ARRAY JOIN message_keys AS message_key
                            WHERE org_id = {org_id:String}
                              AND day BETWEEN days.1 AND days.2
                            GROUP BY message_key
                            HAVING min(cityHash64(prompt_id)) != max(cityHash64(prompt_id))
                        )
                  )
                GROUP BY d.prompt_id, d.event_id
                HAVING isNotNull(kind) AND isNotNull(input_hash) AND isNotNull(start_ts)
            )
            GROUP BY kind, input_hash, start_ts, human_author
        )
    )
    WHERE prompt_id = {prompt_id:String}
) AS copy ON event_id = copy.copy_id
WINDOW ordered AS (ORDER BY event_ts, kind = 'SessionEnd', depths[number], event_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
ORDER BY event_ts, kind = 'SessionEnd', depths[number], event_id
LIMIT {limit:UInt32} OFFSET {offset:UInt32}
