-- Inserts rows over HTTP. Send this file unchanged, either as the parameter `query` with the rows as the body, or at
-- the start of the body with the rows right after it. For JSONEachRow, replace the last word.
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
FORMAT RowBinaryWithNames