//! Fills in the templates of SQL. Each fact that several statements need has one line here.

use crate::sql;
use git_ai_metrics::capture::derive::{LAUNCHED_RANK, RANK_SHIFT};
use git_ai_metrics::rows::{EARLIEST_EVENT_MS, LONGEST_AHEAD_MS};
use git_ai_metrics::wire::{TOOL_LIKE_KINDS, USER_FACING_KINDS};

/// A session is live for this long after its last sign of life.
const LIVE_SECONDS: u32 = 60;
/// A `user_quit` may overtake the last message by this much.
const GRACE_SECONDS: u32 = 10;
/// A session has ended after this long without a sign of life …
const SILENT_MINUTES: u32 = 10;
/// … or after this long, while its last call has no result.
const SILENT_CALL_MINUTES: u32 = 60;
/// A longer gap between two events isn't active time.
const LONGEST_GAP_MS: u32 = 300_000;

const SELECTION_DOC: &str = "\
-- {org_id:String}
-- {from:DateTime64(3)}, {to:DateTime64(3)}   the window: from ≤ event_ts < to, in UTC
-- {now:DateTime64(3)}                        the states are those of this time
-- {filters:Map(String, Array(String))}       which of them: see sql/single/views.sql; an empty map for all";

/// Sessions with an event in the window, or heard of in it.
const WINDOW: &str = "\
SELECT prompt_id
FROM session_days
WHERE org_id = {org_id:String}
  -- A fast clock files an event under tomorrow at the latest.
  AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) AND toDate({to:DateTime64(3, 'UTC')}) + 1
  -- named: AND prompt_id IN {filters:Map(String, Array(String))}['session']
GROUP BY prompt_id, day
-- Whole days are compared. A merge makes one row of a day's rows, so a single row says nothing.
HAVING (max(last_ts) >= {from:DateTime64(3, 'UTC')} AND min(first_ts) < {to:DateTime64(3, 'UTC')})
    OR (max(heard_at) >= {from:DateTime64(3, 'UTC')} AND max(heard_at) < {to:DateTime64(3, 'UTC')})";

const IN_WINDOW: &str = "\
d.prompt_id GLOBAL IN
(
    {WINDOW}
)";

/// Sessions of which something has arrived since then.
const ARRIVING: &str = "\
d.prompt_id GLOBAL IN
(
    SELECT prompt_id
    FROM session_days
    WHERE org_id = {org_id:String}
      AND arrived_at >= {since:DateTime64(3, 'UTC')}
)";

/// Of the sessions of a window, those of a page. Without filters their times alone say which they are, so all else is gathered of them only.
const ON_PAGE: &str = "\
d.prompt_id GLOBAL IN
(
    -- [page
    SELECT prompt_id
    FROM session_days
    WHERE org_id = {org_id:String}
      AND prompt_id GLOBAL IN
    (
    -- page]
    {WINDOW}
    -- [page
    )
    GROUP BY prompt_id
    HAVING (min(first_ts), prompt_id) < ({before:DateTime64(3, 'UTC')}, {before_prompt_id:String})
    ORDER BY min(first_ts) DESC, prompt_id DESC
    LIMIT if(empty({filters:Map(String, Array(String))}), {limit:UInt32}, 4294967295)
    -- page]
)";

/// Parts of queries, which are subqueries. They aren't views: ClickHouse analyses a view with parameters twice, and
/// those that it names twice each time, which took longer than to run the query.
const SESSION_STATES: &str = include_str!("fragments/session_states.sql");
const MATCHING_SESSIONS: &str = include_str!("fragments/matching_sessions.sql");
const COPIED_TOOLS: &str = include_str!("fragments/copied_tools.sql");
const COPIED_EVENTS: &str = include_str!("fragments/copied_events.sql");
const GROUPED_EVENTS: &str = include_str!("fragments/grouped_events.sql");
const MATCHING_EVENTS: &str = include_str!("fragments/matching_events.sql");
const SESSION_ROWS: &str = include_str!("fragments/session_rows.sql");
const SESSION_EVENTS: &str = include_str!("fragments/session_events.sql");
const SIGNS: &str = include_str!("fragments/signs.sql");
const FRICTION_SIGNALS: &str = include_str!("fragments/friction_signals.sql");

/// Where the sessions of a selection are to be read. Half of the time would go into understanding all that is asked of
/// sessions only for filters.
const PLACES: &str = "\
(
    -- [selection
    SELECT
        prompt_id,
        days,
        sources,
        run,
        is_merged
    FROM {MATCHING_SESSIONS}
    -- selection]
    {ALL_PLACES}
)";

/// The same without filters, but for the sessions' own.
const ALL_PLACES: &str = "\
SELECT
    d.prompt_id AS prompt_id,
    groupUniqArray(d.day) AS days,
    {SOURCES} AS sources,
    {RUN} AS run,
    {IS_MERGED} AS is_merged
FROM session_days AS d
WHERE d.org_id = {org_id:String}
  AND {IN_WINDOW}
GROUP BY d.prompt_id";

/// What GROUPED_EVENTS reads of the sessions of a selection that merged_events doesn't have as they are now.
const UNMERGED_DAYS: &str = "\
-- [unknown
SELECT
    arrayJoin(days),
    prompt_id,
    arrayJoin(sources)
FROM {PLACES}
WHERE NOT is_merged
-- unknown]
-- known: SELECT unmerged.1, unmerged.2, unmerged.3 FROM (SELECT arrayJoin(arrayZip({unmerged_days:Array(Date)}, {unmerged_sessions:Array(String)}, {unmerged_sources:Array(String)})) AS unmerged)";

/// The sessions of a selection that merged_events has as they are now, and the run to read.
const CURRENT_RUNS: &str = "\
SELECT
    cityHash64(prompt_id),
    run
FROM {PLACES}
WHERE
    -- [unknown
    is_merged
    -- unknown]
    -- known: run > 0 AND prompt_id NOT IN {unmerged_sessions:Array(String)}";

/// Leaves copies out.
const NOT_COPIED: &str = "\
-- [copies
AND (session, event) GLOBAL NOT IN
(
    -- [unknown
    SELECT
        cityHash64(prompt_id),
        cityHash64(event_id)
    FROM {COPIED_EVENTS}
    -- unknown]
    -- known: SELECT copy.1, copy.2 FROM (SELECT arrayJoin(arrayZip({copied_sessions:Array(UInt64)}, {copied_events:Array(UInt64)})) AS copy)
)
-- copies]";

/// What it reads of sessions by name.
const DAYS_OF_SESSIONS: &str = "\
SELECT
    arrayJoin(days),
    prompt_id,
    arrayJoin(sources)
FROM
(
    SELECT
        prompt_id,
        groupUniqArray(day) AS days,
        {SOURCES} AS sources
    FROM session_days
    WHERE org_id = {org_id:String}
      AND prompt_id IN {sessions:Array(String)}
    GROUP BY prompt_id
)";

/// The events that a run has merged.
const EVENTS_OF_RUN: &str = "\
(
    SELECT *
    FROM merged_events
    WHERE org_id = {org_id:String}
      AND day GLOBAL IN
      (
          SELECT day
          FROM session_days
          WHERE org_id = {org_id:String}
            AND prompt_id IN {sessions:Array(String)}
      )
      AND session IN arrayMap(id -> cityHash64(id), {sessions:Array(String)})
      AND run = {run:UInt64}
)";

/// Copies are looked for only among sessions that have a human message of these in common.
const MESSAGES_OF_SESSIONS: &str = "
AND message_key GLOBAL IN
(
    SELECT arrayJoin(message_keys)
    FROM session_days
    WHERE org_id = {org_id:String}
      AND day BETWEEN {FIRST_DAY} AND {LAST_DAY}
      AND prompt_id IN {sessions:Array(String)}
)";

/// Human messages that several sessions have.
const SHARED_MESSAGES: &str = "\
SELECT message_key
FROM session_days
ARRAY JOIN message_keys AS message_key
WHERE org_id = {org_id:String}
  AND day BETWEEN {FIRST_DAY} AND {LAST_DAY}{SHARED_WITH}
GROUP BY message_key
HAVING min(cityHash64(prompt_id)) != max(cityHash64(prompt_id))";

/// The sessions that have them. Only these can hold copies. Few messages are shared, so they are found first: to gather the
/// sessions of each message takes twice as long.
const SHARING_SESSIONS: &str = "\
SELECT DISTINCT prompt_id
FROM session_days
ARRAY JOIN message_keys AS message_key
WHERE org_id = {org_id:String}
  AND day BETWEEN {FIRST_DAY} AND {LAST_DAY}
  AND message_key GLOBAL IN
  (
      {SHARED_MESSAGES}
  )";

const SHARING: (&str, &str) = ("{SHARING_SESSIONS}", SHARING_SESSIONS);
const SHARED: (&str, &str) = ("{SHARED_MESSAGES}", SHARED_MESSAGES);

/// The days on which a window's copies and originals lie: a copy is found by a human message, which may stand up to two days
/// before it.
const DAYS_OF_COPIES: [(&str, &str); 2] = [
    ("{FIRST_DAY}", "toDate({from:DateTime64(3, 'UTC')}) - 2"),
    ("{LAST_DAY}", "toDate({to:DateTime64(3, 'UTC')}) + 1"),
];

/// Whether an event is a copy. Statements about sessions without copies leave this out: finding copies takes longer than
/// all else.
const IS_COPY: &str = "\
max(
    false
    -- [copies
    OR (d.prompt_id, d.event_id) GLOBAL IN
    (
        SELECT
            prompt_id,
            event_id
        FROM {COPIED_EVENTS_OF_SESSIONS}
    )
    -- copies]
)";

/// What a human said in a message, without code, quotes and tags. Its beginning suffices.
const WORDS: &str = r"substringUTF8(trimBoth(replaceRegexpAll(ifNull(max(d.input_text), ''),
    '(?s)```.*?(?:```|\\z)|`[^`\\n]*`|<(\\w[\\w-]*)\\b[^>]*>|</\\w[\\w-]*>|(?m:^>.*$)', ' ')), 1, 300)";

/// A part as a subquery. Each of `names` stands for a text in it.
fn subquery(part: &str, names: &[(&str, &str)]) -> String {
    let statement = names.iter().fold(without_doc(part).to_owned(), |text, (name, value)| {
        replace_indented(&text, name, value)
    });
    format!("(\n    {}\n)", fill_in(statement.trim_end()).replace('\n', "\n    "))
}

/// What stands instead of the part `selection` when that is left out.
fn instead(statement: &str) -> String {
    let lines: Vec<String> = statement.lines().map(|line| format!("-- all: {line}")).collect();
    lines.join("\n")
}

fn copied_events(shared_with: &str, [first, last]: [(&str, &str); 2]) -> String {
    subquery(
        COPIED_EVENTS,
        &[SHARING, SHARED, ("{SHARED_WITH}", shared_with), first, last],
    )
}

/// Replaces a name. Further lines of the value are indented like the line that names it.
fn replace_indented(text: &str, name: &str, value: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let indent = &line[..line.len() - line.trim_start().len()];
            line.replace(name, &value.replace('\n', &format!("\n{indent}")))
        })
        .collect()
}

/// The lines of comment that a part begins with.
fn doc_of(part: &str) -> &str {
    &part[..part.len() - without_doc(part).len()]
}

fn without_doc(part: &str) -> &str {
    let mut rest = part;
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, after)| after);
    }
    rest
}

/// `human_author` of an event, from all of its deliveries `d`. An author that the event names takes precedence over the
/// uploader.
const HUMAN_AUTHOR: &str = "ifNull(max(d.named_author), max(d.human_author))";

/// An address without the user and the password that it may contain. Rows keep what was sent, as an upload's other fields
/// do, so this is for whatever leaves the store or is compared with what did: no list, filter or merged row has more.
fn without_credentials(url: &str) -> String {
    // Few addresses have any, and the expression takes a microsecond, so it is asked only about these.
    format!(
        r"if(position({url}, '@') > 0, replaceRegexpOne({url}, '^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@', '\\1'), {url})"
    )
}

/// `model` of an event. What only other records know is settled by reading them all, and the widest reading counts.
const MODEL: &str = "ifNull(max(d.model), nullIf(substring(max(d.settled), 17), ''))";

/// Whether an event counts: it does unless the widest reading of all records says otherwise, or only the result of a call
/// is known.
const COUNTS: &str = "\
ifNull(substring(max(d.settled), 16, 1), '') != '-' AND (max(d.kind) IS NOT NULL OR NOT max(d.derived))";

/// `error` of an event: as the agent itself has judged it, else as the call's first result says.
const ERROR: &str = "\
CAST(multiIf(
    max(d.verdict) IS NOT NULL, nullIf(max(d.verdict), 2),
    min(d.result) IS NOT NULL, nullIf(bitAnd(min(d.result), 3), 2),
    max(d.error)) AS Nullable(Bool))";

/// `observed_duration_ms` of an event. The record of a call knows when it began, that of its result when it ended.
const OBSERVED_MS: &str = "\
ifNull(
    max(d.observed_duration_ms),
    if(bitShiftRight(min(d.result), 2) >= min(d.start_ts),
       CAST(bitShiftRight(min(d.result), 2) - min(d.start_ts) AS Nullable(UInt64)), NULL))";

/// What a delivery `d` is: an end, which the server can make; one that was derived from a session record; or a client's.
const SOURCE: &str = "multiIf(d.kind = 'SessionEnd', 'end', d.derived, 'record', 'client')";

/// Which of a session's deliveries count, from all of its `session_days`. If a client has read the agent's own files,
/// records repeat all of it. If it only heard hooks, records know more.
const SOURCES: &str = "if(max(has_derived) AND NOT max(has_own), ['record', 'end'], ['client', 'end'])";

/// The last run that has merged a session, from all of its `session_days`; 0 if none has.
const RUN: &str = "toUInt64(bitAnd(max(merged), toUInt128(18446744073709551615)))";

/// Whether nothing was stored since.
const IS_MERGED: &str = "max(merged) > 0 AND bitShiftRight(max(merged), 64) = toUnixTimestamp64Micro(max(stored_at))";

/// The MCP server of an event, if it called one and the name of the tool says which. Each agent has names of its own:
/// `mcp__<server>__<tool>` is that of most, `<server>___<tool>` Droid's, `<server>__<tool>` that of earlier versions of
/// Gemini CLI. Only one underscore is between them in `mcp_<server>_<tool>` (Gemini CLI) and `<server>_<tool>` (OpenCode),
/// so a server with an underscore in its name is cut there. Cursor names none: `MCP:<tool>`.
const MCP_SERVER: &str = "\
if(kind = 'McpCall', nullIf(multiIf(
    startsWith(tool_call_name, 'mcp__'), extract(assumeNotNull(tool_call_name), '^mcp__(.+?)(?:__|$)'),
    startsWith(tool_call_name, 'MCP:'), '',
    position(tool_call_name, '__') > 1, extract(assumeNotNull(tool_call_name), '^(.+?)__'),
    extract(assumeNotNull(tool_call_name), '^(?:mcp_)?(.+?)_')), ''), NULL)";

/// How a table that gets many small inserts is stored.
pub const COMPACT_PARTS: &str = "\
-- Columns share a file until a part is large. With files for each, a seventh of the CPU of storing was for making files.
SETTINGS min_bytes_for_wide_part = 268435456";

/// The same for the tables of rows. Not for `session_days`, whose parts each question reads.
pub const ROW_PARTS: &str = "\
-- About ten parts become one, not five: half as many rows go through merges, which take most of the CPU.
-- Columns share a file until a part is large. With files for each, a seventh of the CPU of storing was for making files.
SETTINGS merge_selector_base = 10, min_bytes_for_wide_part = 268435456";

/// Replaces each `{NAME}` of a template. Further lines of a value are indented like the line that names it.
///
/// # Panics
/// If the template names something else.
pub fn fill_in(template: &str) -> String {
    let mut out = String::new();
    for line in template.split_inclusive('\n') {
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut rest = line;
        while let Some((before, name, after)) = placeholder(rest) {
            out += before;
            out += &value(name).replace('\n', &format!("\n{indent}"));
            rest = after;
        }
        out += rest;
    }
    out
}

/// The first `{NAME}` of a line, with the text before and after it.
fn placeholder(line: &str) -> Option<(&str, &str, &str)> {
    line.match_indices('{').find_map(|(start, _)| {
        let (name, after) = line[start + 1..].split_once('}')?;
        let is_name = name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_name.then_some((&line[..start], name, after))
    })
}

fn value(name: &str) -> String {
    match name {
        "TOOL_LIKE_KINDS" => quoted(TOOL_LIKE_KINDS),
        "USER_FACING_KINDS" => quoted(USER_FACING_KINDS),
        "COMPACT_PARTS" => COMPACT_PARTS.to_owned(),
        "LIVE_SECONDS" => LIVE_SECONDS.to_string(),
        "GRACE_SECONDS" => GRACE_SECONDS.to_string(),
        "SILENT_MINUTES" => SILENT_MINUTES.to_string(),
        "SILENT_CALL_MINUTES" => SILENT_CALL_MINUTES.to_string(),
        "LONGEST_GAP_MS" => LONGEST_GAP_MS.to_string(),
        "SELECTION_DOC" => SELECTION_DOC.to_owned(),
        "IN_WINDOW" => fill_in(IN_WINDOW),
        "WINDOW" => WINDOW.to_owned(),
        "SESSION_STATES" => subquery(SESSION_STATES, &[]),
        "ARRIVING_SESSION_STATES" => subquery(SESSION_STATES, &[("{IN_WINDOW}", ARRIVING)]),
        "MATCHING_SESSIONS" => subquery(MATCHING_SESSIONS, &[]),
        "SESSION_STATES_OF_PAGE" => subquery(SESSION_STATES, &[("{IN_WINDOW}", ON_PAGE)]),
        "MATCHING_SESSIONS_OF_PAGE" => subquery(MATCHING_SESSIONS, &[("{SESSION_STATES}", "{SESSION_STATES_OF_PAGE}")]),
        "MATCHING_SESSIONS_DOC" => fill_in(doc_of(MATCHING_SESSIONS)).trim_end().to_owned(),
        "COPIED_EVENTS" => copied_events("", DAYS_OF_COPIES),
        "COPIED_EVENTS_OF_SESSIONS" => copied_events(MESSAGES_OF_SESSIONS, DAYS_OF_COPIES),
        "COPIED_TOOLS" => {
            let [first, last] = DAYS_OF_COPIES;
            subquery(COPIED_TOOLS, &[SHARING, SHARED, ("{SHARED_WITH}", ""), first, last])
        }
        "SHARED_MESSAGES_OF_SESSIONS" => {
            let [first, last] = DAYS_OF_COPIES;
            subquery(SHARED_MESSAGES, &[("{SHARED_WITH}", MESSAGES_OF_SESSIONS), first, last])
        }
        "COPIES_ON_DAYS" => copied_events("", [("{FIRST_DAY}", "days.1"), ("{LAST_DAY}", "days.2")]),
        "GROUPED_EVENTS_OF_SELECTION" => subquery(GROUPED_EVENTS, &[("{SESSION_DAYS}", UNMERGED_DAYS)]),
        "GROUPED_EVENTS_OF_SESSIONS" => subquery(GROUPED_EVENTS, &[("{SESSION_DAYS}", DAYS_OF_SESSIONS)]),
        "SESSION_ROWS" => subquery(
            SESSION_ROWS,
            &[("{SESSION_DAYS}", DAYS_OF_SESSIONS), ("{IS_COPY}", IS_COPY)],
        ),
        "SESSION_ROWS_WITH_COPIES" => subquery(
            SESSION_ROWS,
            &[("{SESSION_DAYS}", DAYS_OF_SESSIONS), ("{IS_COPY}", "false")],
        ),
        "EVENTS_OF_RUN" => EVENTS_OF_RUN.to_owned(),
        "PLACES" => fill_in(PLACES),
        "ALL_PLACES" => instead(&fill_in(ALL_PLACES)),
        "CURRENT_RUNS" => fill_in(CURRENT_RUNS),
        "NOT_COPIED" => fill_in(NOT_COPIED),
        "WORDS" => WORDS.to_owned(),
        "MATCHING_EVENTS" => subquery(MATCHING_EVENTS, &[]),
        "SESSION_EVENTS" => subquery(SESSION_EVENTS, &[]),
        "SIGNS_OF_SELECTION" => subquery(SIGNS, &[("{EVENTS}", "{GROUPED_EVENTS_OF_SELECTION}")]),
        "SIGNS_OF_RUN" => subquery(SIGNS, &[("{EVENTS}", EVENTS_OF_RUN)]),
        "FRICTION_SIGNALS" => subquery(FRICTION_SIGNALS, &[]),
        "EVENT_COLUMNS" => sql::event_columns(),
        "EVENT_TS" => event_ts(),
        "HUMAN_AUTHOR" => HUMAN_AUTHOR.to_owned(),
        "REPO_URL" => without_credentials("max(d.repo_url)"),
        "REPOS" => format!(
            "arrayDistinct(arrayMap(url -> {}, groupUniqArrayArray(s.repos)))",
            without_credentials("url")
        ),
        "MODEL" => MODEL.to_owned(),
        "COUNTS" => COUNTS.to_owned(),
        "SOURCE" => SOURCE.to_owned(),
        "SOURCES" => SOURCES.to_owned(),
        "RUN" => RUN.to_owned(),
        "IS_MERGED" => IS_MERGED.to_owned(),
        "MCP_SERVER" => MCP_SERVER.to_owned(),
        "MCP_SERVER_OF_DELIVERIES" => MCP_SERVER
            .replace("tool_call_name", "max(d.tool_call_name)")
            .replace("kind", "max(d.kind)"),
        "ERROR" => ERROR.to_owned(),
        "OBSERVED_MS" => OBSERVED_MS.to_owned(),
        "REPORTED_MS" => reported_ms(),
        _ => panic!("a template names {{{name}}}, which codegen/template.rs doesn't define"),
    }
}

/// `event_ts` of an event, from all of its deliveries `d`: the same rule that files one delivery.
fn event_ts() -> String {
    format!(
        "if(min(d.start_ts) BETWEEN {EARLIEST_EVENT_MS} AND toUnixTimestamp64Milli(min(d.received_at)) + {LONGEST_AHEAD_MS},
   fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
   min(d.event_ts))"
    )
}

/// `reported_duration_ms` of an event. A call whose result is unknown has none, and one that went on in the background has
/// only that of its end.
fn reported_ms() -> String {
    let below = (1_u64 << RANK_SHIFT) - 1;
    format!(
        "multiIf(
    max(d.reported_duration_ms) IS NOT NULL, max(d.reported_duration_ms),
    {ERROR} IS NULL OR bitShiftRight(max(d.ranked_duration), {RANK_SHIFT}) = {LAUNCHED_RANK}, NULL,
    bitAnd(max(d.ranked_duration), {below}))"
    )
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    words.join(", ")
}
