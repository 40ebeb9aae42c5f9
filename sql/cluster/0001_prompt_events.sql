-- The same as single/0001_prompt_events.sql, for a cluster: the server's macros {cluster}, {shard} and {replica} are filled in
-- by ClickHouse. Rows are inserted into prompt_event_deliveries and read from prompt_events, as on one node.

-- Every delivery of a prompt event: uploads come again hours later, and an event comes again when more is known of it.
-- A column keeps the greatest value that any delivery gave (the least, for times but heard_at); NULL, which stands for both
-- "not set" and "explicitly nothing", never wins. max and min don't care for order or repetition, so neither does the table:
-- merged early, late or never, it says the same. docs/storage.md has the experiment against CoalescingMergeTree and
-- ReplacingMergeTree.
CREATE TABLE IF NOT EXISTS prompt_event_deliveries_local ON CLUSTER '{cluster}'
(
    org_id LowCardinality(String), -- from authentication, never from the body
    prompt_id String, -- the session; where attribute 22 is not set, what stands before event_id's colon
    event_id String,
    event_ts SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- start_ts, else emitted_at; held within 2020 … received_at + 1 day
    emitted_at SimpleAggregateFunction(min, DateTime('UTC')), -- the envelope's t
    received_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')), -- when it first arrived
    heard_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))), -- the last arrival at which it wasn't over 10 minutes old
    kind SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    parent_id SimpleAggregateFunction(max, Nullable(String)),
    parent_id_estimated SimpleAggregateFunction(max, Nullable(Bool)),
    tool_call_name SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    model SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    error SimpleAggregateFunction(max, Nullable(Bool)),
    start_ts SimpleAggregateFunction(min, Nullable(UInt64)), -- unix ms, as it was sent
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
    human_author SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- attribute 2, author
    commit_sha SimpleAggregateFunction(max, Nullable(String)),
    base_commit_sha SimpleAggregateFunction(max, Nullable(String)),
    branch SimpleAggregateFunction(max, LowCardinality(Nullable(String))),
    tool SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- the agent
    attr_model SimpleAggregateFunction(max, LowCardinality(Nullable(String))), -- attribute 21, model
    external_prompt_id SimpleAggregateFunction(max, Nullable(String)),
    custom_attributes SimpleAggregateFunction(max, LowCardinality(Nullable(String))) -- a JSON object
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(event_ts)
ORDER BY (org_id, toDate(event_ts), prompt_id, event_id);

-- Merging happens per shard, so all deliveries of an event have to meet on one: sharded by session.
CREATE TABLE IF NOT EXISTS prompt_event_deliveries ON CLUSTER '{cluster}' AS prompt_event_deliveries_local
ENGINE = Distributed('{cluster}', currentDatabase(), prompt_event_deliveries_local, cityHash64(org_id, prompt_id));

-- One row an event: what is read. It groups by the event's identity alone, since the sort key above has the day in it, and
-- a delivery that lacks start_ts can fall on another day, in another partition, where no merge and no FINAL would find it.
-- Each shard groups its own events; only what a query asks of them travels.
CREATE OR REPLACE VIEW prompt_events_local ON CLUSTER '{cluster}' AS
SELECT
    d.org_id AS org_id,
    d.prompt_id AS prompt_id,
    d.event_id AS event_id,
    -- As in the deliveries, of what all of them say: start_ts, unless it is before 2020 or over a day ahead.
    if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
       min(d.event_ts)) AS event_ts,
    min(d.emitted_at) AS emitted_at,
    min(d.received_at) AS received_at,
    max(d.heard_at) AS heard_at,
    max(d.kind) AS kind,
    max(d.parent_id) AS parent_id,
    max(d.parent_id_estimated) AS parent_id_estimated,
    max(d.tool_call_name) AS tool_call_name,
    max(d.model) AS model,
    max(d.error) AS error,
    min(d.start_ts) AS start_ts,
    max(d.reported_duration_ms) AS reported_duration_ms,
    max(d.observed_duration_ms) AS observed_duration_ms,
    max(d.input_hash) AS input_hash,
    max(d.input_text) AS input_text,
    max(d.skill_file_path) AS skill_file_path,
    max(d.skill_file_mtime) AS skill_file_mtime,
    max(d.skill_file_hash) AS skill_file_hash,
    max(d.end_reason) AS end_reason,
    max(d.git_ai_version) AS git_ai_version,
    max(d.repo_url) AS repo_url,
    max(d.human_author) AS human_author,
    max(d.commit_sha) AS commit_sha,
    max(d.base_commit_sha) AS base_commit_sha,
    max(d.branch) AS branch,
    max(d.tool) AS tool,
    max(d.attr_model) AS attr_model,
    max(d.external_prompt_id) AS external_prompt_id,
    max(d.custom_attributes) AS custom_attributes
FROM prompt_event_deliveries_local AS d
GROUP BY d.org_id, d.prompt_id, d.event_id;

CREATE TABLE IF NOT EXISTS prompt_events ON CLUSTER '{cluster}' AS prompt_events_local
ENGINE = Distributed('{cluster}', currentDatabase(), prompt_events_local, cityHash64(org_id, prompt_id));
