-- Written by `npm run generate` from codegen/queries/copied_events.sql; change it there.
--
-- Events of a window that are copies of another session's. session and event are hashes of prompt_id and event_id.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}
-- {limit:UInt32}
SELECT
    toString(cityHash64(prompt_id)) AS session,
    toString(cityHash64(event_id)) AS event
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
              AND toDate(d.event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 1
              AND d.prompt_id GLOBAL IN
              (
                  SELECT DISTINCT prompt_id
                  FROM session_days
                  ARRAY JOIN message_keys AS message_key
                  WHERE org_id = {org_id:String}
                    AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 1
                    AND message_key GLOBAL IN
                    (
                        SELECT message_key
                        FROM session_days
                        ARRAY JOIN message_keys AS message_key
                        WHERE org_id = {org_id:String}
                          AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 1
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
LIMIT {limit:UInt32}
