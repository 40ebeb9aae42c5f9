-- The events of matching_sessions in its window, without copies: those of merged_events where they are current, and from
-- deliveries otherwise.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
SELECT *
FROM
(
    SELECT
        prompt_id,
        session,
        event_id,
        event,
        event_ts,
        kind,
        tool_call_name,
        model,
        error,
        start_ts,
        reported_duration_ms,
        observed_duration_ms,
        input_hash,
        words,
        skill_file_path,
        skill_file_mtime,
        skill_file_hash,
        repo_url,
        human_author,
        attr_model,
        agent
    FROM merged_events
    WHERE org_id = {org_id:String}
      AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')})
      AND (session, run) GLOBAL IN
      (
          {CURRENT_RUNS}
      )
    -- [unmerged
    UNION ALL
    SELECT
        prompt_id,
        session,
        event_id,
        event,
        event_ts,
        kind,
        tool_call_name,
        model,
        error,
        start_ts,
        reported_duration_ms,
        observed_duration_ms,
        input_hash,
        words,
        skill_file_path,
        skill_file_mtime,
        skill_file_hash,
        repo_url,
        human_author,
        attr_model,
        agent
    FROM {GROUPED_EVENTS_OF_SELECTION}
    -- unmerged]
)
WHERE event_ts >= {from:DateTime64(3, 'UTC')}
  AND event_ts < {to:DateTime64(3, 'UTC')}
  {NOT_COPIED}
