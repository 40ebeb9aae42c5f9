-- Models: what each did, and its errors, in a window.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
--
-- A turn is a human's message; it counts for the model that answered it, which is the one that acts next in the session.
-- In a session where no event tells its model, an attribute's counts.
WITH events AS
(
    SELECT
        prompt_id,
        event_ts,
        kind,
        error,
        model,
        attr_model,
        max(model) OVER (PARTITION BY prompt_id) AS any_model,
        first_value(model) OVER
        (
            PARTITION BY prompt_id
            ORDER BY event_ts, event_id
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_model
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
    multiIf(any_model IS NULL, attr_model, kind = 'HumanMessage', next_model, model) AS used_model,
    countIf(kind = 'HumanMessage') AS turns,
    countIf(kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')) AS tool_calls,
    countIf(error) AS errors,
    uniqExact(prompt_id) AS sessions
FROM events
WHERE event_ts >= {from:DateTime64(3, 'UTC')}
  AND event_ts < {to:DateTime64(3, 'UTC')}
  AND used_model IS NOT NULL
GROUP BY used_model
ORDER BY turns DESC, used_model
