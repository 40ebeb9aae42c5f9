-- Takes the rows of encodePromptEventRows as a stream; for its other format say FORMAT JSONEachRow. What it relies on is pinned
-- here: async_insert, on by default since ClickHouse 26.2, could answer before the rows are stored, and so would an insert on
-- a cluster, before the shards have them; and an upload may hold events of more months than the 100 that an insert may touch
-- by default.
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
    session_id,
    trace_id,
    parent_session_id,
    external_parent_session_id,
    custom_attributes
)
SETTINGS async_insert = 0, distributed_foreground_insert = 1, max_partitions_per_insert_block = 0
FORMAT RowBinary
