-- Written by `npm run generate` from codegen/merge/signs.sql; change it there.
--
-- Writes what may be signs of friction in sessions, from the events of the same run. They don't count before sessions.sql says
-- so.
--
-- {org_id:String}, {sessions:Array(String)}
-- {run:UInt64}
INSERT INTO merged_signs
(
    org_id, day, session, run, event_ts, received_at, event, sign, prompt_id, event_id, repo, tool_before, words
)
SELECT
    {org_id:String}, toDate(event_ts), session, {run:UInt64}, event_ts, received_at, event, sign, prompt_id, event_id, repo, tool_before, words
FROM (
    SELECT
        prompt_id,
        session,
        repo,
        found.1 AS sign,
        found.2.event_ts AS event_ts,
        found.2.event AS event,
        found.2.event_id AS event_id,
        found.2.tool_before AS tool_before,
        found.2.words AS words
    FROM
    (
        -- No lambda captures an array, because it would be copied for each element. Neighbours are shifted arrays instead. Each
        -- subquery names what the next one uses several times: the analyser would resolve an alias again for each use.
        SELECT
            prompt_id,
            session,
            repo,
            arrayConcat(
                arrayMap(step -> ('', step), arrayPopFront(messages)),
                arrayMap(step -> ('failed calls in a row', step), arrayFilter(
                    (step, third, second, first, before) -> third AND second AND first AND NOT before,
                    outcomes,
                    failures,
                    arrayResize(arrayPushFront(failures, false), length(failures)),
                    arrayResize(arrayConcat([false, false], failures), length(failures)),
                    arrayResize(arrayConcat([false, false, false], failures), length(failures)))),
                arrayMap(step -> ('message after a failed call', step), arrayFilter(
                    (step, before) -> step.call = 'none' AND before.call = 'failed' AND dateDiff('millisecond', before.event_ts, step.event_ts) <= 60000,
                    steps, arrayPushFront(arrayPopBack(steps), steps[1]))),
                arrayMap(step -> ('same message again', step), arrayFilter(
                    (step, time) -> time > 1,
                    messages, arrayEnumerateUniq(messages.input_hash))),
                arrayMap(step -> ('ends on a failed call', step), arrayFilter(step -> step.call = 'failed', arraySlice(steps, -1)))
            ) AS signs
        FROM
        (
            SELECT
                prompt_id,
                session,
                repo,
                steps,
                arrayFilter(step -> step.call = 'none', steps) AS messages,
                arrayFilter(step -> step.call IN ('failed', 'passed'), steps) AS outcomes,
                arrayMap(step -> step.call = 'failed', outcomes) AS failures
            FROM
            (
                SELECT
                    prompt_id,
                    session,
                    repo,
                    CAST(arrayZip(
                        sorted.2, sorted.3, sorted.4, sorted.5, sorted.6, sorted.7,
                        arrayMap(tool -> nullIf(tool, ''), arrayPushFront(arrayPopBack(arrayFill(tool -> tool != '', sorted.8)), ''))),
                        'Array(Tuple(event_ts DateTime64(3, \'UTC\'), call Enum8(\'none\' = 0, \'running\' = 1, \'passed\' = 2, \'failed\' = 3), event UInt64, event_id String, input_hash UInt64, words String, tool_before Nullable(String)))') AS steps
                FROM
                (
                    -- An array for each column, and one sort for all of them.
                    SELECT
                        any(prompt_id) AS prompt_id,
                        session,
                        max(repo_url) AS repo,
                        arraySort(step -> step.1, arrayZip(
                            groupArray(place), groupArray(event_ts), groupArray(call), groupArray(event), groupArray(event_id),
                            groupArray(said), groupArray(words), groupArray(tool))) AS sorted
                    FROM
                    (
                        SELECT
                            session,
                            prompt_id,
                            event,
                            event_id,
                            event_ts,
                            kind != 'HumanMessage' AS is_call,
                            multiIf(NOT is_call, 0, error IS NULL, 1, error, 3, 2) AS call,
                            -- At one time a message comes before calls.
                            bitShiftLeft(toUInt128(toUnixTimestamp64Milli(event_ts)), 65) + bitShiftLeft(toUInt128(is_call), 64) + event AS place,
                            if(is_call, ifNull(tool_call_name, ''), '') AS tool,
                            if(is_call, 0, cityHash64(ifNull(e.input_hash, event_id))) AS said,
                            repo_url,
                            words
                        FROM (
                            SELECT *
                            FROM merged_events
                            WHERE org_id = {org_id:String}
                              AND day GLOBAL IN
                              (
                                  SELECT day
                                  FROM session_days
                                  WHERE org_id = {org_id:String}
                                    AND prompt_id IN {sessions:Array(String)}
                              )
                              AND session IN arrayMap(id -> cityHash64(id), {sessions:Array(String)})
                              AND run = {run:UInt64}
                        ) AS e
                        WHERE kind IN ('HumanMessage', 'ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                    )
                    GROUP BY session
                )
            )
        )
    )
    ARRAY JOIN signs AS found
) AS found
INNER JOIN
(
    SELECT
        session,
        event,
        received_at
    FROM (
        SELECT *
        FROM merged_events
        WHERE org_id = {org_id:String}
          AND day GLOBAL IN
          (
              SELECT day
              FROM session_days
              WHERE org_id = {org_id:String}
                AND prompt_id IN {sessions:Array(String)}
          )
          AND session IN arrayMap(id -> cityHash64(id), {sessions:Array(String)})
          AND run = {run:UInt64}
    )
) AS arrived USING (session, event)
-- The rows are stored when ClickHouse answers, on a cluster too.
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, max_partitions_per_insert_block = 0
