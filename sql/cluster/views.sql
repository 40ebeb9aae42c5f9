-- Written by `npm run generate` from codegen/views.sql and src/rows/tables.rs; change it there.
--
-- Apply this after the migrations, each time.
--
-- One row per event. The view groups by the event's identity alone. The sort key of the deliveries also contains the
-- day, and a delivery without start_ts can fall on another day. Neither merges nor FINAL would join it with the others
-- there.
--
-- A session that a client made prompt events of counts once: then those that were derived from its records are left out.
CREATE OR REPLACE VIEW prompt_events_local ON CLUSTER '{cluster}' AS
SELECT
    d.org_id AS org_id,
    d.prompt_id AS prompt_id,
    d.event_id AS event_id,
    if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
       min(d.event_ts)) AS event_ts,
    min(d.emitted_at) AS emitted_at,
    min(d.received_at) AS received_at,
    max(d.heard_at) AS heard_at,
    max(d.derived) AS derived,
    max(d.derived_from) AS derived_from,
    max(d.verdict) AS verdict,
    min(d.result) AS result,
    max(d.ranked_duration) AS ranked_duration,
    max(d.settled) AS settled,
    max(d.kind) AS kind,
    max(d.parent_id) AS parent_id,
    max(d.parent_id_estimated) AS parent_id_estimated,
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
    max(d.input_text) AS input_text,
    max(d.skill_file_path) AS skill_file_path,
    max(d.skill_file_mtime) AS skill_file_mtime,
    max(d.skill_file_hash) AS skill_file_hash,
    max(d.end_reason) AS end_reason,
    max(d.git_ai_version) AS git_ai_version,
    max(d.repo_url) AS repo_url,
    ifNull(max(d.named_author), max(d.human_author)) AS human_author,
    max(d.commit_sha) AS commit_sha,
    max(d.base_commit_sha) AS base_commit_sha,
    max(d.branch) AS branch,
    max(d.tool) AS tool,
    max(d.attr_model) AS attr_model,
    max(d.external_prompt_id) AS external_prompt_id,
    max(d.trace_id) AS trace_id,
    max(d.parent_session_id) AS parent_session_id,
    max(d.external_parent_session_id) AS external_parent_session_id,
    max(d.custom_attributes) AS custom_attributes,
    max(d.named_author) AS named_author,
    max(d.installation) AS installation
FROM prompt_event_deliveries_local AS d
WHERE NOT d.derived OR (d.org_id, d.prompt_id) NOT IN
(
    SELECT
        org_id,
        prompt_id
    FROM session_days_local
    GROUP BY org_id, prompt_id
    HAVING max(has_own) AND max(has_derived)
)
GROUP BY d.org_id, d.prompt_id, d.event_id
HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived));

-- The events of one session, as prompt_events has them. The days of the session are known, so only they are read.
--
-- {org_id:String}, {prompt_id:String}
CREATE OR REPLACE VIEW session_events ON CLUSTER '{cluster}' AS
SELECT
    d.org_id AS org_id,
    d.prompt_id AS prompt_id,
    d.event_id AS event_id,
    if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
       min(d.event_ts)) AS event_ts,
    min(d.emitted_at) AS emitted_at,
    min(d.received_at) AS received_at,
    max(d.heard_at) AS heard_at,
    max(d.derived) AS derived,
    max(d.derived_from) AS derived_from,
    max(d.verdict) AS verdict,
    min(d.result) AS result,
    max(d.ranked_duration) AS ranked_duration,
    max(d.settled) AS settled,
    max(d.kind) AS kind,
    max(d.parent_id) AS parent_id,
    max(d.parent_id_estimated) AS parent_id_estimated,
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
    max(d.input_text) AS input_text,
    max(d.skill_file_path) AS skill_file_path,
    max(d.skill_file_mtime) AS skill_file_mtime,
    max(d.skill_file_hash) AS skill_file_hash,
    max(d.end_reason) AS end_reason,
    max(d.git_ai_version) AS git_ai_version,
    max(d.repo_url) AS repo_url,
    ifNull(max(d.named_author), max(d.human_author)) AS human_author,
    max(d.commit_sha) AS commit_sha,
    max(d.base_commit_sha) AS base_commit_sha,
    max(d.branch) AS branch,
    max(d.tool) AS tool,
    max(d.attr_model) AS attr_model,
    max(d.external_prompt_id) AS external_prompt_id,
    max(d.trace_id) AS trace_id,
    max(d.parent_session_id) AS parent_session_id,
    max(d.external_parent_session_id) AS external_parent_session_id,
    max(d.custom_attributes) AS custom_attributes,
    max(d.named_author) AS named_author,
    max(d.installation) AS installation
FROM prompt_event_deliveries AS d
WHERE d.org_id = {org_id:String}
  AND (toDate(d.event_ts), d.prompt_id, d.derived) GLOBAL IN
  (
      SELECT
          arrayJoin(days),
          {prompt_id:String},
          arrayJoin(if(is_told_twice, [false], [false, true]))
      FROM
      (
          SELECT
              groupUniqArray(day) AS days,
              max(has_own) AND max(has_derived) AS is_told_twice
          FROM session_days
          WHERE org_id = {org_id:String}
            AND prompt_id = {prompt_id:String}
      )
  )
GROUP BY d.org_id, d.prompt_id, d.event_id
HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived));

-- Each shard groups its own events, so only a query's result crosses the network.
CREATE OR REPLACE TABLE prompt_events ON CLUSTER '{cluster}' AS prompt_events_local
ENGINE = Distributed('{cluster}', currentDatabase(), prompt_events_local, cityHash64(org_id, prompt_id));

-- The sessions of an org that were active in a window, with their state by the rule of docs/sessions.md. Whether a session
-- has ended doesn't depend on the time of the question, but whether it is live does. So matching_sessions decides that.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: sessions with an event in from ≤ t < to, or heard of in it
CREATE OR REPLACE VIEW session_states ON CLUSTER '{cluster}' AS
SELECT
    s.prompt_id AS prompt_id,
    min(s.first_ts) AS first_ts,
    max(if(s.end_id = '', s.last_ts, s.first_ts)) AS last_ts,
    groupUniqArrayArray(s.days) AS days, -- of all its deliveries
    max(s.arrived_at) AS arrived_at,
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
    groupUniqArrayArray(s.repos) AS repos,
    groupUniqArrayArray(s.branches) AS branches,
    groupUniqArrayArray(s.agents) AS agents,
    groupUniqArrayArray(s.authors) AS authors,
    if(empty(groupUniqArrayArray(s.models)), groupUniqArrayArray(s.attr_models), groupUniqArrayArray(s.models)) AS models,
    groupUniqArrayArray(s.tools) AS tools,
    groupUniqArrayArray(s.kinds) AS kinds,
    -- Both a client's own prompt events and session records told of it. Its own count.
    max(s.has_own) AND max(s.has_derived) AS is_told_twice
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
        max(d.has_derived) AS has_derived
    FROM session_days AS d
    WHERE d.org_id = {org_id:String}
      AND d.prompt_id GLOBAL IN
      (
          SELECT prompt_id
          FROM session_days
          WHERE org_id = {org_id:String}
            -- A fast clock files an event under tomorrow at the latest.
            AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
          GROUP BY prompt_id, day
          -- Whole days are compared. A merge makes one row of a day's rows, so a single row says nothing.
          HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
              OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})
      )
    GROUP BY d.prompt_id, d.end_id
) AS s
GROUP BY s.prompt_id;

-- The sessions of session_states that match filters, with their state.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}   as in session_states
-- {now:DateTime64(3)}                        a session is live if it was heard of in the 60 s before
-- {filters:Map(String, Array(String))}       by name, the values of which a session must have one; by 'not <name>', those
--                                            of which it must have none. Names: session, repo, branch, agent, author, model,
--                                            tool, state. '' stands for "not reported". Also:
--                                            text, what a message of it contains; mcp_server, one that it called;
--                                            failed, a tool that failed in it, '*' for any;
--                                            skill, the file of one that it used, '' if none was found
CREATE OR REPLACE VIEW matching_sessions ON CLUSTER '{cluster}' AS
WITH {filters:Map(String, Array(String))} AS filters
SELECT
    *,
    multiIf(ended, 'ended', heard_at >= {now:DateTime64(3, 'UTC')} - INTERVAL 60 SECOND, 'live', 'quiet') AS state
FROM session_states(org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
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
  AND (empty(filters['mcp_server']) OR arrayExists(
      tool -> startsWith(tool, 'mcp__') AND has(filters['mcp_server'], splitByString('__', tool)[2]), tools))
  AND (empty(filters['text']) AND empty(filters['failed']) AND empty(filters['skill']) OR prompt_id GLOBAL IN
  (
      SELECT prompt_id
      FROM
      (
          SELECT
              d.prompt_id AS prompt_id,
              max(notEmpty(filters['text']) AND positionCaseInsensitiveUTF8(ifNull(d.input_text, ''), filters['text'][1]) > 0) AS has_text,
              ifNull(CAST(multiIf(
                  max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
                  min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
                  max(d.error)) AS Nullable(Bool)), false) AND max(d.kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                  AND hasAny(filters['failed'], ['*', toString(ifNull(max(d.tool_call_name), ''))]) AS has_failed,
              ifNull(max(d.kind) = 'SkillInvocation', false)
                  AND has(filters['skill'], toString(ifNull(max(d.skill_file_path), ''))) AS has_skill
          FROM prompt_event_deliveries AS d
          WHERE d.org_id = {org_id:String}
            AND (notEmpty(filters['text']) OR notEmpty(filters['failed']) OR notEmpty(filters['skill']))
            AND toDate(d.event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
          GROUP BY d.prompt_id, d.event_id
      )
      GROUP BY prompt_id
      HAVING (empty(filters['text']) OR max(has_text))
         AND (empty(filters['failed']) OR max(has_failed))
         AND (empty(filters['skill']) OR max(has_skill))
  ));

-- Events that an agent copied from one session into another, when a user resumed or forked it. Two events of different
-- sessions are copies of each other if their kind, input_hash, start_ts and author are equal. The one that arrived first
-- is the original.
--
-- {org_id:String}
-- {from:Date}, {to:Date}                     days, the last one included
--
-- A copied stretch is found by a human message in it. Grouping all events would take several times as long.
CREATE OR REPLACE VIEW copied_events ON CLUSTER '{cluster}' AS
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
          AND toDate(d.event_ts) BETWEEN {from:Date} AND {to:Date}
          AND d.prompt_id GLOBAL IN
          (
              SELECT arrayJoin(sessions)
              FROM
              (
                  SELECT groupUniqArray(prompt_id) AS sessions
                  FROM session_days
                  ARRAY JOIN message_keys AS message_key
                  WHERE org_id = {org_id:String}
                    AND day BETWEEN {from:Date} AND {to:Date}
                  GROUP BY message_key
                  HAVING length(sessions) > 1
              )
          )
        GROUP BY d.prompt_id, d.event_id
        HAVING isNotNull(kind) AND isNotNull(input_hash) AND isNotNull(start_ts)
    )
    GROUP BY kind, input_hash, start_ts, human_author
);

-- The events of matching_sessions in its window, without copies. An event has the same values here as in prompt_events.
-- Deliveries are found by session and day, and grouped by hashes of the identity, because strings would take twice the time.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
-- {kinds:Array(String)}                      only events of these kinds; all if empty
CREATE OR REPLACE VIEW matching_events ON CLUSTER '{cluster}' AS
SELECT
    any(d.prompt_id) AS prompt_id,
    cityHash64(d.prompt_id) AS session, -- counts faster than prompt_id
    any(d.event_id) AS event_id,
    if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
       min(d.event_ts)) AS event_ts,
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
    max(d.input_text) AS input_text,
    max(d.skill_file_path) AS skill_file_path,
    max(d.skill_file_mtime) AS skill_file_mtime,
    max(d.skill_file_hash) AS skill_file_hash,
    max(d.repo_url) AS repo_url,
    ifNull(max(d.named_author), max(d.human_author)) AS human_author,
    max(d.attr_model) AS attr_model
FROM prompt_event_deliveries AS d
PREWHERE d.org_id = {org_id:String}
  AND (toDate(d.event_ts), d.prompt_id, d.derived) GLOBAL IN
  (
      SELECT
          arrayJoin(days),
          prompt_id,
          arrayJoin(if(is_told_twice, [false], [false, true]))
      FROM matching_sessions(
          org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
          now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))})
      WHERE empty({kinds:Array(String)}) OR hasAny(kinds, {kinds:Array(String)})
  )
WHERE (d.prompt_id, d.event_id) GLOBAL NOT IN
  (
      SELECT
          prompt_id,
          event_id
      FROM copied_events(
          org_id = {org_id:String},
          from = toDate({from:DateTime64(3, 'UTC')}) - 2,
          to = toDate({to:DateTime64(3, 'UTC')}) + 1)
  )
  -- All deliveries of an event that any of them calls so: the others may name another kind, or none.
  AND (empty({kinds:Array(String)}) OR (d.prompt_id, d.event_id) GLOBAL IN
  (
      SELECT
          prompt_id,
          event_id
      FROM prompt_event_deliveries
      WHERE org_id = {org_id:String}
        AND kind IN {kinds:Array(String)}
  ))
GROUP BY
    session,
    cityHash64(d.event_id)
HAVING event_ts >= {from:DateTime64(3, 'UTC')}
   AND event_ts < {to:DateTime64(3, 'UTC')}
   AND ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived))
   AND (empty({kinds:Array(String)}) OR kind IN {kinds:Array(String)});

-- Signs of friction in the sessions of matching_sessions, one row each.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   the rules about words: a name, a weight and an
--                                            RE2 pattern each; case doesn't matter
--
-- The first 300 characters of a message count, without code, quotes and tags. The first message of a session never counts.
CREATE OR REPLACE VIEW friction_signals ON CLUSTER '{cluster}' AS
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
                step -> step.call = 'failed' AND step.event_ts < {now:DateTime64(3, 'UTC')} - INTERVAL 10 MINUTE,
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
                        if(is_call, '', substringUTF8(trimBoth(replaceRegexpAll(ifNull(input_text, ''),
                            '(?s)```.*?(?:```|\\z)|`[^`\\n]*`|<(\\w[\\w-]*)\\b[^>]*>|</\\w[\\w-]*>|(?m:^>.*$)', ' ')), 1, 300)) AS text,
                        if(text != '' AND match(text, any_pattern),
                           arrayFilter(i -> match(text, concat('(?i)', {patterns:Array(String)}[i])), arrayEnumerate({patterns:Array(String)})),
                           []) AS hits
                    FROM matching_events(
                        org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
                        now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))}, kinds = []) AS m
                    WHERE kind IN ('HumanMessage', 'ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
                )
                GROUP BY session
            )
        )
    )
)
ARRAY JOIN signals AS signal;
