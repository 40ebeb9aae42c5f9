-- The tables of single/, replicated and distributed. You insert into and read from the same names.
-- All deliveries of one event must reach the same shard, because each shard merges its own rows.

-- Every delivery of a prompt event. The same upload comes again hours later, and the same event comes again when more
-- is known about it. Each column keeps the greatest value that any delivery had, or the least for times other than
-- heard_at. NULL stands for "not set" and for "explicitly nothing" and never wins. max and min don't depend on order
-- or repetition, so the result is the same whether rows are merged early, late or never. Read it through the view
-- prompt_events. docs/storage.md compares other engines.
CREATE TABLE IF NOT EXISTS prompt_event_deliveries_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String), -- from authentication, never from the body
    prompt_id String,
    event_id String,
    event_ts SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- when it happened, within 2020 … received_at + 1 day
    emitted_at SimpleAggregateFunction(min, DateTime('UTC')), -- the envelope's t
    received_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- when the upload arrived
    heard_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))), -- when the upload arrived, if the event was at most 10 minutes old then
    derived SimpleAggregateFunction(max, Bool), -- made from a session record, not by a client
    derived_from SimpleAggregateFunction(max, Nullable(String)), -- derived: session_id of the records
    verdict SimpleAggregateFunction(max, Nullable(UInt8)), -- derived: how the agent itself judges the call: 0 success, 1 error, 2 never ran
    result SimpleAggregateFunction(min, Nullable(UInt64)), -- derived: when the call's result came, in unix ms, × 4, + 0 success, 1 error, 2 never ran
    ranked_duration SimpleAggregateFunction(max, Nullable(UInt64)), -- derived: reported_duration_ms in the lower 53 bits, the rank of its source above
    settled SimpleAggregateFunction(max, Nullable(String)), -- derived: how many bytes of records were read, + or - for whether it counts, its model
    kind SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    parent_id SimpleAggregateFunction(max, Nullable(String)),
    parent_id_estimated SimpleAggregateFunction(max, Nullable(Bool)),
    tool_call_name SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    model SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    error SimpleAggregateFunction(max, Nullable(Bool)),
    start_ts SimpleAggregateFunction(min, Nullable(UInt64)), -- unix ms as it was sent
    reported_duration_ms SimpleAggregateFunction(max, Nullable(UInt64)),
    observed_duration_ms SimpleAggregateFunction(max, Nullable(UInt64)),
    input_hash SimpleAggregateFunction(max, Nullable(String)),
    input_text SimpleAggregateFunction(max, Nullable(String)),
    skill_file_path SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    skill_file_mtime SimpleAggregateFunction(max, Nullable(UInt64)), -- unix ms
    skill_file_hash SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    end_reason SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    git_ai_version SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    repo_url SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    human_author SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- attribute author, else the uploader
    commit_sha SimpleAggregateFunction(max, Nullable(String)),
    base_commit_sha SimpleAggregateFunction(max, Nullable(String)),
    branch SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    tool SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- the agent
    attr_model SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- attribute model
    external_prompt_id SimpleAggregateFunction(max, Nullable(String)), -- the agent's own session id
    trace_id SimpleAggregateFunction(max, Nullable(String)),
    parent_session_id SimpleAggregateFunction(max, Nullable(String)),
    external_parent_session_id SimpleAggregateFunction(max, Nullable(String)),
    custom_attributes SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- a JSON object with sorted keys
    named_author SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- attribute author
    installation SimpleAggregateFunction(max, LowCardinality(Nullable(String))) -- the installation that uploaded
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(event_ts)
ORDER BY (org_id, toDate(event_ts), prompt_id, event_id)
-- About ten parts become one, not five: half as many rows go through merges, which take most of the CPU.
-- Columns share a file until a part is large. With files for each, a seventh of the CPU of storing was for making files.
SETTINGS merge_selector_base = 10, min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS prompt_event_deliveries ON CLUSTER '{cluster}' AS prompt_event_deliveries_local
ENGINE = Distributed('{cluster}', currentDatabase(), prompt_event_deliveries_local, cityHash64(org_id, prompt_id));

-- Records of agents' own transcripts, as released clients send them. The same record comes again as it was, or longer
-- because its message has grown. One delivery wins as a whole, the one of the highest rank: the longest JSON wins, so a
-- poorer delivery never replaces a richer one. Among equally long ones, one whose event names an author wins, then the
-- greater hash of the content, then the one that arrived first. Read it with FINAL.
CREATE TABLE IF NOT EXISTS session_records_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String), -- from authentication, never from the body
    session_id String,
    record_key String, -- external_event_id; without one, t and a hash of the JSON
    prompt_id String,
    event_ts DateTime64(3, 'UTC'), -- when it happened, within 2020 … received_at + 1 day
    emitted_at DateTime('UTC'), -- the envelope's t
    received_at DateTime64(3, 'UTC'), -- when the upload arrived
    heard_at Nullable(DateTime64(3, 'UTC')), -- when the upload arrived, if the event was at most 10 minutes old then
    deriver_version UInt32, -- of the rules that derived events when it arrived; 0 for none
    raw_json Nullable(String) CODEC(ZSTD(3)), -- the record as it was sent
    external_event_id Nullable(String),
    external_parent_event_id Nullable(String),
    external_tool_use_id Nullable(String),
    git_ai_version LowCardinality(Nullable(String)),
    repo_url LowCardinality(Nullable(String)),
    human_author LowCardinality(Nullable(String)), -- attribute author, else the uploader
    commit_sha Nullable(String),
    base_commit_sha Nullable(String),
    branch LowCardinality(Nullable(String)),
    tool LowCardinality(Nullable(String)), -- the agent
    attr_model LowCardinality(Nullable(String)), -- attribute model
    external_prompt_id Nullable(String), -- the agent's own session id
    trace_id Nullable(String),
    parent_session_id Nullable(String),
    external_parent_session_id Nullable(String),
    custom_attributes LowCardinality(Nullable(String)), -- a JSON object with sorted keys
    named_author LowCardinality(Nullable(String)), -- attribute author
    installation LowCardinality(Nullable(String)), -- the installation that uploaded
    rank UInt256 MATERIALIZED
        bitShiftLeft(toUInt256(length(ifNull(raw_json, ''))), 192)
        + bitShiftLeft(toUInt256(named_author IS NOT NULL), 184)
        + bitShiftLeft(toUInt256(cityHash64(ifNull(raw_json, ''))), 112)
        + bitShiftLeft(toUInt256(10413705599999 - toUnixTimestamp64Milli(received_at)), 64)
        + cityHash64(toString((org_id, session_id, record_key, prompt_id, event_ts, emitted_at, received_at, heard_at, deriver_version, external_event_id, external_parent_event_id, external_tool_use_id, git_ai_version, repo_url, human_author, commit_sha, base_commit_sha, branch, tool, attr_model, external_prompt_id, trace_id, parent_session_id, external_parent_session_id, custom_attributes, named_author, installation)))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', rank)
PARTITION BY toYYYYMM(event_ts)
ORDER BY (org_id, session_id, record_key)
-- About ten parts become one, not five: half as many rows go through merges, which take most of the CPU.
-- Columns share a file until a part is large. With files for each, a seventh of the CPU of storing was for making files.
SETTINGS merge_selector_base = 10, min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS session_records ON CLUSTER '{cluster}' AS session_records_local
ENGINE = Distributed('{cluster}', currentDatabase(), session_records_local, cityHash64(org_id, session_id));

-- The events of all other metrics, whether this version knows them or not. Values and attributes are kept as JSON, with
-- everything that was sent. event_key is a hash of the content, so a retry is the same row. Read it with FINAL.
CREATE TABLE IF NOT EXISTS metric_events_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String), -- from authentication, never from the body
    metric_id UInt16,
    emitted_at DateTime('UTC'), -- the envelope's t
    event_key String, -- a hash of the content
    metric SimpleAggregateFunction(max, LowCardinality(String)), -- the metric's name, or unknown
    event_ts SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- when it happened, within 2020 … received_at + 1 day
    received_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- when the upload arrived
    values_json SimpleAggregateFunction(max, String) CODEC(ZSTD(3)),
    human_author SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- attribute author, else the uploader
    attributes_json SimpleAggregateFunction(max, String) CODEC(ZSTD(3)),
    installation SimpleAggregateFunction(max, LowCardinality(Nullable(String))) -- the installation that uploaded
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(event_ts)
ORDER BY (org_id, metric_id, emitted_at, event_key)
-- About ten parts become one, not five: half as many rows go through merges, which take most of the CPU.
-- Columns share a file until a part is large. With files for each, a seventh of the CPU of storing was for making files.
SETTINGS merge_selector_base = 10, min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS metric_events ON CLUSTER '{cluster}' AS metric_events_local
ENGINE = Distributed('{cluster}', currentDatabase(), metric_events_local, cityHash64(org_id, event_key));

-- Sessions by day. Queries find sessions here without reading their events.
--
-- A session has one row per day for its events, and one row for each of its ends, because each end is judged by itself.
-- Every column is a min, a max or a set. So a row doesn't depend on the order or the repetition of deliveries. Nothing
-- here counts: a materialized view would count a repeated event twice.
--
-- Times are those of deliveries. One may be of an event that the session doesn't show, such as a result whose call never
-- came: only all deliveries together say so. So first_ts and last_ts may lie outside what is shown, but never inside, and
-- whatever shows a time reads it from the events.
CREATE TABLE IF NOT EXISTS session_days_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String),
    day Date, -- the day of event_ts
    prompt_id String,
    end_id String, -- the event_id of an end; '' for all other events of the day
    first_ts SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_ts SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    received_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- first arrival
    arrived_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')), -- last arrival
    heard_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))),
    end_reason SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    repos SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    branches SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    agents SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    authors SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    models SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    attr_models SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    tools SimpleAggregateFunction(groupUniqArrayArray, Array(String)), -- the tools that were called
    kinds SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    message_keys SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)), -- hashes of human messages; copies have equal ones
    has_own SimpleAggregateFunction(max, Bool), -- a client made prompt events of the agent's own files
    has_derived SimpleAggregateFunction(max, Bool), -- some were derived from its records
    stored_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')), -- when the last delivery was stored, by ClickHouse's clock
    merged SimpleAggregateFunction(max, UInt128) -- the newest run in merged_events, and above bit 64 the stored_at that it saw
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, prompt_id, end_id)
-- Columns share a file until a part is large. With files for each, a seventh of the CPU of storing was for making files.
SETTINGS min_bytes_for_wide_part = 268435456;

CREATE MATERIALIZED VIEW IF NOT EXISTS session_days_of_deliveries ON CLUSTER '{cluster}' TO session_days_local AS
SELECT
    d.org_id AS org_id,
    toDate(d.event_ts) AS day,
    d.prompt_id AS prompt_id,
    if(d.kind = 'SessionEnd', d.event_id, '') AS end_id,
    min(d.event_ts) AS first_ts,
    max(d.event_ts) AS last_ts,
    min(d.received_at) AS received_at,
    max(d.received_at) AS arrived_at,
    -- A delivery that doesn't name its kind may be an end's, so it is no sign of life. A record is one.
    maxIf(d.heard_at, d.kind IS NOT NULL OR d.derived) AS heard_at,
    max(d.end_reason) AS end_reason,
    groupUniqArrayIf(toString(assumeNotNull(d.repo_url)), d.repo_url IS NOT NULL) AS repos,
    groupUniqArrayIf(toString(assumeNotNull(d.branch)), d.branch IS NOT NULL) AS branches,
    groupUniqArrayIf(toString(assumeNotNull(d.tool)), d.tool IS NOT NULL) AS agents,
    groupUniqArrayIf(toString(assumeNotNull(d.human_author)), d.human_author IS NOT NULL) AS authors,
    groupUniqArrayIf(toString(ifNull(d.model, substring(assumeNotNull(d.settled), 17))), d.model IS NOT NULL OR length(d.settled) > 16) AS models,
    groupUniqArrayIf(toString(assumeNotNull(d.attr_model)), d.attr_model IS NOT NULL) AS attr_models,
    groupUniqArrayIf(
        toString(assumeNotNull(d.tool_call_name)),
        d.tool_call_name IS NOT NULL AND d.kind IN ('ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall')) AS tools,
    groupUniqArrayIf(toString(assumeNotNull(d.kind)), d.kind IS NOT NULL) AS kinds,
    groupUniqArrayIf(
        sipHash64(assumeNotNull(d.start_ts), assumeNotNull(d.input_hash)),
        d.kind = 'HumanMessage' AND d.start_ts IS NOT NULL AND d.input_hash IS NOT NULL) AS message_keys,
    -- The server itself makes ends. An event of a hook alone has an estimated parent.
    max(NOT d.derived AND ifNull(d.kind, '') != 'SessionEnd' AND NOT ifNull(d.parent_id_estimated, false)) AS has_own,
    max(d.derived) AS has_derived,
    now64(6, 'UTC') AS stored_at
FROM prompt_event_deliveries_local AS d
WHERE d.prompt_id != ''
GROUP BY org_id, day, prompt_id, end_id;

-- The events of sessions that have been quiet for a while, one row each, without those that don't count. Queries read a
-- session here if nothing was stored of it since, and its deliveries otherwise. So this is a copy that may lag, or be
-- missing, but never answers wrongly.
--
-- Each run that merges a session writes all its events anew. session_days names the run that counts; others are ignored.
CREATE TABLE IF NOT EXISTS merged_events_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String),
    day Date, -- of event_ts
    session UInt64, -- a hash of prompt_id
    run UInt64,
    event_ts DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'), -- first arrival of the event: the row goes when its deliveries do
    event UInt64, -- a hash of event_id
    prompt_id String,
    event_id String,
    kind LowCardinality(Nullable(String)),
    tool_call_name LowCardinality(Nullable(String)),
    model LowCardinality(Nullable(String)),
    error Nullable(Bool),
    start_ts Nullable(UInt64),
    reported_duration_ms Nullable(UInt64),
    observed_duration_ms Nullable(UInt64),
    input_hash Nullable(String),
    words String, -- what a human said: see merged_signs
    skill_file_path LowCardinality(Nullable(String)),
    skill_file_mtime Nullable(UInt64),
    skill_file_hash LowCardinality(Nullable(String)),
    repo_url LowCardinality(Nullable(String)),
    human_author LowCardinality(Nullable(String)),
    attr_model LowCardinality(Nullable(String)),
    agent LowCardinality(Nullable(String))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, session, run, event_ts, event);

-- What may be signs of friction in merged sessions, of the same runs.
CREATE TABLE IF NOT EXISTS merged_signs_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String),
    day Date, -- of event_ts
    session UInt64, -- a hash of prompt_id
    run UInt64,
    event_ts DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'), -- of the event
    event UInt64, -- a hash of event_id
    sign LowCardinality(String), -- the rule without words that the event meets; '' for a message
    prompt_id String,
    event_id String,
    repo LowCardinality(Nullable(String)),
    tool_before LowCardinality(Nullable(String)), -- the last tool that was called before
    words String -- what a human said, without code, quotes and tags; its first 300 characters
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, session, run, event_ts, event);

-- What the list shows of a merged session, one row each, of the same run. Copies are counted here as the session's own: a
-- session that holds some is read from its deliveries.
CREATE TABLE IF NOT EXISTS merged_sessions_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String),
    day Date, -- the first of the session
    prompt_id String,
    run UInt64,
    received_at DateTime64(3, 'UTC'), -- first arrival of the session
    external_prompt_id Nullable(String),
    title Nullable(String),
    agent LowCardinality(Nullable(String)),
    author LowCardinality(Nullable(String)),
    repo LowCardinality(Nullable(String)),
    branch LowCardinality(Nullable(String)),
    start DateTime64(3, 'UTC'),
    end DateTime64(3, 'UTC'),
    duration_ms Int64,
    active_ms Int64,
    turns UInt64,
    tool_calls UInt64,
    errors UInt64,
    last_output Nullable(String)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, prompt_id, run)
-- Few rows are read at a time, and their texts are long.
SETTINGS index_granularity = 256;

-- The last uploads of installations with a wrong clock: when each arrived, and the time of its newest event. An
-- installation without a row has a right clock.
CREATE TABLE IF NOT EXISTS upload_clocks_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String),
    installation String,
    received_at DateTime64(3, 'UTC'),
    newest_ms Int64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (org_id, installation, received_at, newest_ms)
TTL toDateTime(received_at) + INTERVAL 30 DAY;

-- Sessions of released clients: what their records say together is settled once they are quiet.
CREATE TABLE IF NOT EXISTS record_sessions_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String),
    session_id String,
    first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- first arrival
    arrived_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')), -- last arrival
    bytes SimpleAggregateFunction(sum, UInt64), -- of the JSON of all records that arrived, again and again, too
    deriver_version SimpleAggregateFunction(min, Nullable(UInt32)), -- of the oldest rules that any record met on arrival
    settled_to SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))), -- the last arrival that was read
    settled_by SimpleAggregateFunction(max, Nullable(UInt32)) -- the version of the rules that read it
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (org_id, session_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS record_sessions_of_records ON CLUSTER '{cluster}' TO record_sessions_local AS
SELECT
    r.org_id AS org_id,
    r.session_id AS session_id,
    min(r.received_at) AS first_at,
    max(r.received_at) AS arrived_at,
    sum(ifNull(length(r.raw_json), 0)) AS bytes,
    min(toNullable(r.deriver_version)) AS deriver_version
FROM session_records_local AS r
WHERE r.session_id != ''
GROUP BY org_id, session_id;

CREATE TABLE IF NOT EXISTS session_days ON CLUSTER '{cluster}' AS session_days_local
ENGINE = Distributed('{cluster}', currentDatabase(), session_days_local, cityHash64(org_id, prompt_id));

CREATE TABLE IF NOT EXISTS merged_events ON CLUSTER '{cluster}' AS merged_events_local
ENGINE = Distributed('{cluster}', currentDatabase(), merged_events_local, cityHash64(org_id, prompt_id));

CREATE TABLE IF NOT EXISTS merged_signs ON CLUSTER '{cluster}' AS merged_signs_local
ENGINE = Distributed('{cluster}', currentDatabase(), merged_signs_local, cityHash64(org_id, prompt_id));

CREATE TABLE IF NOT EXISTS merged_sessions ON CLUSTER '{cluster}' AS merged_sessions_local
ENGINE = Distributed('{cluster}', currentDatabase(), merged_sessions_local, cityHash64(org_id, prompt_id));

CREATE TABLE IF NOT EXISTS upload_clocks ON CLUSTER '{cluster}' AS upload_clocks_local
ENGINE = Distributed('{cluster}', currentDatabase(), upload_clocks_local, cityHash64(org_id, installation));

CREATE TABLE IF NOT EXISTS record_sessions ON CLUSTER '{cluster}' AS record_sessions_local
ENGINE = Distributed('{cluster}', currentDatabase(), record_sessions_local, cityHash64(org_id, session_id));
