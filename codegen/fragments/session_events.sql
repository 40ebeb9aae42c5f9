-- The events of one session, as prompt_events has them. The days of the session are known, so only they are read.
--
-- {org_id:String}, {prompt_id:String}
SELECT
    {EVENT_COLUMNS}
FROM prompt_event_deliveries AS d
WHERE d.org_id = {org_id:String}
  AND (toDate(d.event_ts), d.prompt_id, {SOURCE}) GLOBAL IN
  (
      SELECT
          arrayJoin(days),
          {prompt_id:String},
          arrayJoin(sources)
      FROM
      (
          SELECT
              groupUniqArray(day) AS days,
              {SOURCES} AS sources
          FROM session_days
          WHERE org_id = {org_id:String}
            AND prompt_id = {prompt_id:String}
      )
  )
GROUP BY d.org_id, d.prompt_id, d.event_id
HAVING {COUNTS}
