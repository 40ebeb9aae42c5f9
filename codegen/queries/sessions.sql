-- Sessions, newest first, a page at a time.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window, in UTC: sessions with an event in from ≤ t < to, or heard of in it
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       see matching_sessions; an empty map for none
-- {before:DateTime64(3)}, {before_prompt_id:String}   filed and prompt_id of the last row of the page before;
--                                            '2299-12-31 23:59:59.999' and '' for the first page
-- {limit:UInt32}
--
-- The page is found without reading events. Its order is that of filed, the earliest time that the session's deliveries
-- are filed under. Only the sessions of the page are then read as events. Copies of another session's events count neither
-- as turns or calls nor as time, unless the session has nothing else.
WITH
    (
        SELECT groupArray((prompt_id, first_ts, days, state, reason, heard_at, models, sources))
        FROM
        (
            SELECT
                prompt_id,
                first_ts,
                days,
                state,
                reason,
                heard_at,
                models,
                sources
            FROM {MATCHING_SESSIONS}
            WHERE (first_ts, prompt_id) < ({before:DateTime64(3, 'UTC')}, {before_prompt_id:String})
            ORDER BY first_ts DESC, prompt_id DESC
            LIMIT {limit:UInt32}
        )
    ) AS page,
    events AS
    (
        SELECT
            d.prompt_id AS prompt_id,
            d.event_id AS event_id,
            {EVENT_TS} AS event_ts,
            max(d.kind) AS kind,
            max(d.input_text) AS input_text,
            {ERROR} AS error,
            max(d.tool) AS tool,
            {HUMAN_AUTHOR} AS human_author,
            max(d.repo_url) AS repo_url,
            max(d.branch) AS branch,
            max(d.external_prompt_id) AS external_prompt_id,
            max((d.prompt_id, d.event_id) GLOBAL IN
            (
                SELECT
                    prompt_id,
                    event_id
                FROM {COPIED_EVENTS}
            )) AS is_copy
        FROM prompt_event_deliveries AS d
        WHERE d.org_id = {org_id:String}
          AND (toDate(d.event_ts), d.prompt_id, {SOURCE}) GLOBAL IN
          (
              SELECT
                  arrayJoin(session.3),
                  session.1,
                  arrayJoin(session.8)
              FROM (SELECT arrayJoin(page) AS session)
          )
        GROUP BY d.prompt_id, d.event_id
        HAVING {COUNTS}
    ),
    details AS
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
            countIf(kind IN ({TOOL_LIKE_KINDS}) AND NOT is_copy) AS tool_calls,
            countIf(error AND kind IN ({TOOL_LIKE_KINDS}) AND NOT is_copy) AS errors
        FROM events
        GROUP BY prompt_id
    )
SELECT
    prompt_id,
    external_id AS external_prompt_id,
    -- The first line of 12 characters or more, where there is one; else the first that isn't a command; else the command.
    nullIf(substringUTF8(multiIf(
        arrayExists(line -> lengthUTF8(line) >= 12, spoken), arrayFirst(line -> lengthUTF8(line) >= 12, spoken),
        notEmpty(spoken), spoken[1],
        lines[1]), 1, 120), '') AS title,
    agent,
    arraySort(models) AS models,
    author,
    repo,
    last_branch AS branch,
    state,
    reason,
    heard_at,
    times[1] AS start,
    times[-1] AS end,
    dateDiff('millisecond', times[1], times[-1]) AS duration_ms,
    -- The time in gaps of at most 5 minutes.
    arraySum(arrayMap(
        (earlier, later) -> if(dateDiff('millisecond', earlier, later) <= {LONGEST_GAP_MS}, dateDiff('millisecond', earlier, later), 0),
        arrayPopBack(times), arrayPopFront(times))) AS active_ms,
    turns,
    tool_calls,
    errors,
    nullIf(substringUTF8(trimBoth(ifNull(output, '')), 1, 200), '') AS last_output,
    filed
FROM
(
    SELECT
        session.1 AS prompt_id,
        session.2 AS filed,
        session.4 AS state,
        session.5 AS reason,
        session.6 AS heard_at,
        session.7 AS models
    FROM (SELECT arrayJoin(page) AS session)
) AS found
INNER JOIN details USING (prompt_id)
ORDER BY filed DESC, prompt_id DESC
