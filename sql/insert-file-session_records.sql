-- Takes rows from a file, as embedded ClickHouse does, which takes no binary rows from memory.
--
-- {file:String}     the file
-- {format:String}   RowBinaryWithNames or JSONEachRow
--
-- The rows are read as plain types: reading them as the table's own (LowCardinality) takes longer than converting them.
--
-- Rows name their columns. A column that rows lack gets its default; one that is not listed here is an error, so nothing is
-- lost and nothing lands in another column, whichever of the two is older. The settings that this relies on are pinned. So
-- are others: async_insert, on by default since ClickHouse 26.2, could answer before the rows are stored, and so would an
-- insert into a cluster, before its shards have them. An upload may hold events of more months than the 100 that an insert
-- may touch by default.
INSERT INTO session_records
(
    org_id,
    session_id,
    record_key,
    prompt_id,
    event_ts,
    emitted_at,
    received_at,
    heard_at,
    raw_json,
    external_event_id,
    external_parent_event_id,
    external_tool_use_id,
    git_ai_version,
    repo_url,
    human_author,
    commit_sha,
    base_commit_sha,
    branch,
    tool,
    attr_model,
    external_prompt_id,
    trace_id,
    parent_session_id,
    external_parent_session_id,
    custom_attributes,
    named_author,
    installation
)
SETTINGS async_insert = 0, distributed_foreground_insert = 1, max_partitions_per_insert_block = 0,
    input_format_with_names_use_header = 1, input_format_skip_unknown_fields = 0
SELECT
    org_id,
    session_id,
    record_key,
    prompt_id,
    event_ts,
    emitted_at,
    received_at,
    heard_at,
    raw_json,
    external_event_id,
    external_parent_event_id,
    external_tool_use_id,
    git_ai_version,
    repo_url,
    human_author,
    commit_sha,
    base_commit_sha,
    branch,
    tool,
    attr_model,
    external_prompt_id,
    trace_id,
    parent_session_id,
    external_parent_session_id,
    custom_attributes,
    named_author,
    installation
FROM file({file:String}, {format:String}, $$
    org_id String,
    session_id String,
    record_key String,
    prompt_id String,
    event_ts DateTime64(3, 'UTC'),
    emitted_at DateTime('UTC'),
    received_at DateTime64(3, 'UTC'),
    heard_at Nullable(DateTime64(3, 'UTC')),
    raw_json Nullable(String),
    external_event_id Nullable(String),
    external_parent_event_id Nullable(String),
    external_tool_use_id Nullable(String),
    git_ai_version Nullable(String),
    repo_url Nullable(String),
    human_author Nullable(String),
    commit_sha Nullable(String),
    base_commit_sha Nullable(String),
    branch Nullable(String),
    tool Nullable(String),
    attr_model Nullable(String),
    external_prompt_id Nullable(String),
    trace_id Nullable(String),
    parent_session_id Nullable(String),
    external_parent_session_id Nullable(String),
    custom_attributes Nullable(String),
    named_author Nullable(String),
    installation Nullable(String)
$$)
