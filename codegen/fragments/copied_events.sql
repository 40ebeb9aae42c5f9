-- Events that an agent copied from one session into another, when a user resumed or forked it. Two events of different
-- sessions are copies of each other if their kind, input_hash, start_ts and author are equal. The one that arrived first
-- is the original.
--
-- {org_id:String}
-- {FIRST_DAY}, {LAST_DAY}                    the last one included
-- {SHARED_WITH}                              whose messages to look for
--
-- A copied stretch is found by a human message in it. Grouping all events would take several times as long.
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
            {HUMAN_AUTHOR} AS human_author
        FROM prompt_event_deliveries AS d
        WHERE d.org_id = {org_id:String}
          AND toDate(d.event_ts) BETWEEN {FIRST_DAY} AND {LAST_DAY}
          AND d.prompt_id GLOBAL IN
          (
              {SHARING_SESSIONS}
          )
        GROUP BY d.prompt_id, d.event_id
        HAVING isNotNull(kind) AND isNotNull(input_hash) AND isNotNull(start_ts)
    )
    GROUP BY kind, input_hash, start_ts, human_author
)
