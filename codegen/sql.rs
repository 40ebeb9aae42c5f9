//! Generates `generated/columns.js` and the files in `sql/`: tables, views and insert statements, for one node and for a
//! cluster, and the queries.
//!
//! `sql/released.txt` lists the columns of released migrations. All other migrations are written anew each time, so a
//! column that is renamed before its release leaves no trace.

use crate::template;
use git_ai_metrics::rows::{
    Column, LATEST_RECEIVED_AT_MS, Merging, PROMPT_EVENT_DELIVERIES, ROW_TABLES, RowTable, SESSION_RECORDS,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::{fs, io, path::Path};

/// Writes all files. With `release`, also records the current columns as released.
pub fn write(root: &Path, release: bool) -> io::Result<()> {
    let sql = root.join("sql");
    let released = Released::read(&sql.join("released.txt"))?;
    let migration = released.next_migration();
    for set in [SINGLE, CLUSTER] {
        let folder = sql.join(set.name);
        remove_unreleased(&folder, &released)?;
        if let Some(name) = &migration {
            let text = if released.columns.is_empty() {
                create_tables(&set) + "\n" + &session_tables(&set)
            } else {
                add_columns(&set, &released)
            };
            fs::write(folder.join(name), text)?;
        }
        fs::write(folder.join("views.sql"), views(&set))?;
    }
    for table in ROW_TABLES {
        fs::write(sql.join(insert_name(table, "insert")), insert(table))?;
        fs::write(sql.join(insert_name(table, "insert-file")), insert_file(table))?;
    }
    queries(&root.join("codegen/queries"), &sql.join("queries"))?;
    queries(&root.join("codegen/merge"), &sql.join("merge"))?;
    fs::write(root.join("generated/columns.js"), javascript())?;
    match (release, migration) {
        (true, Some(migration)) => released.with_all_columns(&migration).write(&sql.join("released.txt")),
        _ => Ok(()),
    }
}

// ---- migrations -----------------------------------------------------------------------------------------------------

/// A set of statements, for one node or for a cluster, and how they differ.
struct Set {
    name: &'static str,
    on_cluster: &'static str,
    /// The suffix of tables that store rows.
    local: &'static str,
    /// The prefix of the engine's name.
    replicated: &'static str,
    /// The first arguments of the engine.
    replica: &'static str,
}

const SINGLE: Set = Set {
    name: "single",
    on_cluster: "",
    local: "",
    replicated: "",
    replica: "",
};

/// The server fills in its macros `{cluster}`, `{shard}` and `{replica}`.
const CLUSTER: Set = Set {
    name: "cluster",
    on_cluster: " ON CLUSTER '{cluster}'",
    local: "_local",
    replicated: "Replicated",
    replica: "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'",
};

impl Set {
    fn is_distributed(&self) -> bool {
        !self.local.is_empty()
    }

    fn engine(&self, table: &RowTable) -> String {
        let (name, argument) = match table.merging {
            Merging::ByColumn => ("AggregatingMergeTree", ""),
            Merging::ByRank => ("ReplacingMergeTree", "rank"),
        };
        let arguments: Vec<&str> = [self.replica, argument]
            .into_iter()
            .filter(|each| !each.is_empty())
            .collect();
        let arguments = if arguments.is_empty() {
            String::new()
        } else {
            format!("({})", arguments.join(", "))
        };
        format!("{}{name}{arguments}", self.replicated)
    }

    /// A template's text: `{on_cluster}` and `{local}` as in this set, engines as `{ReplacingMergeTree}`, and the names
    /// of `template`.
    fn fill_in(&self, template: &str) -> String {
        let template = template::fill_in(template);
        ["AggregatingMergeTree", "ReplacingMergeTree", "MergeTree"]
            .into_iter()
            .fold(template, |text, engine| {
                let arguments = if self.replica.is_empty() {
                    String::new()
                } else {
                    format!("({})", self.replica)
                };
                text.replace(
                    &format!("{{{engine}}}"),
                    &format!("{}{engine}{arguments}", self.replicated),
                )
            })
            .replace("{on_cluster}", self.on_cluster)
            .replace("{local}", self.local)
    }

    fn distributed(&self, name: &str, sharded_by: &[&str]) -> String {
        format!(
            "Distributed('{{cluster}}', currentDatabase(), {name}{}, cityHash64({}))",
            self.local,
            sharded_by.join(", ")
        )
    }
}

fn create_tables(set: &Set) -> String {
    let mut out = String::new();
    if set.is_distributed() {
        out += "-- The tables of single/, replicated and distributed. You insert into and read from the same names.\n\
                -- All deliveries of one event must reach the same shard, because each shard merges its own rows.\n\n";
    }
    for table in ROW_TABLES {
        let RowTable { name, .. } = table;
        let Set { on_cluster, local, .. } = set;
        let mut lines: Vec<(String, Option<&str>)> = table
            .columns()
            .iter()
            .map(|column| {
                (
                    format!("{} {}", column.name, stored_type(table, column)),
                    column.comment,
                )
            })
            .collect();
        if table.merging == Merging::ByRank {
            lines.push((format!("rank UInt256 MATERIALIZED\n        {}", rank(table)), None));
        }
        let _ = writeln!(out, "{}", commented(table.doc));
        let _ = writeln!(out, "CREATE TABLE IF NOT EXISTS {name}{local}{on_cluster}\n(");
        for (place, (line, comment)) in lines.iter().enumerate() {
            let comma = if place + 1 < lines.len() { "," } else { "" };
            let comment = comment.map_or(String::new(), |comment| format!(" -- {comment}"));
            let _ = writeln!(out, "    {line}{comma}{comment}");
        }
        let _ = writeln!(
            out,
            ")\nENGINE = {}\nPARTITION BY toYYYYMM(event_ts)\nORDER BY ({})\n{};\n",
            set.engine(table),
            table.sort_key.join(", "),
            template::ROW_PARTS
        );
        if set.is_distributed() {
            let engine = set.distributed(name, table.sharded_by);
            let _ = writeln!(
                out,
                "CREATE TABLE IF NOT EXISTS {name}{on_cluster} AS {name}{local}\nENGINE = {engine};\n"
            );
        }
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// What is kept of sessions besides their events. Deliveries of a session meet on one shard, and so do its days.
fn session_tables(set: &Set) -> String {
    let mut out = set.fill_in(include_str!("tables.sql"));
    if set.is_distributed() {
        let on_cluster = set.on_cluster;
        for (name, sharded_by) in [
            ("session_days", PROMPT_EVENT_DELIVERIES.sharded_by),
            ("merged_events", PROMPT_EVENT_DELIVERIES.sharded_by),
            ("merged_signs", PROMPT_EVENT_DELIVERIES.sharded_by),
            ("merged_sessions", PROMPT_EVENT_DELIVERIES.sharded_by),
            ("upload_clocks", &["org_id", "installation"]),
            ("record_sessions", SESSION_RECORDS.sharded_by),
        ] {
            let engine = set.distributed(name, sharded_by);
            let _ = write!(
                out,
                "\nCREATE TABLE IF NOT EXISTS {name}{on_cluster} AS {name}_local\nENGINE = {engine};\n"
            );
        }
    }
    out
}

/// The rank that decides which delivery of a record wins. The most significant bits count first. Deliveries of equal
/// rank are equal in all columns, so it doesn't matter which one a merge keeps.
fn rank(table: &RowTable) -> String {
    let columns = table.columns().into_iter().map(|column| column.name);
    let others: Vec<&str> = columns.filter(|name| *name != "raw_json").collect();
    // Hash the tuple's text, because the hash of a NULL would be NULL.
    format!(
        "bitShiftLeft(toUInt256(length(ifNull(raw_json, ''))), 192)
        + bitShiftLeft(toUInt256(named_author IS NOT NULL), 184)
        + bitShiftLeft(toUInt256(cityHash64(ifNull(raw_json, ''))), 112)
        + bitShiftLeft(toUInt256({LATEST_RECEIVED_AT_MS} - toUnixTimestamp64Milli(received_at)), 64)
        + cityHash64(toString(({})))",
        others.join(", ")
    )
}

fn add_columns(set: &Set, released: &Released) -> String {
    let Set { on_cluster, local, .. } = set;
    let mut out = String::new();
    for table in ROW_TABLES {
        let new = released.missing(table);
        if new.is_empty() {
            continue;
        }
        let mut alter = |name: String, ty: &dyn Fn(&Column) -> String| {
            let lines: Vec<String> = new
                .iter()
                .map(|column| format!("    ADD COLUMN IF NOT EXISTS {} {}", column.name, ty(column)))
                .collect();
            let _ = writeln!(out, "ALTER TABLE {name}{on_cluster}\n{};\n", lines.join(",\n"));
        };
        alter(format!("{}{local}", table.name), &|column| stored_type(table, column));
        if set.is_distributed() {
            alter(table.name.to_owned(), &|column| column.ty.to_owned());
        }
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// A column's type in the table that stores rows.
fn stored_type(table: &RowTable, column: &Column) -> String {
    let ty = if column.low_cardinality {
        format!("LowCardinality({})", column.ty)
    } else {
        column.ty.to_owned()
    };
    let ty = match column.merge {
        Some(function) if table.merging == Merging::ByColumn => format!("SimpleAggregateFunction({function}, {ty})"),
        _ => ty,
    };
    column.codec.map_or(ty.clone(), |codec| format!("{ty} CODEC({codec})"))
}

/// The columns of an event, from all of its deliveries `d`.
pub fn event_columns() -> String {
    let columns: Vec<String> = PROMPT_EVENT_DELIVERIES
        .columns()
        .iter()
        .map(|Column { name, merge, .. }| match merge {
            _ if *name == "event_ts" => "{EVENT_TS} AS event_ts".to_owned(),
            _ if *name == "human_author" => "{HUMAN_AUTHOR} AS human_author".to_owned(),
            _ if *name == "error" => "{ERROR} AS error".to_owned(),
            _ if *name == "model" => "{MODEL} AS model".to_owned(),
            _ if *name == "observed_duration_ms" => "{OBSERVED_MS} AS observed_duration_ms".to_owned(),
            _ if *name == "reported_duration_ms" => "{REPORTED_MS} AS reported_duration_ms".to_owned(),
            Some(function) => format!("{function}(d.{name}) AS {name}"),
            None => format!("d.{name} AS {name}"),
        })
        .collect();
    template::fill_in(&columns.join(",\n"))
}

/// The views, which aren't part of a migration. You apply them after the migrations, each time, so they can change
/// between releases.
fn views(set: &Set) -> String {
    let Set { on_cluster, local, .. } = set;
    let table = &PROMPT_EVENT_DELIVERIES;
    let selected = template::fill_in("    {EVENT_COLUMNS}");
    let counts = template::fill_in("{COUNTS}");
    let source = template::fill_in("{SOURCE}");
    let mut out = format!(
        "{VIEWS_DOC}CREATE OR REPLACE VIEW prompt_events{local}{on_cluster} AS\nSELECT\n{selected}\nFROM {}{local} AS d\n\
         WHERE (d.org_id, d.prompt_id, {source}) NOT IN\n(\n    \
             SELECT\n        org_id,\n        prompt_id,\n        if(max(has_own), 'record', 'client')\n    FROM session_days{local}\n    \
             GROUP BY org_id, prompt_id\n    HAVING max(has_derived)\n)\n\
         GROUP BY d.org_id, d.prompt_id, d.event_id\nHAVING {counts};\n",
        table.name
    );
    let _ = write!(
        out,
        "\n{}",
        set.fill_in(
            "-- The sessions of a window, with their state. The queries have the same text in place of the view: ClickHouse\n\
             -- analyses a view with parameters several times.\n--\n{MATCHING_SESSIONS_DOC}\n\
             CREATE OR REPLACE VIEW matching_sessions{on_cluster} AS\nSELECT *\nFROM {MATCHING_SESSIONS};\n"
        )
    );
    if set.is_distributed() {
        let engine = set.distributed("prompt_events", table.sharded_by);
        let _ = write!(
            out,
            "\n-- Each shard groups its own events, so only a query's result crosses the network.\n\
             CREATE OR REPLACE TABLE prompt_events{on_cluster} AS prompt_events{local}\nENGINE = {engine};\n"
        );
    }
    out
}

const VIEWS_DOC: &str = "\
-- Written by `npm run generate` from codegen/fragments and src/rows/tables.rs; change it there.
--
-- Apply this after the migrations, each time.
--
-- One row per event. The view groups by the event's identity alone. The sort key of the deliveries also contains the
-- day, and a delivery without start_ts can fall on another day. Neither merges nor FINAL would join it with the others
-- there.
--
-- A session of which both prompt events and records came counts once. If a client has read the agent's own files, what was
-- derived from records is left out; if it only heard hooks, what these said.
";

fn commented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("-- {line}")).collect();
    lines.join("\n")
}

// ---- queries --------------------------------------------------------------------------------------------------------

/// The product's own query, word for word. It has no template.
const LEADERBOARD: &str = "leaderboard.sql";

/// Fills in all templates of queries, and removes queries without one.
fn queries(templates: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != LEADERBOARD {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(templates)? {
        let name = entry?.file_name();
        let text = template::fill_in(&fs::read_to_string(templates.join(&name))?);
        let notice = format!(
            "-- Written by `npm run generate` from codegen/{}/{}; change it there.\n--\n",
            templates.file_name().unwrap_or_default().display(),
            name.display()
        );
        fs::write(folder.join(&name), notice + &text)?;
    }
    Ok(())
}

// ---- what has been released -----------------------------------------------------------------------------------------

/// The columns of each released migration, with their types. A type never changes, because rows of older versions
/// contain only names.
#[derive(Default)]
struct Released {
    migrations: Vec<String>,
    /// Type by `table.column`.
    columns: BTreeMap<String, String>,
    text: String,
}

const RELEASED_DOC: &str = "\
# The columns of released migrations: migration, table.column, type in rows.
# `npm run release:columns` appends to this file. Its lines never change.
";

impl Released {
    fn read(path: &Path) -> io::Result<Released> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => RELEASED_DOC.to_owned(),
            Err(error) => return Err(error),
        };
        let mut released = Released::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.splitn(3, ' ');
            let (Some(migration), Some(column), Some(ty)) = (words.next(), words.next(), words.next()) else {
                return Err(io::Error::other(format!("{}: not a column: {line}", path.display())));
            };
            if released.migrations.last().is_none_or(|last| last != migration) {
                released.migrations.push(migration.to_owned());
            }
            released.columns.insert(column.to_owned(), ty.to_owned());
        }
        released.text = text;
        for table in ROW_TABLES {
            for column in table.columns() {
                let name = format!("{}.{}", table.name, column.name);
                if let Some(ty) = released.columns.get(&name).filter(|ty| **ty != column.ty) {
                    let problem = format!(
                        "{name} was released as {ty} and can't become {}: give it another name",
                        column.ty
                    );
                    return Err(io::Error::other(problem));
                }
            }
        }
        Ok(released)
    }

    /// The columns of a table that no released migration contains.
    fn missing(&self, table: &RowTable) -> Vec<Column> {
        let is_new = |column: &Column| !self.columns.contains_key(&format!("{}.{}", table.name, column.name));
        table.columns().into_iter().filter(is_new).collect()
    }

    /// The name of the migration for the missing columns, if there are any.
    fn next_migration(&self) -> Option<String> {
        let first = ROW_TABLES.iter().flat_map(|table| self.missing(table)).next()?;
        let name = if self.columns.is_empty() { "tables" } else { first.name };
        Some(format!("{:04}_{name}.sql", self.migrations.len() + 1))
    }

    fn with_all_columns(mut self, migration: &str) -> Released {
        for table in ROW_TABLES {
            for column in self.missing(table) {
                let _ = writeln!(self.text, "{migration} {}.{} {}", table.name, column.name, column.ty);
            }
        }
        self
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, &self.text)
    }
}

fn remove_unreleased(folder: &Path, released: &Released) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_migration = name.starts_with(|first: char| first.is_ascii_digit());
        if is_migration && !released.migrations.contains(&name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

// ---- inserts --------------------------------------------------------------------------------------------------------

/// The statements for prompt events have names without a table.
fn insert_name(table: &RowTable, kind: &str) -> String {
    if table.name == PROMPT_EVENT_DELIVERIES.name {
        format!("{kind}.sql")
    } else {
        format!("{kind}-{}.sql", table.name)
    }
}

/// Formats each column as a line.
fn lines(table: &RowTable, line: fn(&Column) -> String) -> String {
    let lines: Vec<String> = table
        .columns()
        .iter()
        .map(|column| format!("    {}", line(column)))
        .collect();
    lines.join(",\n")
}

fn names(table: &RowTable) -> String {
    lines(table, |column| column.name.to_owned())
}

fn structure(table: &RowTable) -> String {
    lines(table, |column| format!("{} {}", column.name, column.ty))
}

/// Ends without a newline. If the statement is sent in a URL, ClickHouse would read a newline as the first byte of the
/// rows.
fn insert(table: &RowTable) -> String {
    let (name, names) = (table.name, names(table));
    format!("{INSERT_DOC}{SETTINGS_DOC}INSERT INTO {name}\n(\n{names}\n)\n{SETTINGS}\nFORMAT RowBinaryWithNames")
}

fn insert_file(table: &RowTable) -> String {
    let (name, names, structure) = (table.name, names(table), structure(table));
    format!(
        "{INSERT_FILE_DOC}{SETTINGS_DOC}INSERT INTO {name}\n(\n{names}\n)\n{SETTINGS}\nSELECT\n{names}\nFROM file({{file:String}}, \
         {{format:String}}, $$\n{structure}\n$$)\n"
    )
}

const INSERT_DOC: &str = "\
-- Inserts rows over HTTP. Send this file unchanged, either as the parameter `query` with the rows as the body, or at
-- the start of the body with the rows right after it. For JSONEachRow, replace the last word.
";

const INSERT_FILE_DOC: &str = "\
-- Inserts rows from a file. Embedded ClickHouse needs this, because it can't read binary rows from memory.
--
-- {file:String}     the file
-- {format:String}   RowBinaryWithNames or JSONEachRow
--
-- The rows are read as plain types. Reading them as LowCardinality would take longer than converting them.
";

const SETTINGS_DOC: &str = "\
--
-- Rows name their columns. A column that is missing in the rows gets its default. A column that isn't listed here is an
-- error. So rows and tables of different versions never mix up columns and never lose data. The settings pin this
-- behaviour. Two more make sure that the rows are stored when ClickHouse answers: async_insert, on by default since
-- 26.2, would answer earlier, and an insert into a cluster would answer before the shards have the rows. Another allows
-- uploads with events of more than the 100 months that an insert may touch by default. The last one leaves it to merges to
-- combine equal rows: doing it in each insert takes a third of its CPU, and no query depends on it.
";

const SETTINGS: &str = "\
SETTINGS async_insert = 0, distributed_foreground_insert = 1, max_partitions_per_insert_block = 0,
    input_format_with_names_use_header = 1, input_format_skip_unknown_fields = 0, optimize_on_insert = 0";

// ---- JavaScript -----------------------------------------------------------------------------------------------------

fn javascript() -> String {
    let mut out = String::from(
        "'use strict';\n// Written by `npm run generate` from src/rows/tables.rs and src/wire/metrics.rs; change it there.\n\n\
         /** The columns of each table, in the order of the rows. */\nconst ROW_COLUMNS = {\n",
    );
    for table in ROW_TABLES {
        let _ = writeln!(out, "  {}: [", table.name);
        for Column { name, ty, .. } in table.columns() {
            let _ = writeln!(out, "    {{ name: '{name}', type: \"{ty}\" }},");
        }
        let _ = writeln!(out, "  ],");
    }
    out += "};\n\nfor (const columns of Object.values(ROW_COLUMNS)) {\n  for (const column of columns) Object.freeze(column);\n  Object.freeze(columns);\n}\n\n";
    let _ = writeln!(
        out,
        "module.exports = {{\n  ROW_COLUMNS: Object.freeze(ROW_COLUMNS),\n  PROMPT_EVENT_COLUMNS: \
         Object.freeze(ROW_COLUMNS.{}.map(({{ name }}) => name)),\n}};",
        PROMPT_EVENT_DELIVERIES.name
    );
    out
}
