-- Sessions of which something was recorded in a window, newest first, a page at a time.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        live means: heard of within 60 s of this
-- {before:DateTime64(3)}, {before_prompt_id:String}   filed and prompt_id of the last row of the page before;
--                                            '2299-12-31 23:59:59.999' and '' for the first page
-- {limit:UInt32}
--
-- The page is found among the deliveries, without making events of them: it is ordered by filed, the earliest time that
-- any delivery of the session is filed under. Only the page's own sessions are then read as events.
WITH
    page AS
    (
        SELECT
            prompt_id,
            min(earliest) AS filed
        FROM
        (
            -- By event: of two deliveries on one day a merge keeps the earlier, so neither says alone whether its event is in
            -- the window. The day it keeps.
            SELECT
                prompt_id,
                min(event_ts) AS earliest
            FROM prompt_event_deliveries
            WHERE org_id = {org_id:String}
              AND prompt_id != ''
              AND prompt_id GLOBAL IN
              (
                  SELECT prompt_id
                  FROM prompt_event_deliveries
                  WHERE org_id = {org_id:String}
                    AND toDate(event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')})
              )
            GROUP BY prompt_id, event_id
        )
        GROUP BY prompt_id
        HAVING countIf(earliest >= {from:DateTime64(3, 'UTC')} AND earliest < {to:DateTime64(3, 'UTC')}) > 0
           AND (filed, prompt_id) < ({before:DateTime64(3, 'UTC')}, {before_prompt_id:String})
        ORDER BY filed DESC, prompt_id DESC
        LIMIT {limit:UInt32}
    ),
    sessions AS
    (
        SELECT
            prompt_id,
            argMinIf(input_text, (event_ts, event_id), kind = 'HumanMessage' AND input_text != '') AS opening,
            argMinIf(tool, (event_ts, event_id), tool IS NOT NULL) AS agent,
            groupUniqArrayIf(assumeNotNull(model), model IS NOT NULL) AS used_models,
            groupUniqArrayIf(assumeNotNull(attr_model), attr_model IS NOT NULL) AS told_models,
            argMaxIf(human_author, (event_ts, event_id), human_author IS NOT NULL) AS author,
            argMaxIf(repo_url, (event_ts, event_id), repo_url IS NOT NULL) AS repo,
            argMaxIf(branch, (event_ts, event_id), branch IS NOT NULL) AS last_branch,
            -- At equal times an end comes after what it ended, and what a wrapper saw weighs more than a reaper's guess.
            argMax((kind, end_reason), (event_ts, kind = 'SessionEnd', indexOf(['signal', 'idle_timeout', 'user_quit'], end_reason), event_id)) AS last,
            max(heard_at) AS last_sign_of_life,
            arraySort(groupArray(event_ts)) AS times,
            countIf(kind = 'HumanMessage') AS turns,
            countIf(kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')) AS tool_calls,
            countIf(error) AS errors
        FROM prompt_events
        WHERE org_id = {org_id:String}
          AND prompt_id GLOBAL IN (SELECT prompt_id FROM page)
        GROUP BY prompt_id
    )
SELECT
    prompt_id,
    nullIf(substringUTF8(extract(ifNull(opening, ''), '\\S[^\\r\\n]*'), 1, 120), '') AS title,
    agent,
    arraySort(if(empty(used_models), told_models, used_models)) AS models,
    author,
    repo,
    last_branch AS branch,
    multiIf(
        last.1 = 'SessionEnd', 'ended',
        last_sign_of_life > {now:DateTime64(3, 'UTC')} - INTERVAL 60 SECOND, 'live',
        'quiet') AS state,
    if(state = 'ended', last.2, NULL) AS reason,
    times[1] AS start,
    dateDiff('millisecond', times[1], times[-1]) AS duration_ms,
    -- The time in gaps of at most 5 minutes.
    arraySum(arrayMap(
        (earlier, later) -> if(dateDiff('millisecond', earlier, later) <= 300000, dateDiff('millisecond', earlier, later), 0),
        arrayPopBack(times), arrayPopFront(times))) AS active_ms,
    turns,
    tool_calls,
    errors,
    filed
FROM page
INNER JOIN sessions USING (prompt_id)
ORDER BY filed DESC, prompt_id DESC
