//! Decodes any bytes. Decoding must never panic, and must agree with serde_json on whether the bytes are JSON. Decoded
//! events must survive encoding and decoding unchanged.
#![no_main]

use bumpalo::Bump;
use git_ai_metrics::wire::decode::{Limits, decode_batch};
use git_ai_metrics::wire::encode::BatchWriter;
use git_ai_metrics::wire::error::{BatchError, EventError};
use git_ai_metrics::wire::event::{Consumer, Event};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

#[derive(Default)]
struct Encode(Option<BatchWriter>);

impl<'a> Consumer<'a> for Encode {
    fn event(&mut self, event: Event<'_, 'a>) {
        self.0.get_or_insert_with(|| BatchWriter::begin(Vec::new())).event(event);
    }
    fn restart(&mut self) {
        self.0 = None;
    }
}

fn encoded(body: &[u8]) -> Result<(Vec<u8>, Vec<EventError>), BatchError> {
    let arena = Bump::new();
    let mut encode = Encode::default();
    let errors = decode_batch(body, &Limits::default(), &arena, &mut encode)?;
    let writer = encode.0.unwrap_or_else(|| BatchWriter::begin(Vec::new()));
    Ok((writer.finish(), errors))
}

fuzz_target!(|body: &[u8]| {
    let first = encoded(body);
    if let Err(BatchError::Json { .. }) = first {
        // serde_json limits nesting and refuses lone surrogates in keys. It never accepts more than we do.
        assert!(serde_json::from_slice::<&RawValue>(body).is_err(), "serde_json takes what decoding refuses");
    } else if let Err(error) = std::str::from_utf8(body) {
        panic!("invalid UTF-8 was taken: {error}");
    } else if let Err(error) = serde_json::from_slice::<&RawValue>(body) {
        assert!(error.to_string().contains("recursion limit"), "serde_json refuses what decoding takes: {error}");
    }
    if let Ok((upload, _)) = first {
        let (again, errors) = encoded(&upload).expect("what encoding writes decodes");
        assert_eq!(errors, []);
        assert_eq!(String::from_utf8(again), String::from_utf8(upload), "a second round trip changes the upload");
    }
});
