//! Captures any bytes as an agent's transcript. The first byte chooses the agent if it is small enough; otherwise the bytes
//! themselves show it. Must never panic, and its events must survive encoding and decoding. A reader that gets the bytes in
//! two pieces, in two processes, must capture the same events as one that gets them at once. The same bytes as a compressed
//! file may be refused, but no more.
#![no_main]

use bumpalo::Bump;
use git_ai_metrics::capture::agents::{ALL, Agent, identify};
use git_ai_metrics::capture::{Captured, Session, TranscriptReader, parse_transcript};
use git_ai_metrics::wire::EventAttributes;
use git_ai_metrics::wire::PromptEventValues;
use git_ai_metrics::wire::decode::{Limits, decode_batch};
use git_ai_metrics::wire::encode::BatchWriter;
use git_ai_metrics::wire::event::{Consumer, Event};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::fs;

struct Encode(BatchWriter);

impl<'a> Consumer<'a> for Encode {
    fn event(&mut self, event: Event<'_, 'a>) {
        self.0.event(event);
    }
    fn restart(&mut self) {}
}

/// The agent, and its transcript.
fn chosen(input: &[u8]) -> (&'static Agent, &[u8]) {
    if let Some((&first, rest)) = input.split_first()
        && let Some(agent) = ALL.get(usize::from(first))
    {
        return (agent, rest);
    }
    (identify(input).map_or(&ALL[0], |(agent, _)| agent), input)
}

fn session(agent: &Agent) -> Session {
    // A folder that doesn't exist, so that the skills on this machine don't matter.
    Session {
        cwd: Some("/nonexistent".into()),
        ..Session::new(agent.name, "0c1d", EventAttributes::default())
    }
}

type ById = BTreeMap<Option<Option<String>>, PromptEventValues>;

fn by_id(captured: impl IntoIterator<Item = git_ai_metrics::capture::PromptEvent>) -> ById {
    captured.into_iter().map(|event| (event.values.event_id.clone(), event.values)).collect()
}

fn assert_encodes(captured: &Captured) {
    let arena = Bump::new();
    let mut encode = Encode(BatchWriter::begin(Vec::new()));
    captured.send(&arena, &mut encode);
    let upload = encode.0.finish();
    let limits = Limits {
        max_events: usize::MAX,
        max_bytes: usize::MAX,
    };
    let mut again = Encode(BatchWriter::begin(Vec::new()));
    let errors = decode_batch(&upload, &limits, &arena, &mut again).expect("what capture gives is an upload");
    assert_eq!(errors, []);
    assert_eq!(again.0.finish(), upload);
}

fuzz_target!(|input: &[u8]| {
    let (agent, jsonl) = chosen(input);
    let captured = parse_transcript(agent, jsonl, session(agent));
    assert_encodes(&captured);

    let path = std::env::temp_dir().join(format!("git-ai-metrics-fuzz-{}.jsonl", std::process::id()));
    // Not `captured`: a reader keeps a queued prompt back until it is clear that no user line repeats it.
    fs::write(&path, jsonl).expect("a temporary file");
    let mut reader = TranscriptReader::new(agent, &path, session(agent));
    let whole = reader.read(Some(usize::MAX)).expect("a file that is there").events;

    let packed = path.with_extension("jsonl.zst");
    fs::write(&packed, jsonl).expect("a temporary file");
    let _ = TranscriptReader::new(agent, &packed, session(agent)).read(Some(usize::MAX));
    fs::remove_file(&packed).expect("a temporary file");

    // Cut at a place that depends only on the input.
    let sum: usize = jsonl.iter().map(|&byte| usize::from(byte)).sum();
    let cut = sum % (jsonl.len() + 1);
    fs::write(&path, &jsonl[..cut]).expect("a temporary file");
    let mut reader = TranscriptReader::new(agent, &path, session(agent));
    let mut read = reader.read(Some(usize::MAX)).expect("a file that is there").events;
    fs::write(&path, jsonl).expect("a temporary file");
    let state = reader.state();
    let mut resumed = TranscriptReader::resume(agent, &path, session(agent), &state).expect("a state that was given out");
    read.extend(resumed.read(Some(usize::MAX)).expect("a file that is there").events);
    // If the cut follows an object whose line then turns out to be invalid, the reader has already captured the object.
    let cut_behind_object = jsonl[..cut].trim_ascii_end().ends_with(b"}");
    let whole_line = jsonl[cut..].trim_ascii_start().is_empty() || jsonl[cut..].starts_with(b"\n");
    if !cut_behind_object || whole_line {
        assert_eq!(by_id(read), by_id(whole));
    }
});
