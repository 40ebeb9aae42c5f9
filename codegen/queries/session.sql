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
        FROM {SESSION_EVENTS}
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
    FROM {COPIES_ON_DAYS}
    WHERE prompt_id = {prompt_id:String}
) AS copy ON event_id = copy.copy_id
WINDOW ordered AS (ORDER BY event_ts, kind = 'SessionEnd', depths[number], event_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
ORDER BY event_ts, kind = 'SessionEnd', depths[number], event_id
LIMIT {limit:UInt32} OFFSET {offset:UInt32}
