-- The sessions of a window that match filters, with their state.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}   the window, in UTC: sessions with an event in from ≤ t < to, or heard of in it
-- {now:DateTime64(3)}                        a session is live if it was heard of in the {LIVE_SECONDS} s before
-- {filters:Map(String, Array(String))}       by name, the values of which a session must have one; by 'not <name>', those
--                                            of which it must have none. Names: session, repo, branch, agent, author, model,
--                                            tool, state. '' stands for "not reported". Also:
--                                            text, what a message of it contains; mcp_server, one that it called;
--                                            failed, a tool that failed in it, '*' for any;
--                                            unknown, one whose outcome isn't known, '*' for any;
--                                            skill, the file of one that it used, '' if none was found;
--                                            without_model, '*' for any event whose model isn't known, as in models
WITH {filters:Map(String, Array(String))} AS filters
SELECT
    *,
    multiIf(ended, 'ended', heard_at >= {now:DateTime64(3, 'UTC')} - INTERVAL {LIVE_SECONDS} SECOND, 'live', 'quiet') AS state
FROM
(
    SELECT
        s.*
        -- [tools
        REPLACE (arrayExcept(s.tools, c.only_copied) AS tools)
        -- tools]
    FROM {SESSION_STATES} AS s
    -- [tools
    LEFT JOIN {COPIED_TOOLS} AS c ON c.prompt_id = s.prompt_id
    -- tools]
)
-- [filters
WHERE (empty(filters) OR arrayAll(
    (name, found) -> (empty(filters[name]) OR hasAny(filters[name], found)) AND NOT hasAny(filters[concat('not ', name)], found),
    ['session', 'repo', 'branch', 'agent', 'author', 'model', 'tool', 'state'],
    [
        [prompt_id],
        if(empty(repos), [''], repos),
        if(empty(branches), [''], branches),
        if(empty(agents), [''], agents),
        if(empty(authors), [''], authors),
        if(empty(models), [''], models),
        if(empty(tools), [''], tools),
        [state]
    ]))
-- [contents
  AND (empty(filters['text']) AND empty(filters['mcp_server']) AND empty(filters['failed']) AND empty(filters['unknown']) AND empty(filters['skill']) AND empty(filters['without_model']) OR prompt_id GLOBAL IN
  (
      SELECT prompt_id
      FROM
      (
          SELECT
              d.prompt_id AS prompt_id,
              max(notEmpty(filters['text']) AND positionCaseInsensitiveUTF8(ifNull(d.input_text, ''), filters['text'][1]) > 0) AS has_text,
              NOT is_copy AND has(filters['mcp_server'], assumeNotNull(ifNull({MCP_SERVER_OF_DELIVERIES}, ''))) AS has_mcp_server,
              (d.prompt_id, d.event_id) GLOBAL IN
              (
                  SELECT
                      prompt_id,
                      event_id
                  FROM {COPIED_EVENTS}
              ) AS is_copy,
              ifNull({ERROR}, false) AND NOT is_copy AND max(d.kind) IN ({TOOL_LIKE_KINDS})
                  AND hasAny(filters['failed'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_failed,
              {ERROR} IS NULL AND NOT is_copy AND ifNull(max(d.kind) IN ({TOOL_LIKE_KINDS}), false)
                  AND hasAny(filters['unknown'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_unknown,
              ifNull(max(d.kind) = 'SkillInvocation', false) AND NOT is_copy
                  AND has(filters['skill'], toString(ifNull(max(d.skill_file_path), ''))) AS has_skill,
              NOT is_copy AND ifNull(max(d.kind) != 'SessionEnd', true) AND {COUNTS} AS may_have_model,
              ifNull(max(d.kind) = 'HumanMessage', false) AS is_message,
              ({EVENT_TS}, NOT is_message, cityHash64(d.event_id)) AS place,
              ifNull({MODEL}, '') AS model,
              isNull(max(d.attr_model)) AS lacks_attribute
          FROM prompt_event_deliveries AS d
          WHERE d.org_id = {org_id:String}
            AND (notEmpty(filters['text']) OR notEmpty(filters['mcp_server']) OR notEmpty(filters['failed']) OR notEmpty(filters['unknown']) OR notEmpty(filters['skill']) OR notEmpty(filters['without_model']))
            AND toDate(d.event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
          GROUP BY d.prompt_id, d.event_id
      )
      GROUP BY prompt_id
      HAVING (empty(filters['text']) OR max(has_text))
         AND (empty(filters['mcp_server']) OR max(has_mcp_server))
         AND (empty(filters['failed']) OR max(has_failed))
         AND (empty(filters['unknown']) OR max(has_unknown))
         AND (empty(filters['skill']) OR max(has_skill))
         AND (empty(filters['without_model']) OR if(max(may_have_model AND model != ''),
             -- A message without an answer, or anything else without a model.
             max(may_have_model AND NOT is_message AND model = '')
                 OR maxIf(place, may_have_model AND is_message) > maxIf(place, may_have_model AND model != ''),
             max(may_have_model AND lacks_attribute)))
  ))
-- contents]
-- filters]
