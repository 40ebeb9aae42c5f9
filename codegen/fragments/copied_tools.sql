-- Tools that a session called in copied events only, by session. Only sessions that have such tools are named.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}   as above
SELECT
    prompt_id,
    arrayExcept(groupUniqArrayIf(tool, is_copy), groupUniqArrayIf(tool, NOT is_copy)) AS only_copied
FROM
(
    SELECT
        d.prompt_id AS prompt_id,
        toString(ifNull(max(d.tool_call_name), '')) AS tool,
        (d.prompt_id, d.event_id) GLOBAL IN
        (
            SELECT
                prompt_id,
                event_id
            FROM {COPIED_EVENTS}
        ) AS is_copy
    FROM prompt_event_deliveries AS d
    WHERE d.org_id = {org_id:String}
      AND toDate(d.event_ts) BETWEEN {FIRST_DAY} AND {LAST_DAY}
      AND d.prompt_id GLOBAL IN
      (
          {SHARING_SESSIONS}
      )
    GROUP BY d.prompt_id, d.event_id
    HAVING max(d.kind) IN ({TOOL_LIKE_KINDS})
)
GROUP BY prompt_id
HAVING notEmpty(only_copied)
