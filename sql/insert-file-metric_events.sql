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
SELECT
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
FROM file({file:String}, {format:String}, $$
    org_id String,
    metric_id UInt16,
    emitted_at DateTime('UTC'),
    event_key String,
    metric String,
    event_ts DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    values_json String,
    human_author Nullable(String),
    attributes_json String,
    installation Nullable(String)
$$)
