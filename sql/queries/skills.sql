-- Written by `npm run generate` from codegen/queries/skills.sql; change it there.
--
-- Skills in a window. One row, with the path NULL, is for all skills whose file wasn't found.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       which of them: see sql/single/views.sql; an empty map for all
SELECT
    skill_file_path AS path,
    argMax(tool_call_name, (event_ts, tool_call_name)) AS name,
    count() AS invocations,
    min(start_ts) AS first_seen,
    max(skill_file_mtime) AS last_edited,
    uniqExact(session) AS sessions,
    uniqExact(human_author) AS distinct_users,
    uniqExact(skill_file_hash) AS distinct_versions
FROM (
    SELECT *
    FROM
    (
        SELECT
            prompt_id,
            session,
            event_id,
            event,
            event_ts,
            kind,
            tool_call_name,
            model,
            error,
            start_ts,
            reported_duration_ms,
            observed_duration_ms,
            input_hash,
            words,
            skill_file_path,
            skill_file_mtime,
            skill_file_hash,
            repo_url,
            human_author,
            attr_model,
            agent
        FROM merged_events
        WHERE org_id = {org_id:String}
          AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')})
          AND (session, run) GLOBAL IN
          (
              SELECT
                  cityHash64(prompt_id),
                  run
              FROM (
                  -- [selection
                  SELECT
                      prompt_id,
                      days,
                      sources,
                      run,
                      is_merged
                  FROM (
                      WITH {filters:Map(String, Array(String))} AS filters
                      SELECT
                          *,
                          multiIf(ended, 'ended', heard_at >= {now:DateTime64(3, 'UTC')} - INTERVAL 60 SECOND, 'live', 'quiet') AS state
                      FROM
                      (
                          SELECT
                              s.*
                              -- [tools
                              REPLACE (arrayExcept(s.tools, c.only_copied) AS tools)
                              -- tools]
                          FROM (
                              SELECT
                                  s.prompt_id AS prompt_id,
                                  min(s.first_ts) AS first_ts,
                                  max(if(s.end_id = '', s.last_ts, s.first_ts)) AS last_ts,
                                  groupUniqArrayArray(s.days) AS days, -- of all its deliveries
                                  max(s.arrived_at) AS arrived_at,
                                  maxOrNullIf(s.arrived_at, s.end_id = '' OR s.end_reason != 'signal') AS sent_at, -- the last arrival of what the server didn't make
                                  maxIf(s.heard_at, s.end_id = '') AS heard_at, -- the last sign of life
                                  countIf(s.end_id = '') > 0 AS has_events,
                                  groupArrayIf((
                                      indexOf(['signal', 'idle_timeout', 'user_quit'], ifNull(s.end_reason, '')),
                                      s.heard_at,
                                      s.received_at,
                                      s.first_ts), s.end_id != '') AS ends,
                                  arrayFilter(
                                      end -> if(
                                          end.2 IS NOT NULL,
                                          -- The end was heard. It counts if nothing fresh came after it. A quit may overtake the last message.
                                          heard_at IS NULL OR assumeNotNull(end.2) + toIntervalSecond(if(end.1 = 3, 10, 0)) >= heard_at,
                                          -- It came too late. It counts if no event is filed after it, and if nothing was heard for a while before.
                                          end.4 = last_ts AND (heard_at IS NULL OR heard_at <= end.3 - INTERVAL 10 MINUTE)),
                                      ends) AS valid_ends,
                                  notEmpty(valid_ends) AS ended,
                                  -- The best reason of all valid ends.
                                  if(ended, ['signal', 'idle_timeout', 'user_quit', NULL][arrayMax(end -> if(end.1 = 0, -1, toInt8(end.1)), valid_ends)], NULL) AS reason,
                                  arrayDistinct(arrayMap(url -> if(position(url, '@') > 0, replaceRegexpOne(url, '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), url), groupUniqArrayArray(s.repos))) AS repos,
                                  groupUniqArrayArray(s.branches) AS branches,
                                  groupUniqArrayArray(s.agents) AS agents,
                                  groupUniqArrayArray(s.authors) AS authors,
                                  if(empty(groupUniqArrayArray(s.models)), groupUniqArrayArray(s.attr_models), groupUniqArrayArray(s.models)) AS models,
                                  groupUniqArrayArray(s.tools) AS tools,
                                  groupUniqArrayArray(s.kinds) AS kinds,
                                  if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources, -- of the deliveries that count
                                  toUInt64(bitAnd(max(merged), toUInt128(18446744073709551615))) AS run,
                                  max(merged) > 0 AND bitShiftRight(max(merged), 64) = toUnixTimestamp64Micro(max(stored_at)) AS is_merged
                              FROM
                              (
                                  SELECT
                                      d.prompt_id AS prompt_id,
                                      d.end_id AS end_id,
                                      groupUniqArray(d.day) AS days,
                                      min(d.first_ts) AS first_ts,
                                      max(d.last_ts) AS last_ts,
                                      min(d.received_at) AS received_at,
                                      max(d.arrived_at) AS arrived_at,
                                      max(d.heard_at) AS heard_at,
                                      max(d.end_reason) AS end_reason,
                                      groupUniqArrayArray(d.repos) AS repos,
                                      groupUniqArrayArray(d.branches) AS branches,
                                      groupUniqArrayArray(d.agents) AS agents,
                                      groupUniqArrayArray(d.authors) AS authors,
                                      groupUniqArrayArray(d.models) AS models,
                                      groupUniqArrayArray(d.attr_models) AS attr_models,
                                      groupUniqArrayArray(d.tools) AS tools,
                                      groupUniqArrayArray(d.kinds) AS kinds,
                                      max(d.has_own) AS has_own,
                                      max(d.has_derived) AS has_derived,
                                      max(d.stored_at) AS stored_at,
                                      max(d.merged) AS merged
                                  FROM session_days AS d
                                  WHERE d.org_id = {org_id:String}
                                    AND d.prompt_id GLOBAL IN
                                    (
                                        SELECT prompt_id
                                        FROM session_days
                                        WHERE org_id = {org_id:String}
                                          -- A fast clock files an event under tomorrow at the latest.
                                          AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
                                          -- named: AND prompt_id IN {filters:Map(String, Array(String))}['session']
                                        GROUP BY prompt_id, day
                                        -- Whole days are compared. A merge makes one row of a day's rows, so a single row says nothing.
                                        HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
                                            OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})
                                    )
                                  GROUP BY d.prompt_id, d.end_id
                              ) AS s
                              GROUP BY s.prompt_id
                          ) AS s
                          -- [tools
                          LEFT JOIN (
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
                                      ) AS is_copy
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
                                  HAVING max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                              )
                              GROUP BY prompt_id
                              HAVING notEmpty(only_copied)
                          ) AS c ON c.prompt_id = s.prompt_id
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
                                    NOT is_copy AND has(filters['mcp_server'], assumeNotNull(ifNull(if(max(d.kind) = 'McpCall', nullIf(multiIf(
                                        startsWith(max(d.tool_call_name), 'mcp__'), extract(assumeNotNull(max(d.tool_call_name)), '^mcp__(.+?)(?:__|$)'),
                                        startsWith(max(d.tool_call_name), 'MCP:'), '',
                                        position(max(d.tool_call_name), '__') > 1, extract(assumeNotNull(max(d.tool_call_name)), '^(.+?)__'),
                                        extract(assumeNotNull(max(d.tool_call_name)), '^(?:mcp_)?(.+?)_')), ''), NULL), ''))) AS has_mcp_server,
                                    (d.prompt_id, d.event_id) GLOBAL IN
                                    (
                                        SELECT
                                            prompt_id,
                                            event_id
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
                                    ) AS is_copy,
                                    ifNull(CAST(multiIf(
                                        max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                                        min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                                        max(d.error)) AS Nullable(Bool)), false) AND NOT is_copy AND max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                                        AND hasAny(filters['failed'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_failed,
                                    CAST(multiIf(
                                        max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                                        min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                                        max(d.error)) AS Nullable(Bool)) IS NULL AND NOT is_copy AND ifNull(max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'), false)
                                        AND hasAny(filters['unknown'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_unknown,
                                    ifNull(max(d.kind) = 'SkillInvocation', false) AND NOT is_copy
                                        AND has(filters['skill'], toString(ifNull(max(d.skill_file_path), ''))) AS has_skill,
                                    NOT is_copy AND ifNull(max(d.kind) != 'SessionEnd', true) AND ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived)) AS may_have_model,
                                    ifNull(max(d.kind) = 'HumanMessage', false) AS is_message,
                                    (if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
                                       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
                                       min(d.event_ts)), NOT is_message, cityHash64(d.event_id)) AS place,
                                    ifNull(ifNull(max(d.model), nullIf(substring(max(d.settled), 17), '')), '') AS model,
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
                  )
                  -- selection]
                  -- all: SELECT
                  -- all:     d.prompt_id AS prompt_id,
                  -- all:     groupUniqArray(d.day) AS days,
                  -- all:     if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources,
                  -- all:     toUInt64(bitAnd(max(merged), toUInt128(18446744073709551615))) AS run,
                  -- all:     max(merged) > 0 AND bitShiftRight(max(merged), 64) = toUnixTimestamp64Micro(max(stored_at)) AS is_merged
                  -- all: FROM session_days AS d
                  -- all: WHERE d.org_id = {org_id:String}
                  -- all:   AND d.prompt_id GLOBAL IN
                  -- all:   (
                  -- all:       SELECT prompt_id
                  -- all:       FROM session_days
                  -- all:       WHERE org_id = {org_id:String}
                  -- all:         -- A fast clock files an event under tomorrow at the latest.
                  -- all:         AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
                  -- all:         -- named: AND prompt_id IN {filters:Map(String, Array(String))}['session']
                  -- all:       GROUP BY prompt_id, day
                  -- all:       -- Whole days are compared. A merge makes one row of a day's rows, so a single row says nothing.
                  -- all:       HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
                  -- all:           OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})
                  -- all:   )
                  -- all: GROUP BY d.prompt_id
              )
              WHERE
                  -- [unknown
                  is_merged
                  -- unknown]
                  -- known: run > 0 AND prompt_id NOT IN {unmerged_sessions:Array(String)}
          )
        -- [unmerged
        UNION ALL
        SELECT
            prompt_id,
            session,
            event_id,
            event,
            event_ts,
            kind,
            tool_call_name,
            model,
            error,
            start_ts,
            reported_duration_ms,
            observed_duration_ms,
            input_hash,
            words,
            skill_file_path,
            skill_file_mtime,
            skill_file_hash,
            repo_url,
            human_author,
            attr_model,
            agent
        FROM (
            SELECT
                any(d.prompt_id) AS prompt_id,
                cityHash64(d.prompt_id) AS session, -- counts faster than prompt_id
                any(d.event_id) AS event_id,
                cityHash64(d.event_id) AS event,
                if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
                   fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
                   min(d.event_ts)) AS event_ts,
                min(d.received_at) AS received_at,
                max(d.kind) AS kind,
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
                if(max(d.kind) = 'HumanMessage', substringUTF8(trimBoth(replaceRegexpAll(ifNull(max(d.input_text), ''),
                    '(?s)```.*?(?:```|\\z)|`[^`\\n]*`|<(\\w[\\w-]*)\\b[^>]*>|</\\w[\\w-]*>|(?m:^>.*$)', ' ')), 1, 300), '') AS words,
                max(d.skill_file_path) AS skill_file_path,
                max(d.skill_file_mtime) AS skill_file_mtime,
                max(d.skill_file_hash) AS skill_file_hash,
                if(position(max(d.repo_url), '@') > 0, replaceRegexpOne(max(d.repo_url), '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), max(d.repo_url)) AS repo_url,
                ifNull(max(d.named_author), max(d.human_author)) AS human_author,
                max(d.attr_model) AS attr_model,
                max(d.tool) AS agent
            FROM prompt_event_deliveries AS d
            PREWHERE d.org_id = {org_id:String}
              AND (toDate(d.event_ts), d.prompt_id, multiIf(d.kind = 'SessionEnd', 'end', d.derived, 'record', 'client')) GLOBAL IN
              (
                  -- [unknown
                  SELECT
                      arrayJoin(days),
                      prompt_id,
                      arrayJoin(sources)
                  FROM (
                      -- [selection
                      SELECT
                          prompt_id,
                          days,
                          sources,
                          run,
                          is_merged
                      FROM (
                          WITH {filters:Map(String, Array(String))} AS filters
                          SELECT
                              *,
                              multiIf(ended, 'ended', heard_at >= {now:DateTime64(3, 'UTC')} - INTERVAL 60 SECOND, 'live', 'quiet') AS state
                          FROM
                          (
                              SELECT
                                  s.*
                                  -- [tools
                                  REPLACE (arrayExcept(s.tools, c.only_copied) AS tools)
                                  -- tools]
                              FROM (
                                  SELECT
                                      s.prompt_id AS prompt_id,
                                      min(s.first_ts) AS first_ts,
                                      max(if(s.end_id = '', s.last_ts, s.first_ts)) AS last_ts,
                                      groupUniqArrayArray(s.days) AS days, -- of all its deliveries
                                      max(s.arrived_at) AS arrived_at,
                                      maxOrNullIf(s.arrived_at, s.end_id = '' OR s.end_reason != 'signal') AS sent_at, -- the last arrival of what the server didn't make
                                      maxIf(s.heard_at, s.end_id = '') AS heard_at, -- the last sign of life
                                      countIf(s.end_id = '') > 0 AS has_events,
                                      groupArrayIf((
                                          indexOf(['signal', 'idle_timeout', 'user_quit'], ifNull(s.end_reason, '')),
                                          s.heard_at,
                                          s.received_at,
                                          s.first_ts), s.end_id != '') AS ends,
                                      arrayFilter(
                                          end -> if(
                                              end.2 IS NOT NULL,
                                              -- The end was heard. It counts if nothing fresh came after it. A quit may overtake the last message.
                                              heard_at IS NULL OR assumeNotNull(end.2) + toIntervalSecond(if(end.1 = 3, 10, 0)) >= heard_at,
                                              -- It came too late. It counts if no event is filed after it, and if nothing was heard for a while before.
                                              end.4 = last_ts AND (heard_at IS NULL OR heard_at <= end.3 - INTERVAL 10 MINUTE)),
                                          ends) AS valid_ends,
                                      notEmpty(valid_ends) AS ended,
                                      -- The best reason of all valid ends.
                                      if(ended, ['signal', 'idle_timeout', 'user_quit', NULL][arrayMax(end -> if(end.1 = 0, -1, toInt8(end.1)), valid_ends)], NULL) AS reason,
                                      arrayDistinct(arrayMap(url -> if(position(url, '@') > 0, replaceRegexpOne(url, '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), url), groupUniqArrayArray(s.repos))) AS repos,
                                      groupUniqArrayArray(s.branches) AS branches,
                                      groupUniqArrayArray(s.agents) AS agents,
                                      groupUniqArrayArray(s.authors) AS authors,
                                      if(empty(groupUniqArrayArray(s.models)), groupUniqArrayArray(s.attr_models), groupUniqArrayArray(s.models)) AS models,
                                      groupUniqArrayArray(s.tools) AS tools,
                                      groupUniqArrayArray(s.kinds) AS kinds,
                                      if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources, -- of the deliveries that count
                                      toUInt64(bitAnd(max(merged), toUInt128(18446744073709551615))) AS run,
                                      max(merged) > 0 AND bitShiftRight(max(merged), 64) = toUnixTimestamp64Micro(max(stored_at)) AS is_merged
                                  FROM
                                  (
                                      SELECT
                                          d.prompt_id AS prompt_id,
                                          d.end_id AS end_id,
                                          groupUniqArray(d.day) AS days,
                                          min(d.first_ts) AS first_ts,
                                          max(d.last_ts) AS last_ts,
                                          min(d.received_at) AS received_at,
                                          max(d.arrived_at) AS arrived_at,
                                          max(d.heard_at) AS heard_at,
                                          max(d.end_reason) AS end_reason,
                                          groupUniqArrayArray(d.repos) AS repos,
                                          groupUniqArrayArray(d.branches) AS branches,
                                          groupUniqArrayArray(d.agents) AS agents,
                                          groupUniqArrayArray(d.authors) AS authors,
                                          groupUniqArrayArray(d.models) AS models,
                                          groupUniqArrayArray(d.attr_models) AS attr_models,
                                          groupUniqArrayArray(d.tools) AS tools,
                                          groupUniqArrayArray(d.kinds) AS kinds,
                                          max(d.has_own) AS has_own,
                                          max(d.has_derived) AS has_derived,
                                          max(d.stored_at) AS stored_at,
                                          max(d.merged) AS merged
                                      FROM session_days AS d
                                      WHERE d.org_id = {org_id:String}
                                        AND d.prompt_id GLOBAL IN
                                        (
                                            SELECT prompt_id
                                            FROM session_days
                                            WHERE org_id = {org_id:String}
                                              -- A fast clock files an event under tomorrow at the latest.
                                              AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
                                              -- named: AND prompt_id IN {filters:Map(String, Array(String))}['session']
                                            GROUP BY prompt_id, day
                                            -- Whole days are compared. A merge makes one row of a day's rows, so a single row says nothing.
                                            HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
                                                OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})
                                        )
                                      GROUP BY d.prompt_id, d.end_id
                                  ) AS s
                                  GROUP BY s.prompt_id
                              ) AS s
                              -- [tools
                              LEFT JOIN (
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
                                          ) AS is_copy
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
                                      HAVING max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                                  )
                                  GROUP BY prompt_id
                                  HAVING notEmpty(only_copied)
                              ) AS c ON c.prompt_id = s.prompt_id
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
                                        NOT is_copy AND has(filters['mcp_server'], assumeNotNull(ifNull(if(max(d.kind) = 'McpCall', nullIf(multiIf(
                                            startsWith(max(d.tool_call_name), 'mcp__'), extract(assumeNotNull(max(d.tool_call_name)), '^mcp__(.+?)(?:__|$)'),
                                            startsWith(max(d.tool_call_name), 'MCP:'), '',
                                            position(max(d.tool_call_name), '__') > 1, extract(assumeNotNull(max(d.tool_call_name)), '^(.+?)__'),
                                            extract(assumeNotNull(max(d.tool_call_name)), '^(?:mcp_)?(.+?)_')), ''), NULL), ''))) AS has_mcp_server,
                                        (d.prompt_id, d.event_id) GLOBAL IN
                                        (
                                            SELECT
                                                prompt_id,
                                                event_id
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
                                        ) AS is_copy,
                                        ifNull(CAST(multiIf(
                                            max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                                            min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                                            max(d.error)) AS Nullable(Bool)), false) AND NOT is_copy AND max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                                            AND hasAny(filters['failed'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_failed,
                                        CAST(multiIf(
                                            max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                                            min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                                            max(d.error)) AS Nullable(Bool)) IS NULL AND NOT is_copy AND ifNull(max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'), false)
                                            AND hasAny(filters['unknown'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_unknown,
                                        ifNull(max(d.kind) = 'SkillInvocation', false) AND NOT is_copy
                                            AND has(filters['skill'], toString(ifNull(max(d.skill_file_path), ''))) AS has_skill,
                                        NOT is_copy AND ifNull(max(d.kind) != 'SessionEnd', true) AND ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived)) AS may_have_model,
                                        ifNull(max(d.kind) = 'HumanMessage', false) AS is_message,
                                        (if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
                                           fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
                                           min(d.event_ts)), NOT is_message, cityHash64(d.event_id)) AS place,
                                        ifNull(ifNull(max(d.model), nullIf(substring(max(d.settled), 17), '')), '') AS model,
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
                      )
                      -- selection]
                      -- all: SELECT
                      -- all:     d.prompt_id AS prompt_id,
                      -- all:     groupUniqArray(d.day) AS days,
                      -- all:     if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources,
                      -- all:     toUInt64(bitAnd(max(merged), toUInt128(18446744073709551615))) AS run,
                      -- all:     max(merged) > 0 AND bitShiftRight(max(merged), 64) = toUnixTimestamp64Micro(max(stored_at)) AS is_merged
                      -- all: FROM session_days AS d
                      -- all: WHERE d.org_id = {org_id:String}
                      -- all:   AND d.prompt_id GLOBAL IN
                      -- all:   (
                      -- all:       SELECT prompt_id
                      -- all:       FROM session_days
                      -- all:       WHERE org_id = {org_id:String}
                      -- all:         -- A fast clock files an event under tomorrow at the latest.
                      -- all:         AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
                      -- all:         -- named: AND prompt_id IN {filters:Map(String, Array(String))}['session']
                      -- all:       GROUP BY prompt_id, day
                      -- all:       -- Whole days are compared. A merge makes one row of a day's rows, so a single row says nothing.
                      -- all:       HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
                      -- all:           OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})
                      -- all:   )
                      -- all: GROUP BY d.prompt_id
                  )
                  WHERE NOT is_merged
                  -- unknown]
                  -- known: SELECT unmerged.1, unmerged.2, unmerged.3 FROM (SELECT arrayJoin(arrayZip({unmerged_days:Array(Date)}, {unmerged_sessions:Array(String)}, {unmerged_sources:Array(String)})) AS unmerged)
              )
            GROUP BY
                session,
                event
            HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived))
        )
        -- unmerged]
    )
    WHERE event_ts >= {from:DateTime64(3, 'UTC')}
      AND event_ts < {to:DateTime64(3, 'UTC')}
      -- [copies
      AND (session, event) GLOBAL NOT IN
      (
          -- [unknown
          SELECT
              cityHash64(prompt_id),
              cityHash64(event_id)
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
          -- unknown]
          -- known: SELECT copy.1, copy.2 FROM (SELECT arrayJoin(arrayZip({copied_sessions:Array(UInt64)}, {copied_events:Array(UInt64)})) AS copy)
      )
      -- copies]
)
WHERE kind = 'SkillInvocation'
GROUP BY path
ORDER BY invocations DESC, path
