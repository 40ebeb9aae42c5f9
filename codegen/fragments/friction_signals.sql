-- Signs of friction in the sessions of matching_sessions, one row each: those of merged_signs where they are current, and
-- from deliveries otherwise. Copies of another session's events are none.
--
-- {org_id:String}, {from:DateTime64(3)}, {to:DateTime64(3)}, {now:DateTime64(3)}, {filters:Map(String, Array(String))}   as above
-- {rules:Array(String)}, {weights:Array(UInt8)}, {patterns:Array(String)}   the rules about words: a name, a weight and an
--                                            RE2 pattern each; case doesn't matter
--
-- The first 300 characters of a message count, without code, quotes and tags.
WITH
    concat('(?i)', arrayStringConcat(arrayMap(pattern -> concat('(?:', pattern, ')'), {patterns:Array(String)}), '|')) AS any_pattern
SELECT
    prompt_id,
    repo,
    hit.1 AS rule,
    hit.2 AS weight,
    event_id,
    event_ts,
    tool_before,
    words AS text
FROM
(
    SELECT
        *,
        if(
            sign = '',
            arrayMap(
                i -> ({rules:Array(String)}[i], {weights:Array(UInt8)}[i]),
                arrayFilter(i -> match(words, concat('(?i)', {patterns:Array(String)}[i])), arrayEnumerate({patterns:Array(String)}))),
            [(toString(sign), 1)]) AS hits
    FROM
    (
        SELECT
            prompt_id,
            session,
            repo,
            sign,
            event_ts,
            event,
            event_id,
            tool_before,
            words
        FROM merged_signs
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
            repo,
            sign,
            event_ts,
            event,
            event_id,
            tool_before,
            words
        FROM {SIGNS_OF_SELECTION}
        -- unmerged]
    )
    WHERE event_ts >= {from:DateTime64(3, 'UTC')}
      AND event_ts < {to:DateTime64(3, 'UTC')}
      AND (sign != '' OR match(words, any_pattern))
      AND (sign != 'ends on a failed call' OR event_ts < {now:DateTime64(3, 'UTC')} - INTERVAL {SILENT_MINUTES} MINUTE)
      {NOT_COPIED}
)
ARRAY JOIN hits AS hit
