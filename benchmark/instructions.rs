//! Runs one scenario a number of times, for `scripts/compare-instructions.mjs`, which counts the instructions:
//! `instructions <scenario> <input> <runs>`.

use bumpalo::Bump;
use git_ai_metrics::capture::{Session, agents, parse_transcript};
use git_ai_metrics::rows::{RowBuffers, RowFormat, RowOptions, RowWriter};
use git_ai_metrics::wire::EventAttributes;
use git_ai_metrics::wire::decode::{Limits, decode_batch};
use git_ai_metrics::wire::encode::BatchWriter;
use git_ai_metrics::wire::event::{Consumer, Event};
use git_ai_metrics::wire::json::Cursor;
use std::hint::black_box;

/// Ignores the events it receives.
struct Ignore;

impl<'a> Consumer<'a> for Ignore {
    fn event(&mut self, event: Event<'_, 'a>) {
        black_box(event.values.slots.present());
    }
    fn restart(&mut self) {}
}

/// Encodes the events it receives.
struct Encode(BatchWriter);

impl<'a> Consumer<'a> for Encode {
    fn event(&mut self, event: Event<'_, 'a>) {
        self.0.event(event);
    }
    fn restart(&mut self) {}
}

/// Memory that a process keeps between uploads.
#[derive(Default)]
struct Kept {
    arena: Bump,
    out: Vec<u8>,
    rows: RowBuffers,
}

fn run(scenario: &str, input: &[u8], kept: &mut Kept) {
    kept.arena.reset();
    let arena = &kept.arena;
    let limits = Limits::default();
    match scenario {
        "skip" => {
            let mut cursor = Cursor::new(input, arena).expect("UTF-8");
            black_box(cursor.skip_value().expect("JSON"));
        }
        "decode" => drop(decode_batch(input, &limits, arena, &mut Ignore).expect("an upload")),
        "encode" => {
            let mut encode = Encode(BatchWriter::begin(std::mem::take(&mut kept.out)));
            decode_batch(input, &limits, arena, &mut encode).expect("an upload");
            kept.out = encode.0.finish();
        }
        "RowBinaryWithNames" => rows(input, RowFormat::RowBinaryWithNames, kept),
        "JSONEachRow" => rows(input, RowFormat::JsonEachRow, kept),
        "transcript" => {
            let agent = agents::find("claude").expect("an agent");
            let session = Session::new("claude", "0c1d", EventAttributes::default());
            black_box(parse_transcript(agent, input, session));
        }
        unknown => panic!("no scenario is named {unknown}"),
    }
}

fn rows(input: &[u8], format: RowFormat, kept: &mut Kept) {
    let options = RowOptions {
        org_id: "acme",
        received_at_ms: 1_775_600_000_000,
        author: None,
        installation: None,
        clock_skew_ms: 0,
        format,
        prompt_events_only: false,
    };
    let mut writer = RowWriter::new(options, std::mem::take(&mut kept.rows));
    decode_batch(input, &Limits::default(), &kept.arena, &mut writer).expect("an upload");
    kept.rows = writer.into_buffers();
}

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let [scenario, input, runs] = arguments.as_slice() else {
        // `cargo bench` runs all benchmarks without arguments, and this one has nothing to say then.
        return;
    };
    let input = std::fs::read(input).expect("a readable input");
    let mut kept = Kept::default();
    for _ in 0..runs.parse().expect("a number of runs") {
        run(scenario, &input, &mut kept);
    }
    black_box(kept.out);
}
