-- Takes rows over HTTP, this file as it stands: as the parameter `query` with the rows as the body, or at the start of the
-- body with the rows right after it. For JSONEachRow replace the last word.
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
FORMAT RowBinaryWithNames