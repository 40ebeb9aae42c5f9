-- Written by `npm run generate` from codegen/queries/session_rows.sql; change it there.
--
-- What a list shows of sessions by name, from their deliveries.
--
-- {org_id:String}, {sessions:Array(String)}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window in which copies are looked for
SELECT *
FROM (
    SELECT
        prompt_id,
        external_id AS external_prompt_id,
        -- The first line of 12 characters or more, where there is one; else the first that isn't a command; else the command.
        nullIf(substringUTF8(multiIf(
            arrayExists(line -> lengthUTF8(line) >= 12, spoken), arrayFirst(line -> lengthUTF8(line) >= 12, spoken),
            notEmpty(spoken), spoken[1],
            lines[1]), 1, 120), '') AS title,
        agent,
        author,
        repo,
        last_branch AS branch,
        times[1] AS start,
        times[-1] AS end,
        dateDiff('millisecond', times[1], times[-1]) AS duration_ms,
        -- The time in gaps of at most 5 minutes.
        arraySum(arrayMap(
            (earlier, later) -> if(dateDiff('millisecond', earlier, later) <= 300000, dateDiff('millisecond', earlier, later), 0),
            arrayPopBack(times), arrayPopFront(times))) AS active_ms,
        turns,
        tool_calls,
        errors,
        nullIf(substringUTF8(trimBoth(ifNull(output, '')), 1, 200), '') AS last_output
    FROM
    (
        SELECT
            prompt_id,
            -- The visible lines of the first human messages, without tags that an IDE adds, code and pasted blocks.
            arrayFilter(line -> match(line, '[^\\pC\\pZ]'), arrayMap(line -> trimBoth(line), arrayFlatten(arrayMap(
                message -> splitByRegexp('[\\r\\n]+', replaceRegexpAll(message.3,
                    '(?s)<(?:ide_\\w+|system-reminder|ci-monitor-event|pasted_content)\\b[^>]*>.*?(?:</(?:ide_\\w+|system-reminder|ci-monitor-event|pasted_content)>|\\z)|```.*?(?:```|\\z)|\\[Pasted text[^\\]]*\\]',
                    '\n')),
                arraySort(groupArraySortedIf(20)((event_ts, event_id, assumeNotNull(input_text)), kind = 'HumanMessage' AND input_text != ''))
            )))) AS lines,
            arrayFilter(line -> NOT match(line, '^/[A-Za-z][\\w:.-]*(\\s|$)'), lines) AS spoken,
            argMinIf(tool, (event_ts, event_id), tool IS NOT NULL) AS agent,
            argMaxIf(human_author, (event_ts, event_id), human_author IS NOT NULL) AS author,
            argMaxIf(repo_url, (event_ts, event_id), repo_url IS NOT NULL) AS repo,
            argMaxIf(branch, (event_ts, event_id), branch IS NOT NULL) AS last_branch,
            argMaxIf(input_text, (event_ts, event_id), kind = 'AiMessage' AND input_text != '') AS output,
            max(external_prompt_id) AS external_id,
            arraySort(if(countIf(NOT is_copy) > 0, groupArrayIf(event_ts, NOT is_copy), groupArray(event_ts))) AS times,
            countIf(kind = 'HumanMessage' AND NOT is_copy) AS turns,
            countIf(kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall') AND NOT is_copy) AS tool_calls,
            countIf(error AND kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall') AND NOT is_copy) AS errors
        FROM
        (
            SELECT
                d.prompt_id AS prompt_id,
                d.event_id AS event_id,
                if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
                   fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
                   min(d.event_ts)) AS event_ts,
                max(d.kind) AS kind,
                max(d.input_text) AS input_text,
                CAST(multiIf(
                    max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                    min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                    max(d.error)) AS Nullable(Bool)) AS error,
                max(d.tool) AS tool,
                ifNull(max(d.named_author), max(d.human_author)) AS human_author,
                if(position(max(d.repo_url), '@') > 0, replaceRegexpOne(max(d.repo_url), '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), max(d.repo_url)) AS repo_url,
                max(d.branch) AS branch,
                max(d.external_prompt_id) AS external_prompt_id,
                max(
                    false
                    -- [copies
                    OR (d.prompt_id, d.event_id) GLOBAL IN
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
                                                  AND message_key GLOBAL IN
                                                  (
                                                      SELECT arrayJoin(message_keys)
                                                      FROM session_days
                                                      WHERE org_id = {org_id:String}
                                                        AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 1
                                                        AND prompt_id IN {sessions:Array(String)}
                                                  )
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
                    )
                    -- copies]
                ) AS is_copy
            FROM prompt_event_deliveries AS d
            PREWHERE d.org_id = {org_id:String}
              AND (toDate(d.event_ts), d.prompt_id, multiIf(d.kind = 'SessionEnd', 'end', d.derived, 'record', 'client')) GLOBAL IN
              (
                  SELECT
                      arrayJoin(days),
                      prompt_id,
                      arrayJoin(sources)
                  FROM
                  (
                      SELECT
                          prompt_id,
                          groupUniqArray(day) AS days,
                          if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end']) AS sources
                      FROM session_days
                      WHERE org_id = {org_id:String}
                        AND prompt_id IN {sessions:Array(String)}
                      GROUP BY prompt_id
                  )
              )
            GROUP BY d.prompt_id, d.event_id
            HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived))
        )
        GROUP BY prompt_id
    )
)
