//! Generates all files that aren't Rust from the tables in `src/wire/metrics.rs`: `generated/fields.js` (the tables for
//! JavaScript), `generated/protocol.js` (numbers that both sides share), `generated/builders.js`,
//! `generated/types.d.ts` (the public types), `docs/fields.md`, and the SQL files of the tables that store rows. With
//! `--release` it also records the columns as released.

mod sql;
mod template;

use git_ai_metrics::capture::agents;
use git_ai_metrics::capture::derive::DERIVER_VERSION;
use git_ai_metrics::capture::reports::{REPORTS, Reports};
use git_ai_metrics::identity::LONGEST_INPUT_TEXT_BYTES;
use git_ai_metrics::protocol::{NUMBERS, layout};
use git_ai_metrics::rows::{EARLIEST_RECEIVED_AT_MS, LATEST_RECEIVED_AT_MS};
use git_ai_metrics::wire::error::{ErrorCode, EventErrorCode, HIDDEN, LONGEST_EXCERPT};
use git_ai_metrics::wire::table::{
    Dialect, Field, FieldType, Form, Record, Table, Vocabulary, camel_case, pascal_case,
};
use git_ai_metrics::wire::{
    DEFAULT_MAX_BYTES, DEFAULT_MAX_EVENTS, EventAttributes, MAX_EVENTS_PER_UPLOAD, MAX_UNKNOWN_FIELDS, METRICS,
    USER_FACING_KINDS, WIRE_VERSION,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for (path, text) in [
        ("generated/fields.js", javascript()),
        ("generated/protocol.js", protocol()),
        ("generated/builders.js", builders()),
        ("generated/types.d.ts", typescript()),
        ("docs/fields.md", markdown()),
        (
            "docs/agents.md",
            agents_page(&fs::read_to_string(root.join("docs/agents.md"))?),
        ),
        ("sessions/src/api/agents.ts", agents_module()),
    ] {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    sql::write(root, std::env::args().any(|argument| argument == "--release"))
}

const NOTICE: &str = "Written by `npm run generate` from src/wire/metrics.rs; change it there.";

const PROTOCOL_NOTICE: &str = "Written by `npm run generate` from src/protocol.rs and src/wire; change it there.";

fn javascript() -> String {
    let mut out = format!("'use strict';\n// {NOTICE}\n\nmodule.exports = {{\n");
    let _ = writeln!(
        out,
        "  WIRE_VERSION: {WIRE_VERSION},\n  MAX_EVENTS_PER_UPLOAD: {MAX_EVENTS_PER_UPLOAD},\n  DEFAULT_MAX_EVENTS: \
         {DEFAULT_MAX_EVENTS},\n  DEFAULT_MAX_BYTES: {DEFAULT_MAX_BYTES},\n  MAX_UNKNOWN_FIELDS: {MAX_UNKNOWN_FIELDS},\n  LONGEST_INPUT_TEXT_BYTES: \
         {LONGEST_INPUT_TEXT_BYTES},\n  EARLIEST_RECEIVED_AT_MS: {EARLIEST_RECEIVED_AT_MS},\n  LATEST_RECEIVED_AT_MS: {LATEST_RECEIVED_AT_MS},\n  DERIVER_VERSION: {DERIVER_VERSION},\n  USER_FACING_KINDS: {USER_FACING_KINDS:?},"
    );
    let context: BTreeSet<_> = agents::ALL.iter().flat_map(|agent| agent.context).collect();
    let _ = writeln!(out, "  CONTEXT_RECORDS: [");
    for (member, value) in context {
        let _ = writeln!(out, "    ['{member}', '{value}'],");
    }
    let _ = writeln!(out, "  ],\n  FORK_HEADERS: [");
    for fork in agents::ALL.iter().filter_map(|agent| agent.fork_header.as_ref()) {
        let (member, value) = fork.header;
        let own = fork.own.join("', '");
        let _ = writeln!(out, "    {{ header: ['{member}', '{value}'], own: ['{own}'] }},");
    }
    let _ = writeln!(out, "  ],\n  METRICS: [");
    for metric in METRICS {
        let _ = writeln!(
            out,
            "    {{\n      id: {},\n      name: '{}',",
            metric.id, metric.table.name
        );
        if let Some(Dialect { attribute, container }) = metric.dialect {
            let attribute = camel_case(EventAttributes::TABLE.fields[attribute].name);
            let container = camel_case(metric.table.fields[container].name);
            let _ = writeln!(
                out,
                "      dialect: {{ attribute: '{attribute}', container: '{container}' }},"
            );
        }
        let _ = writeln!(out, "      fields: [{}],\n    }},", field_literals(metric.table, 8));
    }
    let _ = writeln!(
        out,
        "  ],\n  ATTRIBUTES: [{}],\n}};",
        field_literals(EventAttributes::TABLE, 4)
    );
    out
}

/// The numbers and field types on which Rust and JavaScript must agree.
fn protocol() -> String {
    let mut out = format!(
        "'use strict';\n// {PROTOCOL_NOTICE}\n\nmodule.exports = {{\n  LAYOUT: '{}',\n",
        layout()
    );
    for (name, value) in NUMBERS {
        let _ = writeln!(out, "  {name}: {value},");
    }
    // The content of a character class in a regular expression.
    let hidden: Vec<String> = HIDDEN
        .iter()
        .map(|&(first, last)| format!("\\\\u{{{:x}}}-\\\\u{{{:x}}}", u32::from(first), u32::from(last)))
        .collect();
    let _ = writeln!(
        out,
        "  LONGEST_EXCERPT: {LONGEST_EXCERPT},\n  HIDDEN: '{}',",
        hidden.concat()
    );
    out += "  FIELD_TYPES: {\n";
    for ty in FieldType::ALL {
        let form = match ty.form() {
            Form::Bool => "form: 'bool'".to_owned(),
            Form::Uint { largest } => format!("form: 'uint', largest: {largest}"),
            Form::Text => "form: 'text'".to_owned(),
            Form::Json => "form: 'json'".to_owned(),
            Form::List(item) => format!("form: 'list', item: '{}'", item.name()),
        };
        let (words, expected) = (ty.cell_words(), ty.expected());
        let _ = writeln!(
            out,
            "    '{}': {{ {form}, words: {words}, expected: '{expected}' }},",
            ty.name()
        );
    }
    out + "  },\n};\n"
}

/// One builder class per metric. The exports are written out, because Node finds the names for ESM imports in the
/// source.
fn builders() -> String {
    let mut out = format!("'use strict';\n// {NOTICE}\n\n");
    out += "const { eventBuilder, AttributesBuilder } = require('../lib/builders.js');\n\n";
    let mut names = Vec::new();
    for metric in METRICS {
        let name = builder_name(metric.table);
        let _ = writeln!(out, "class {name} extends eventBuilder('{}') {{}}", metric.table.name);
        names.push(name);
    }
    out += "class EventAttributesBuilder extends AttributesBuilder {}\n\nmodule.exports = {\n";
    for name in names.iter().map(String::as_str).chain(["EventAttributesBuilder"]) {
        let _ = writeln!(out, "  {name},");
    }
    out + "};\n"
}

fn builder_name(table: &Table) -> String {
    format!("{}Builder", pascal_case(table.name))
}

fn field_literals(table: &Table, indent: usize) -> String {
    if table.fields.is_empty() {
        return String::new();
    }
    let indent = " ".repeat(indent);
    let mut out = String::from("\n");
    for field in table.fields {
        let Field { position, name, ty, .. } = field;
        let property = camel_case(name);
        let ty = ty.name();
        let _ = writeln!(
            out,
            "{indent}{{ position: {position}, name: '{property}', type: '{ty}' }},"
        );
    }
    out + &indent[2..]
}

fn typescript() -> String {
    let mut out = format!("// {NOTICE}\n\nimport type {{ SkillFile, UnknownField }} from '../index.js';\n\n");
    for vocabulary in vocabularies() {
        let words: Vec<String> = vocabulary.words.iter().map(|word| format!("\n  | '{word}'")).collect();
        let _ = writeln!(
            out,
            "/**{} */\nexport type {} ={};\n",
            vocabulary.doc,
            vocabulary.name,
            words.concat()
        );
    }
    let codes = ErrorCode::ALL.iter().map(|(code, doc)| (code.as_str(), *doc));
    union_of_codes(&mut out, "ErrorCode", ErrorCode::DOC, codes);
    let codes = EventErrorCode::ALL.iter().map(|(code, doc)| (code.as_str(), *doc));
    union_of_codes(&mut out, "EventErrorCode", EventErrorCode::DOC, codes);
    interface(&mut out, EventAttributes::TABLE, "EventAttributes");
    builder(
        &mut out,
        EventAttributes::TABLE,
        "EventAttributesBuilder",
        "EventAttributes",
        "/** Returns the attributes as a plain object. */\n  build(): EventAttributes;",
    );
    let mut union = Vec::new();
    for metric in METRICS {
        let table = metric.table;
        let pascal = pascal_case(table.name);
        // The name `prompt_event` already ends with `event`.
        let event = if pascal.ends_with("Event") {
            pascal.clone()
        } else {
            format!("{pascal}Event")
        };
        let values = format!("{event}Values");
        interface(&mut out, table, &values);
        comment(&mut out, "", &[table.doc, &format!("Metric {}.", metric.id)].concat());
        let _ = writeln!(out, "export interface {event} {{\n  metric: '{}';", table.name);
        let _ = writeln!(
            out,
            "  /** When it was recorded, in unix seconds. */\n  timestamp: number;"
        );
        let _ = writeln!(out, "  values: {values};\n  attributes: EventAttributes;");
        comment(
            &mut out,
            "  ",
            "Fields that this version doesn't know. Absent if there are none.",
        );
        let _ = writeln!(out, "  unknown?: UnknownField[];\n}}\n");
        let build = format!(
            "/**\n   * Returns the event as a plain object.\n   * @param timestamp unix seconds; default now\n   * @throws \
             `ERR_INVALID_ARGUMENT`\n   */\n  build(attributes: EventAttributes, timestamp?: number): {event};"
        );
        builder(&mut out, table, &builder_name(table), &event, &build);
        union.push(event);
    }
    comment(
        &mut out,
        "",
        "An event of a metric that this version knows, discriminated by `metric`.",
    );
    let _ = writeln!(out, "export type NamedEvent =\n  | {};", union.join("\n  | "));
    out
}

/// Every vocabulary that a field uses, once, in the order of first use.
fn vocabularies() -> Vec<&'static Vocabulary> {
    let mut found: Vec<&Vocabulary> = Vec::new();
    let tables = METRICS.iter().map(|metric| metric.table);
    for field in tables.chain([EventAttributes::TABLE]).flat_map(|table| table.fields) {
        if let Some(vocabulary) = field.vocabulary
            && found.iter().all(|known| known.name != vocabulary.name)
        {
            found.push(vocabulary);
        }
    }
    found
}

/// A union of string literals. Its doc comment explains each of them.
fn union_of_codes<'c>(out: &mut String, name: &str, doc: &str, codes: impl Iterator<Item = (&'c str, &'c str)>) {
    let (mut list, mut union) = (String::new(), String::new());
    for (code, doc) in codes {
        let _ = write!(list, "\n- `{code}`: {}", doc.trim());
        let _ = write!(union, "\n  | '{code}'");
    }
    comment(out, "", &format!("{}\n{list}", doc.trim()));
    let _ = writeln!(out, "export type {name} ={union};\n");
}

fn interface(out: &mut String, table: &Table, name: &str) {
    let what = match table.name {
        "attributes" => table.doc.to_owned(),
        metric => format!("Values of `{metric}`. A field that isn't set is absent; `null` is an explicit null."),
    };
    comment(out, "", &what);
    if table.fields.is_empty() {
        let _ = writeln!(out, "export type {name} = Record<string, never>;\n");
        return;
    }
    let _ = writeln!(out, "export interface {name} {{");
    for field in table.fields {
        comment(out, "  ", field.doc);
        let property = camel_case(field.name);
        let _ = writeln!(out, "  {property}?: {} | null;", value_type(field, ""));
    }
    let _ = writeln!(out, "}}\n");
}

fn builder(out: &mut String, table: &Table, name: &str, built: &str, build: &str) {
    let setters = "Pass `null` to set an explicit null. A field whose setter you don't call stays unset.\nA setter throws \
                   `ERR_INVALID_ARGUMENT` if the value doesn't have the field's type.";
    let doc = if table.fields.is_empty() {
        format!("Builder of `{built}`.")
    } else {
        format!("Builder of `{built}`.\n{setters}")
    };
    comment(out, "", &doc);
    let _ = writeln!(out, "export class {name} {{");
    for field in table.fields {
        let (doc, ty) = match field.name {
            "custom_attributes" => (
                "Strings by name. They are stored as a JSON object in a string.",
                "Record<string, string>".to_owned(),
            ),
            _ => (field.doc, value_type(field, "readonly ")),
        };
        comment(out, "  ", doc);
        let _ = writeln!(out, "  {}(value: {ty} | null): this;", camel_case(field.name));
    }
    if table.fields.iter().any(|field| field.name == "skill_file_path") {
        comment(out, "  ", "Sets the three skill fields at once.");
        let _ = writeln!(out, "  skillFile(file: SkillFile | null): this;");
    }
    let _ = writeln!(out, "  {build}\n}}\n");
}

/// A field's TypeScript type. A vocabulary is open, because newer clients may use words that this version doesn't know.
fn value_type(field: &Field, list_prefix: &str) -> String {
    if let Some(Vocabulary { name, .. }) = field.vocabulary {
        return format!("{name} | (string & {{}})");
    }
    match field.ty.form() {
        Form::List(item) => format!("{list_prefix}{}[]", scalar_type(item)),
        _ => scalar_type(field.ty).to_owned(),
    }
}

fn scalar_type(ty: FieldType) -> &'static str {
    match ty.form() {
        Form::Bool => "boolean",
        Form::Uint { .. } => "number",
        Form::Text | Form::Json => "string",
        Form::List(_) => unreachable!("lists of lists have no form"),
    }
}

fn comment(out: &mut String, indent: &str, text: &str) {
    let text = text.trim();
    if text.contains('\n') {
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("{indent} * {}\n", line.trim()))
            .collect();
        let _ = writeln!(out, "{indent}/**\n{}{indent} */", lines.concat());
    } else {
        let _ = writeln!(out, "{indent}/** {text} */");
    }
}

fn markdown() -> String {
    let mut out =
        format!("# Fields\n\n<!-- {NOTICE} -->\n\nThe meaning of each position and its name in JavaScript.\n");
    for metric in METRICS {
        let title = format!("{} `{}`", metric.id, metric.table.name);
        table_of_fields(&mut out, &title, metric.table);
    }
    table_of_fields(&mut out, "Attributes", EventAttributes::TABLE);
    out
}

const REPORTS_NOTICE: &str = "written by `npm run generate` from src/capture/reports.rs; change it there";

/// The columns of the table of agents: what JavaScript and the docs call them, and what a row has there.
type ReportedBy = fn(&Reports) -> Option<&'static str>;
const REPORTED: [(&str, &str, ReportedBy); 7] = [
    ("thoughts", "thoughts", |row| row.thoughts),
    ("model", "`model`", |row| row.model),
    ("error", "`error`", |row| row.error),
    ("observed", "`observedDurationMs`", |row| row.observed_duration),
    ("reported", "`reportedDurationMs`", |row| row.reported_duration),
    ("skill_file", "skill file", |row| row.skill_file),
    ("subagents", "subagents", |row| row.subagents),
];

/// The page of agents, with its table of what they can report written anew.
fn agents_page(page: &str) -> String {
    let (start, end) = (format!("<!-- {REPORTS_NOTICE} -->\n\n"), "\n<!-- end -->");
    let (before, rest) = page.split_once(&start).expect("docs/agents.md has the table's start");
    let (_, after) = rest.split_once(end).expect("docs/agents.md has the table's end");
    let titles: Vec<&str> = REPORTED.iter().map(|(_, title, _)| *title).collect();
    let mut table = format!(
        "| name | {} |\n|{}\n",
        titles.join(" | "),
        "---|".repeat(titles.len() + 1)
    );
    for row in REPORTS {
        let cells: Vec<&str> = REPORTED.iter().map(|(_, _, of)| of(row).unwrap_or("–")).collect();
        let _ = writeln!(table, "| `{}` | {} |", row.name, cells.join(" | "));
    }
    format!("{before}{start}{table}{end}{after}")
}

fn agents_module() -> String {
    let mut out = format!(
        "/** What each agent can report, and how; null if it can't: {REPORTS_NOTICE}. */\n\nexport interface Reports {{\n"
    );
    for (name, _, _) in REPORTED {
        let _ = writeln!(out, "  {name}: string | null;");
    }
    let _ = writeln!(
        out,
        "}}\n\nexport const REPORTS: Readonly<Record<string, Reports>> = {{"
    );
    for row in REPORTS {
        let _ = writeln!(out, "  {:?}: {{", row.name);
        for (name, _, of) in REPORTED {
            let _ = match of(row) {
                Some(how) => writeln!(out, "    {name}: {how:?},"),
                None => writeln!(out, "    {name}: null,"),
            };
        }
        let _ = writeln!(out, "  }},");
    }
    out + "};\n"
}

fn table_of_fields(out: &mut String, title: &str, table: &Table) {
    let doc: Vec<&str> = table.doc.lines().map(str::trim).collect();
    let _ = writeln!(out, "\n## {title}\n\n{}", doc.join("\n").trim());
    if table.fields.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n| position | wire | JavaScript | type | |\n|---|---|---|---|---|"
    );
    for field in table.fields {
        let words = field.vocabulary.map_or(String::new(), |vocabulary| {
            let words: Vec<String> = vocabulary.words.iter().map(|word| format!("`{word}`")).collect();
            format!(" Known: {}.", words.join(", "))
        });
        let Field {
            position,
            name,
            ty,
            doc,
            ..
        } = field;
        let (property, ty) = (camel_case(name), ty.name());
        let _ = writeln!(out, "| {position} | `{name}` | `{property}` | {ty} | {doc}{words} |");
    }
}
