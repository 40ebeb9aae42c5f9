//! What of `sql/` follows from the columns: the statements that insert rows, and a migration for every column that none
//! of the migrations so far has brought.

use git_ai_metrics::rows::{Column, columns};
use std::{collections::HashSet, fs, io, path::Path};

pub fn write(root: &Path) -> io::Result<()> {
    let sql = root.join("sql");
    fs::write(sql.join("insert.sql"), insert())?;
    fs::write(sql.join("insert-file.sql"), insert_file())?;
    for (set, dialect) in [("single", SINGLE), ("cluster", CLUSTER)] {
        let folder = sql.join(set);
        let (number, known) = migrations(&folder)?;
        let new: Vec<Column> = columns()
            .into_iter()
            .filter(|column| !known.contains(column.name))
            .collect();
        if let Some(first) = new.first() {
            let name = format!("{:04}_{}.sql", number + 1, first.name);
            fs::write(folder.join(name), add_columns(&new, &dialect))?;
        }
    }
    Ok(())
}

/// How the sets differ: where rows are stored, and what else has the same columns.
struct Dialect {
    stored: &'static str,
    merged: &'static str,
    on_cluster: &'static str,
    distributed: &'static [&'static str],
}

const SINGLE: Dialect = Dialect {
    stored: "prompt_event_deliveries",
    merged: "prompt_events",
    on_cluster: "",
    distributed: &[],
};

const CLUSTER: Dialect = Dialect {
    stored: "prompt_event_deliveries_local",
    merged: "prompt_events_local",
    on_cluster: " ON CLUSTER '{cluster}'",
    distributed: &["prompt_event_deliveries", "prompt_events"],
};

/// The number of the last migration, and the columns that all of them brought: those that their views select, since every
/// column is selected by one as `d.name`. Other words don't count; a field may be named as a table or a comment's word is.
fn migrations(folder: &Path) -> io::Result<(usize, HashSet<String>)> {
    let mut last = 0;
    let mut known = HashSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_string_lossy()
            .split('_')
            .next()
            .and_then(|number| number.parse().ok());
        last = last.max(number.unwrap_or(0));
        let text = fs::read_to_string(entry.path())?;
        known.extend(
            text.lines()
                .filter_map(|line| line.split("--").next())
                .flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.'))
                .filter_map(|word| word.strip_prefix("d."))
                .map(str::to_owned),
        );
    }
    Ok((last, known))
}

fn add_columns(new: &[Column], dialect: &Dialect) -> String {
    let Dialect {
        stored,
        merged,
        on_cluster,
        distributed,
    } = dialect;
    let alter = |table: &str, columns: String| format!("ALTER TABLE {table}{on_cluster}\n{columns};\n\n");
    let add = |ty: fn(&Column) -> String| {
        let lines: Vec<String> = new
            .iter()
            .map(|column| format!("    ADD COLUMN IF NOT EXISTS {} {}", column.name, ty(column)))
            .collect();
        lines.join(",\n")
    };
    let mut out = alter(stored, add(stored_type));
    let selected: Vec<String> = columns()
        .iter()
        .map(|Column { name, merge, .. }| match merge {
            Some(_) if *name == "event_ts" => EVENT_TS.to_owned(),
            Some(function) => format!("    {function}(d.{name}) AS {name}"),
            None => format!("    d.{name} AS {name}"),
        })
        .collect();
    out += &format!(
        "CREATE OR REPLACE VIEW {merged}{on_cluster} AS\nSELECT\n{}\nFROM {stored} AS d\nGROUP BY d.org_id, d.prompt_id, \
         d.event_id;\n",
        selected.join(",\n")
    );
    for table in *distributed {
        out += "\n";
        out += alter(table, add(|column| column.ty.to_owned())).trim_end();
        out += "\n";
    }
    out
}

/// The first migration says why.
const EVENT_TS: &str = "    \
    if(min(d.start_ts) BETWEEN 1577836800000 AND toUnixTimestamp64Milli(min(d.received_at)) + 86400000,
       fromUnixTimestamp64Milli(toInt64(assumeNotNull(min(d.start_ts))), 'UTC'),
       min(d.event_ts)) AS event_ts";

fn stored_type(column: &Column) -> String {
    match column.merge {
        Some(function) => format!("SimpleAggregateFunction({function}, {})", column.ty),
        None => column.ty.to_owned(),
    }
}

/// The columns, a line each, as `line` writes one.
fn lines(line: fn(&Column) -> String) -> String {
    let lines: Vec<String> = columns().iter().map(|column| format!("    {}", line(column))).collect();
    lines.join(",\n")
}

fn insert() -> String {
    let names = lines(|column| column.name.to_owned());
    format!("{INSERT_DOC}INSERT INTO prompt_event_deliveries\n(\n{names}\n)\n{SETTINGS}\nFORMAT RowBinary\n")
}

fn insert_file() -> String {
    let names = lines(|column| column.name.to_owned());
    let structure = lines(|column| format!("{} {}", column.name, column.ty));
    format!(
        "{INSERT_FILE_DOC}INSERT INTO prompt_event_deliveries\n(\n{names}\n)\n{SETTINGS}\nSELECT *\nFROM file({{file:String}}, \
         {{format:String}}, $$\n{structure}\n$$)\n"
    )
}

const INSERT_DOC: &str = "\
-- Takes the rows of encodePromptEventRows as a stream; for its other format say FORMAT JSONEachRow. What it relies on is pinned
-- here: async_insert, on by default since ClickHouse 26.2, could answer before the rows are stored, and so would an insert on
-- a cluster, before the shards have them; and an upload may hold events of more months than the 100 that an insert may touch
-- by default.
";

const INSERT_FILE_DOC: &str = "\
-- Takes the rows of encodePromptEventRows from a file, as embedded ClickHouse does: it takes no binary rows from memory.
--
-- {file:String}     where the rows are
-- {format:String}   RowBinary or JSONEachRow
--
-- The rows are read as plain types: to read them as the table's own (LowCardinality) takes five times as long as to convert
-- them afterwards.
";

const SETTINGS: &str =
    "SETTINGS async_insert = 0, distributed_foreground_insert = 1, max_partitions_per_insert_block = 0";
