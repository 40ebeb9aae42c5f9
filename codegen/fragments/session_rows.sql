-- What a list shows of sessions, one row each. Copies of another session's events count neither as turns or calls nor as
-- time, unless the session has nothing else.
--
-- {org_id:String}
-- {SESSION_DAYS}                             (day, prompt_id, source) of what to read
-- {IS_COPY}                                  whether an event is a copy
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
        (earlier, later) -> if(dateDiff('millisecond', earlier, later) <= {LONGEST_GAP_MS}, dateDiff('millisecond', earlier, later), 0),
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
        countIf(kind IN ({TOOL_LIKE_KINDS}) AND NOT is_copy) AS tool_calls,
        countIf(error AND kind IN ({TOOL_LIKE_KINDS}) AND NOT is_copy) AS errors
    FROM
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
            {REPO_URL} AS repo_url,
            max(d.branch) AS branch,
            max(d.external_prompt_id) AS external_prompt_id,
            {IS_COPY} AS is_copy
        FROM prompt_event_deliveries AS d
        PREWHERE d.org_id = {org_id:String}
          AND (toDate(d.event_ts), d.prompt_id, {SOURCE}) GLOBAL IN
          (
              {SESSION_DAYS}
          )
        GROUP BY d.prompt_id, d.event_id
        HAVING {COUNTS}
    )
    GROUP BY prompt_id
)
