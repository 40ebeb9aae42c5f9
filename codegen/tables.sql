-- Sessions by day. Queries find sessions here without reading their events.
--
-- A session has one row per day for its events, and one row for each of its ends, because each end is judged by itself.
-- Every column is a min, a max or a set. So a row doesn't depend on the order or the repetition of deliveries. Nothing
-- here counts: a materialized view would count a repeated event twice.
--
-- Times are those of deliveries. One may be of an event that the session doesn't show, such as a result whose call never
-- came: only all deliveries together say so. So first_ts and last_ts may lie outside what is shown, but never inside, and
-- whatever shows a time reads it from the events.
CREATE TABLE IF NOT EXISTS session_days{local}{on_cluster}
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
ENGINE = {AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, prompt_id, end_id)
{COMPACT_PARTS};

CREATE MATERIALIZED VIEW IF NOT EXISTS session_days_of_deliveries{on_cluster} TO session_days{local} AS
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
        d.tool_call_name IS NOT NULL AND d.kind IN ({TOOL_LIKE_KINDS})) AS tools,
    groupUniqArrayIf(toString(assumeNotNull(d.kind)), d.kind IS NOT NULL) AS kinds,
    groupUniqArrayIf(
        sipHash64(assumeNotNull(d.start_ts), assumeNotNull(d.input_hash)),
        d.kind = 'HumanMessage' AND d.start_ts IS NOT NULL AND d.input_hash IS NOT NULL) AS message_keys,
    -- The server itself makes ends. An event of a hook alone has an estimated parent.
    max(NOT d.derived AND ifNull(d.kind, '') != 'SessionEnd' AND NOT ifNull(d.parent_id_estimated, false)) AS has_own,
    max(d.derived) AS has_derived,
    now64(6, 'UTC') AS stored_at
FROM prompt_event_deliveries{local} AS d
WHERE d.prompt_id != ''
GROUP BY org_id, day, prompt_id, end_id;

-- The events of sessions that have been quiet for a while, one row each, without those that don't count. Queries read a
-- session here if nothing was stored of it since, and its deliveries otherwise. So this is a copy that may lag, or be
-- missing, but never answers wrongly.
--
-- Each run that merges a session writes all its events anew. session_days names the run that counts; others are ignored.
CREATE TABLE IF NOT EXISTS merged_events{local}{on_cluster}
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
ENGINE = {MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, session, run, event_ts, event);

-- What may be signs of friction in merged sessions, of the same runs.
CREATE TABLE IF NOT EXISTS merged_signs{local}{on_cluster}
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
ENGINE = {MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, session, run, event_ts, event);

-- What the list shows of a merged session, one row each, of the same run. Copies are counted here as the session's own: a
-- session that holds some is read from its deliveries.
CREATE TABLE IF NOT EXISTS merged_sessions{local}{on_cluster}
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
ENGINE = {MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (org_id, day, prompt_id, run)
-- Few rows are read at a time, and their texts are long.
SETTINGS index_granularity = 256;

-- The last uploads of installations with a wrong clock: when each arrived, and the time of its newest event. An
-- installation without a row has a right clock.
CREATE TABLE IF NOT EXISTS upload_clocks{local}{on_cluster}
(
    org_id LowCardinality(String),
    installation String,
    received_at DateTime64(3, 'UTC'),
    newest_ms Int64
)
ENGINE = {ReplacingMergeTree}
ORDER BY (org_id, installation, received_at, newest_ms)
TTL toDateTime(received_at) + INTERVAL 30 DAY;

-- Sessions of released clients: what their records say together is settled once they are quiet.
CREATE TABLE IF NOT EXISTS record_sessions{local}{on_cluster}
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
ENGINE = {AggregatingMergeTree}
ORDER BY (org_id, session_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS record_sessions_of_records{on_cluster} TO record_sessions{local} AS
SELECT
    r.org_id AS org_id,
    r.session_id AS session_id,
    min(r.received_at) AS first_at,
    max(r.received_at) AS arrived_at,
    sum(ifNull(length(r.raw_json), 0)) AS bytes,
    min(toNullable(r.deriver_version)) AS deriver_version
FROM session_records{local} AS r
WHERE r.session_id != ''
GROUP BY org_id, session_id;
