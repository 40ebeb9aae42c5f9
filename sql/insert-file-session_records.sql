-- Inserts rows from a file. Embedded ClickHouse needs this, because it can't read binary rows from memory.
--
-- {file:String}     the file
-- {format:String}   RowBinaryWithNames or JSONEachRow
--
-- The rows are read as plain types. Reading them as LowCardinality would take longer than converting them.
--
-- Rows name their columns. A column that is missing in the rows gets its default. A column that isn't listed here is an
-- error. So rows and tables of different versions never mix up columns and never lose data. The settings pin this
-- behaviour. Two more make sure that the rows are stored when ClickHouse answers: async_insert, on by default since
-- 26.2, would answer earlier, and an insert into a cluster would answer before the shards have the rows. Another allows
-- uploads with events of more than the 100 months that an insert may touch by default. The last one leaves it to merges to
-- combine equal rows: doing it in each insert takes a third of its CPU, and no query depends on it.
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
    deriver_version,
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
    input_format_with_names_use_header = 1, input_format_skip_unknown_fields = 0, optimize_on_insert = 0
SELECT
    org_id,
    session_id,
    record_key,
    prompt_id,
    event_ts,
    emitted_at,
    received_at,
    heard_at,
    deriver_version,
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
    deriver_version UInt32,
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
