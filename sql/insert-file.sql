-- Takes the rows of encodePromptEventRows from a file, as embedded ClickHouse does: it takes no binary rows from memory.
--
-- {file:String}     where the rows are
-- {format:String}   RowBinary or JSONEachRow
--
-- The rows are read as plain types: to read them as the table's own (LowCardinality) takes five times as long as to convert
-- them afterwards.
INSERT INTO prompt_event_deliveries
(
    org_id,
    prompt_id,
    event_id,
    event_ts,
    emitted_at,
    received_at,
    heard_at,
    kind,
    parent_id,
    parent_id_estimated,
    tool_call_name,
    model,
    error,
    start_ts,
    reported_duration_ms,
    observed_duration_ms,
    input_hash,
    input_text,
    skill_file_path,
    skill_file_mtime,
    skill_file_hash,
    end_reason,
    git_ai_version,
    repo_url,
    human_author,
    commit_sha,
    base_commit_sha,
    branch,
    tool,
    attr_model,
    external_prompt_id,
    custom_attributes
)
SETTINGS async_insert = 0, distributed_foreground_insert = 1, max_partitions_per_insert_block = 0
SELECT *
FROM file({file:String}, {format:String}, $$
    org_id String,
    prompt_id String,
    event_id String,
    event_ts DateTime64(3, 'UTC'),
    emitted_at DateTime('UTC'),
    received_at DateTime64(3, 'UTC'),
    heard_at Nullable(DateTime64(3, 'UTC')),
    kind Nullable(String),
    parent_id Nullable(String),
    parent_id_estimated Nullable(Bool),
    tool_call_name Nullable(String),
    model Nullable(String),
    error Nullable(Bool),
    start_ts Nullable(UInt64),
    reported_duration_ms Nullable(UInt64),
    observed_duration_ms Nullable(UInt64),
    input_hash Nullable(String),
    input_text Nullable(String),
    skill_file_path Nullable(String),
    skill_file_mtime Nullable(UInt64),
    skill_file_hash Nullable(String),
    end_reason Nullable(String),
    git_ai_version Nullable(String),
    repo_url Nullable(String),
    human_author Nullable(String),
    commit_sha Nullable(String),
    base_commit_sha Nullable(String),
    branch Nullable(String),
    tool Nullable(String),
    attr_model Nullable(String),
    external_prompt_id Nullable(String),
    custom_attributes Nullable(String)
$$)
