-- Signs of friction in the sessions of matching_sessions, one row each.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   the rules about words: a name, a weight and an
--                                            RE2 pattern each; case doesn't matter
--
-- The first 300 characters of a message count, without code, quotes and tags. The first message of a session never counts.
WITH
    concat('(?i)', arrayStringConcat(arrayMap(pattern -> concat('(?:', pattern, ')'), {patterns:Array(String)}), '|')) AS any_pattern
SELECT
    prompt_id,
    repo,
    signal.1 AS rule,
    signal.2 AS weight,
    signal.3.event_id AS event_id,
    signal.3.event_ts AS event_ts,
    signal.3.tool_before AS tool_before,
    signal.3.text AS text
FROM
(
    -- No lambda captures an array, because it would be copied for each element. Neighbours are shifted arrays instead. Each
    -- subquery names what the next one uses several times: the analyser would resolve an alias again for each use.
    SELECT
        prompt_id,
        repo,
        arrayConcat(
            arrayFlatten(arrayMap(
                step -> arrayMap(hit -> ({rules:Array(String)}[hit], {weights:Array(UInt8)}[hit], step), step.hits),
                arrayPopFront(messages))),
            arrayMap(step -> ('failed calls in a row', 1, step), arrayFilter(
                (step, third, second, first, before) -> third AND second AND first AND NOT before,
                outcomes,
                failures,
                arrayResize(arrayPushFront(failures, false), length(failures)),
                arrayResize(arrayConcat([false, false], failures), length(failures)),
                arrayResize(arrayConcat([false, false, false], failures), length(failures)))),
            arrayMap(step -> ('message after a failed call', 1, step), arrayFilter(
                (step, before) -> step.call = 'none' AND before.call = 'failed' AND dateDiff('millisecond', before.event_ts, step.event_ts) <= 60000,
                steps, arrayPushFront(arrayPopBack(steps), steps[1]))),
            arrayMap(step -> ('same message again', 1, step), arrayFilter(
                (step, time) -> time > 1,
                messages, arrayEnumerateUniq(messages.input_hash))),
            arrayMap(step -> ('ends on a failed call', 1, step), arrayFilter(
                step -> step.call = 'failed' AND step.event_ts < {now:DateTime64(3, 'UTC')} - INTERVAL {SILENT_MINUTES} MINUTE,
                arraySlice(steps, -1)))
        ) AS signals
    FROM
    (
        SELECT
            prompt_id,
            repo,
            steps,
            arrayFilter(step -> step.call = 'none', steps) AS messages,
            arrayFilter(step -> step.call IN ('failed', 'passed'), steps) AS outcomes,
            arrayMap(step -> step.call = 'failed', outcomes) AS failures
        FROM
        (
            SELECT
                prompt_id,
                repo,
                CAST(arrayZip(
                    sorted.2, sorted.3, sorted.4, sorted.5, sorted.6, sorted.7,
                    arrayMap(tool -> nullIf(tool, ''), arrayPushFront(arrayPopBack(arrayFill(tool -> tool != '', sorted.8)), ''))),
                    'Array(Tuple(event_ts DateTime64(3, \'UTC\'), call Enum8(\'none\' = 0, \'running\' = 1, \'passed\' = 2, \'failed\' = 3), event_id String, input_hash String, text String, hits Array(UInt32), tool_before Nullable(String)))') AS steps
            FROM
            (
                -- An array for each column, and one sort for all of them.
                SELECT
                    any(prompt_id) AS prompt_id,
                    max(repo_url) AS repo,
                    arraySort(step -> step.1, arrayZip(
                        groupArray(place), groupArray(event_ts), groupArray(call), groupArray(event_id),
                        groupArray(input_hash), groupArray(text), groupArray(hits), groupArray(tool))) AS sorted
                FROM
                (
                    SELECT
                        session,
                        prompt_id,
                        event_id,
                        event_ts,
                        kind != 'HumanMessage' AS is_call,
                        multiIf(NOT is_call, 0, error IS NULL, 1, error, 3, 2) AS call,
                        -- At one time a message comes before calls.
                        bitShiftLeft(toUInt128(toUnixTimestamp64Milli(event_ts)), 65) + bitShiftLeft(toUInt128(is_call), 64) + cityHash64(event_id) AS place,
                        if(is_call, ifNull(tool_call_name, ''), '') AS tool,
                        if(is_call, '', ifNull(m.input_hash, event_id)) AS input_hash,
                        repo_url,
                        if(is_call, '', words) AS text,
                        if(text != '' AND match(text, any_pattern),
                           arrayFilter(i -> match(text, concat('(?i)', {patterns:Array(String)}[i])), arrayEnumerate({patterns:Array(String)})),
                           []) AS hits
                    FROM {MATCHING_EVENTS} AS m
                    WHERE kind IN ({USER_FACING_KINDS})
                )
                GROUP BY session
            )
        )
    )
)
ARRAY JOIN signals AS signal
