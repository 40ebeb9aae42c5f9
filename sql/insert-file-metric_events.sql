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
    input_format_with_names_use_header = 1, input_format_skip_unknown_fields = 0, optimize_on_insert = 0
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
