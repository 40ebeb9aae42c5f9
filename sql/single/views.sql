-- Apply this after the migrations, each time.
--
-- One row per event. The view groups by the event's identity alone. The sort key of the deliveries also contains the
-- day, and a delivery without start_ts can fall on another day. Neither merges nor FINAL would join it with the others
-- there.
CREATE OR REPLACE VIEW prompt_events AS
SELECT
    d.org_id AS org_id,
    d.prompt_id AS prompt_id,
    d.event_id AS event_id,
    -- start_ts, unless it is before 2020 or over a day ahead. The same rule as for one delivery, applied to all of
    -- them.
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
    -- An author that the event names takes precedence over the uploader.
    ifNull(max(d.named_author), max(d.human_author)) AS human_author,
    max(d.commit_sha) AS commit_sha,
    max(d.base_commit_sha) AS base_commit_sha,
    max(d.branch) AS branch,
    max(d.tool) AS tool,
    max(d.attr_model) AS attr_model,
    max(d.external_prompt_id) AS external_prompt_id,
    max(d.trace_id) AS trace_id,
    max(d.parent_session_id) AS parent_session_id,
    max(d.external_parent_session_id) AS external_parent_session_id,
    max(d.custom_attributes) AS custom_attributes,
    max(d.named_author) AS named_author,
    max(d.installation) AS installation
FROM prompt_event_deliveries AS d
GROUP BY d.org_id, d.prompt_id, d.event_id;
