-- Friction: human messages that match a list of patterns, per session and per tool used just before them.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {patterns:Array(String)}                   RE2, for example ['^no,', 'that.s wrong', '\\bagain\\b', 'still broken']; case
--                                            doesn't matter
WITH
    messages AS
    (
        SELECT
            prompt_id,
            event_ts,
            event_id,
            kind,
            input_text,
            tool_call_name,
            -- The last tool before this event in its session.
            last_value(if(kind = 'HumanMessage', NULL, tool_call_name)) OVER
            (
                PARTITION BY prompt_id
                ORDER BY event_ts, event_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS tool_before
        FROM prompt_events
        WHERE org_id = {org_id:String}
          AND prompt_id GLOBAL IN
          (
              SELECT prompt_id
              FROM prompt_event_deliveries
              WHERE org_id = {org_id:String}
                AND toDate(event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')})
          )
    )
SELECT
    prompt_id,
    tool_before,
    count() AS messages,
    countIf(arrayExists(pattern -> match(assumeNotNull(input_text), concat('(?i)', pattern)), {patterns:Array(String)})) AS friction,
    groupArrayIf(3)(assumeNotNull(input_text), arrayExists(pattern -> match(assumeNotNull(input_text), concat('(?i)', pattern)), {patterns:Array(String)})) AS examples
FROM messages
WHERE kind = 'HumanMessage'
  AND input_text IS NOT NULL
  AND event_ts >= {from:DateTime64(3, 'UTC')}
  AND event_ts < {to:DateTime64(3, 'UTC')}
GROUP BY prompt_id, tool_before
HAVING friction > 0
ORDER BY friction DESC, prompt_id, tool_before
