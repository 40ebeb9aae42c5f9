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
    max(d.judged) AS judged,
    min(d.ended_at) AS ended_at,
    max(d.ranked_duration) AS ranked_duration,
    max(d.settled) AS settled,
    max(d.kind) AS kind,
    max(d.parent_id) AS parent_id,
    max(d.parent_id_estimated) AS parent_id_estimated,
    max(d.tool_call_name) AS tool_call_name,
    ifNull(max(d.model), nullIf(substring(max(d.settled), 17), '')) AS model,
    ifNull(max(d.judged), max(d.error)) AS error,
    min(d.start_ts) AS start_ts,
    multiIf(
        max(d.reported_duration_ms) IS NOT NULL, max(d.reported_duration_ms),
        ifNull(max(d.judged), max(d.error)) IS NULL OR bitShiftRight(max(d.ranked_duration), 53) = 11, NULL,
        bitAnd(max(d.ranked_duration), 9007199254740991)) AS reported_duration_ms,
    ifNull(
        max(d.observed_duration_ms),
        if(min(d.ended_at) >= min(d.start_ts), CAST(min(d.ended_at) - min(d.start_ts) AS Nullable(UInt64)), NULL)) AS observed_duration_ms,
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
HAVING ifNull(substring(max(d.settled), 16, 1), '') != '-';

-- Each shard groups its own events, so only a query's result crosses the network.
CREATE OR REPLACE TABLE prompt_events ON CLUSTER '{cluster}' AS prompt_events_local
ENGINE = Distributed('{cluster}', currentDatabase(), prompt_events_local, cityHash64(org_id, prompt_id));

-- The sessions of an org that were active in a window, with their state: docs/sessions.md has the rule. Whether a session has
-- ended doesn't depend on the time of the question; whether it is live does, so that is for the reader of heard_at.
--
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: something filed in from ≤ t < to, or heard of in it
CREATE OR REPLACE VIEW session_states ON CLUSTER '{cluster}' AS
SELECT
    s.prompt_id AS prompt_id,
    min(s.first_ts) AS first_ts,
    max(if(s.end_id = '', s.last_ts, s.first_ts)) AS last_ts,
    toDate(min(s.first_ts)) AS first_day,
    toDate(max(s.last_ts)) AS last_day,
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
            -- Heard: nothing fresh came after it. A quit may overtake the last message.
            heard_at IS NULL OR assumeNotNull(end.2) + toIntervalSecond(if(end.1 = 3, 10, 0)) >= heard_at,
            -- Too late to be heard: it ended the session if nothing was filed after it, and nothing was heard for 10 minutes.
            end.4 = last_ts AND (heard_at IS NULL OR heard_at <= end.3 - INTERVAL 10 MINUTE)),
        ends) AS valid_ends,
    notEmpty(valid_ends) AS ended,
    -- The best reason of the valid ends.
    if(ended, ['signal', 'idle_timeout', 'user_quit', NULL][arrayMax(end -> if(end.1 = 0, -1, toInt8(end.1)), valid_ends)], NULL) AS reason,
    groupUniqArrayArray(s.repos) AS repos,
    groupUniqArrayArray(s.branches) AS branches,
    groupUniqArrayArray(s.agents) AS agents,
    groupUniqArrayArray(s.authors) AS authors,
    if(empty(groupUniqArrayArray(s.models)), groupUniqArrayArray(s.attr_models), groupUniqArrayArray(s.models)) AS models,
    groupUniqArrayArray(s.tools) AS tools,
    -- Both a client's own prompt events and session records told of it. Its own count.
    max(s.has_own) AND max(s.has_derived) AS is_told_twice
FROM
(
    SELECT
        d.prompt_id AS prompt_id,
        d.end_id AS end_id,
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
        max(d.has_own) AS has_own,
        max(d.has_derived) AS has_derived
    FROM session_days AS d
    WHERE d.org_id = {org_id:String}
      AND d.prompt_id GLOBAL IN
      (
          SELECT prompt_id
          FROM session_days
          WHERE org_id = {org_id:String}
            -- A clock that is ahead files what is heard now under tomorrow at the latest.
            AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
          GROUP BY prompt_id, day
          -- Of whole days: a merge makes one row of a day's, so no row may be asked by itself.
          HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
              OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})
      )
    GROUP BY d.prompt_id, d.end_id
) AS s
GROUP BY s.prompt_id;

-- Those of session_states that filters let through, with their state at a time.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}   as in session_states
-- {now:DateTime64(3)}                        live means: heard of within 60 s of this
-- {filters:Map(String, Array(String))}       name → the values of which a session must have one; 'not <name>' → of which it
--                                            must have none. Names: session, repo, branch, agent, author, model, tool, state;
--                                            '' stands for not reported. text → what a message of it contains.
--                                            mcp_server → one that it called; failed → a tool that failed in it, '*' any;
--                                            skill → the file of one that it used, '' none was found
CREATE OR REPLACE VIEW matching_sessions ON CLUSTER '{cluster}' AS
SELECT
    *,
    multiIf(ended, 'ended', heard_at >= {now:DateTime64(3, 'UTC')} - INTERVAL 60 SECOND, 'live', 'quiet') AS state
FROM session_states(org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
WHERE (empty({filters:Map(String, Array(String))}) OR arrayAll(
    (name, found) ->
        (empty({filters:Map(String, Array(String))}[name]) OR hasAny({filters:Map(String, Array(String))}[name], found)) AND NOT hasAny({filters:Map(String, Array(String))}[concat('not ', name)], found),
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
  AND (empty({filters:Map(String, Array(String))}['text']) OR prompt_id GLOBAL IN
  (
      SELECT prompt_id
      FROM prompt_event_deliveries
      WHERE org_id = {org_id:String}
        AND notEmpty({filters:Map(String, Array(String))}['text'])
        AND toDate(event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
        AND positionCaseInsensitiveUTF8(ifNull(input_text, ''), {filters:Map(String, Array(String))}['text'][1]) > 0
  ))
  AND (empty({filters:Map(String, Array(String))}['mcp_server']) OR arrayExists(
      tool -> startsWith(tool, 'mcp__') AND has({filters:Map(String, Array(String))}['mcp_server'], splitByString('__', tool)[2]), tools))
  AND (empty({filters:Map(String, Array(String))}['failed']) OR prompt_id GLOBAL IN
  (
      SELECT prompt_id
      FROM prompt_event_deliveries
      WHERE org_id = {org_id:String}
        AND notEmpty({filters:Map(String, Array(String))}['failed'])
        AND toDate(event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
      GROUP BY prompt_id, event_id
      HAVING max(error) AND max(kind) IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
         AND hasAny({filters:Map(String, Array(String))}['failed'], ['*', toString(ifNull(max(tool_call_name), ''))])
  ))
  AND (empty({filters:Map(String, Array(String))}['skill']) OR prompt_id GLOBAL IN
  (
      SELECT prompt_id
      FROM prompt_event_deliveries
      WHERE org_id = {org_id:String}
        AND notEmpty({filters:Map(String, Array(String))}['skill'])
        AND toDate(event_ts) BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
      GROUP BY prompt_id, event_id
      HAVING max(kind) = 'SkillInvocation' AND has({filters:Map(String, Array(String))}['skill'], toString(ifNull(max(skill_file_path), '')))
  ));

-- The events of matching_sessions in its window: as prompt_events has them, but found by day and session, and grouped by a
-- hash of the identity, which takes 40 % of the time that grouping by the two strings takes.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
-- {kinds:Array(String)}                      only events of these kinds, if they are few among all; all if empty
CREATE OR REPLACE VIEW matching_events ON CLUSTER '{cluster}' AS
WITH
    (
        SELECT (min(first_day), max(last_day), groupArray(prompt_id), groupArrayIf(prompt_id, is_told_twice))
        FROM matching_sessions(
            org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
            now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))})
    ) AS chosen
SELECT
    any(d.prompt_id) AS prompt_id,
    any(d.event_id) AS event_id,
    if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
       min(d.event_ts)) AS event_ts,
    max(d.kind) AS kind,
    max(d.tool_call_name) AS tool_call_name,
    ifNull(max(d.model), nullIf(substring(max(d.settled), 17), '')) AS model,
    ifNull(max(d.judged), max(d.error)) AS error,
    min(d.start_ts) AS start_ts,
    multiIf(
        max(d.reported_duration_ms) IS NOT NULL, max(d.reported_duration_ms),
        ifNull(max(d.judged), max(d.error)) IS NULL OR bitShiftRight(max(d.ranked_duration), 53) = 11, NULL,
        bitAnd(max(d.ranked_duration), 9007199254740991)) AS reported_duration_ms,
    ifNull(
        max(d.observed_duration_ms),
        if(min(d.ended_at) >= min(d.start_ts), CAST(min(d.ended_at) - min(d.start_ts) AS Nullable(UInt64)), NULL)) AS observed_duration_ms,
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
  AND toDate(d.event_ts) >= chosen.1
  AND toDate(d.event_ts) <= chosen.2
WHERE d.prompt_id GLOBAL IN (SELECT arrayJoin(chosen.3))
  AND (NOT d.derived OR d.prompt_id GLOBAL NOT IN (SELECT arrayJoin(chosen.4)))
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
GROUP BY sipHash128(d.prompt_id, d.event_id)
HAVING event_ts >= {from:DateTime64(3, 'UTC')}
   AND event_ts < {to:DateTime64(3, 'UTC')}
   AND ifNull(substring(max(d.settled), 16, 1), '') != '-'
   AND (empty({kinds:Array(String)}) OR kind IN {kinds:Array(String)});

-- Signs of friction in the sessions of matching_sessions, one row each.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   what words count: a name, how much, and an RE2
--                                            pattern each; case doesn't matter
--
-- Of a message, its first 300 characters count, without code, quotes and tags; the first message of a session never counts.
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
    -- No lambda takes in an array: it would be copied for each of its elements. Neighbours are shifted arrays instead.
    SELECT
        prompt_id,
        max(repo_url) AS repo,
        arraySort(groupArray((event_ts, is_call, event_id, tool, failed, input_hash, text, hits))) AS sorted,
        arrayFill(tool -> tool IS NOT NULL, sorted.4) AS tools_so_far,
        arrayMap(
            (step, tool) -> CAST((step.1, step.2, step.3, step.5, step.6, step.7, step.8, tool),
                'Tuple(event_ts DateTime64(3, \'UTC\'), is_call Bool, event_id String, failed Nullable(Bool), input_hash Nullable(String), text String, hits Array(UInt32), tool_before Nullable(String))'),
            sorted, arrayPushFront(arrayPopBack(tools_so_far), NULL)) AS steps,
        arrayFilter(step -> NOT step.is_call, steps) AS messages,
        arrayFilter(step -> step.failed IS NOT NULL, steps) AS outcomes,
        arrayMap(step -> ifNull(step.failed, false), outcomes) AS failures,
        arrayConcat(
            arrayFlatten(arrayMap(step -> arrayMap(hit -> ({rules:Array(String)}[hit], {weights:Array(UInt8)}[hit], step), step.hits), arrayPopFront(messages))),
            arrayMap(step -> ('failed calls in a row', 1, step), arrayFilter(
                (step, third, second, first, before) -> third AND second AND first AND NOT before,
                outcomes,
                failures,
                arrayResize(arrayPushFront(failures, false), length(failures)),
                arrayResize(arrayConcat([false, false], failures), length(failures)),
                arrayResize(arrayConcat([false, false, false], failures), length(failures)))),
            arrayMap(step -> ('message after a failed call', 1, step), arrayFilter(
                (step, before) -> NOT step.is_call AND ifNull(before.failed, false) AND dateDiff('millisecond', before.event_ts, step.event_ts) <= 60000,
                steps, arrayPushFront(arrayPopBack(steps), steps[1]))),
            arrayMap(step -> ('same message again', 1, step), arrayFilter(
                (step, time) -> time > 1,
                messages, arrayEnumerateUniq(arrayMap(step -> ifNull(step.input_hash, step.event_id), messages)))),
            arrayMap(step -> ('ends on a failed call', 1, step), arrayFilter(
                step -> ifNull(step.failed, false) AND step.event_ts < {now:DateTime64(3, 'UTC')} - INTERVAL 10 MINUTE,
                arraySlice(steps, -1)))
        ) AS signals
    FROM
    (
        SELECT
            prompt_id,
            event_id,
            event_ts,
            kind != 'HumanMessage' AS is_call,
            if(is_call, tool_call_name, NULL) AS tool,
            if(is_call, error, NULL) AS failed,
            if(is_call, NULL, m.input_hash) AS input_hash,
            repo_url,
            if(is_call, '', substringUTF8(trimBoth(replaceRegexpAll(ifNull(input_text, ''),
                '(?s)```.*?(?:```|\\z)|`[^`\\n]*`|<(\\w[\\w-]*)\\b[^>]*>|</\\w[\\w-]*>|(?m:^>.*$)', ' ')), 1, 300)) AS text,
            if(text != '' AND match(text, any_pattern),
               arrayFilter(i -> match(text, concat('(?i)', {patterns:Array(String)}[i])), arrayEnumerate({patterns:Array(String)})),
               []) AS hits
        FROM matching_events(
            org_id = {org_id:String}, from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
            now = {now:DateTime64(3, 'UTC')}, filters = {filters:Map(String, Array(String))},
            kinds = []) AS m
        WHERE kind IN ('HumanMessage', 'ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')
    )
    GROUP BY prompt_id
)
ARRAY JOIN signals AS signal;
