-- Takes rows over HTTP, this file as it stands: as the parameter `query` with the rows as the body, or at the start of the
-- body with the rows right after it. For JSONEachRow replace the last word.
--
-- Rows name their columns. A column that rows lack gets its default; one that is not listed here is an error, so nothing is
-- lost and nothing lands in another column, whichever of the two is older. The settings that this relies on are pinned. So
-- are others: async_insert, on by default since ClickHouse 26.2, could answer before the rows are stored, and so would an
-- insert into a cluster, before its shards have them. An upload may hold events of more months than the 100 that an insert
-- may touch by default.
INSERT INTO metric_events
(
    org_id,
    metric_id,
    emitted_at,
    event_key,
    metric,
    event_ts,
    received_at,
    values_json,
    human_author,
    attributes_json,
    installation
)
SETTINGS async_insert = 0, distributed_foreground_insert = 1, max_partitions_per_insert_block = 0,
    input_format_with_names_use_header = 1, input_format_skip_unknown_fields = 0
FORMAT RowBinaryWithNames