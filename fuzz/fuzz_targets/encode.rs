//! Any records: what encoding writes is JSON to serde_json, and decodes to the same records.
#![no_main]

use bumpalo::Bump;
use git_ai_metrics::wire::decode::{Limits, decode_batch};
use git_ai_metrics::wire::encode::BatchWriter;
use git_ai_metrics::wire::event::{Consumer, Event, Fields, metric_by_id};
use git_ai_metrics::wire::table::{MAX_SAFE_INTEGER, Record, Sparse};
use git_ai_metrics::wire::{CommittedValues, EventAttributes, PromptEventValues};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default, PartialEq)]
struct Decoded {
    prompt: Vec<(u32, PromptEventValues, EventAttributes)>,
    committed: Vec<(u32, CommittedValues, EventAttributes)>,
}

impl<'a> Consumer<'a> for Decoded {
    fn event(&mut self, event: Event<'_, 'a>) {
        assert!(event.values.unknown.is_empty() && event.attributes.unknown.is_empty());
        let attributes = EventAttributes::from_slots(&event.attributes.slots);
        let slots = &event.values.slots;
        match event.metric_id {
            1 => self.committed.push((event.timestamp, CommittedValues::from_slots(slots), attributes)),
            5 => self.prompt.push((event.timestamp, PromptEventValues::from_slots(slots), attributes)),
            other => panic!("an event of metric {other} that was never written"),
        }
    }
    fn restart(&mut self) {
        panic!("one list of events was written");
    }
}

fn sparse<'u, T>(input: &mut Unstructured<'u>, value: impl Fn(&mut Unstructured<'u>) -> Result<T>) -> Result<Sparse<T>> {
    Ok(match input.int_in_range(0..=3)? {
        0 => None,
        1 => Some(None),
        _ => Some(Some(value(input)?)),
    })
}

fn safe(input: &mut Unstructured<'_>) -> Result<u64> {
    input.int_in_range(0..=MAX_SAFE_INTEGER)
}

fn list<'u, T>(input: &mut Unstructured<'u>, value: impl Fn(&mut Unstructured<'u>) -> Result<T>) -> Result<Vec<T>> {
    (0..input.int_in_range(0..=4)?).map(|_| value(input)).collect()
}

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    input.arbitrary()
}

fn records(input: &mut Unstructured<'_>) -> Result<Decoded> {
    let mut records = Decoded::default();
    for _ in 0..input.int_in_range(0..=4)? {
        let values = PromptEventValues {
            kind: sparse(input, text)?,
            event_id: sparse(input, text)?,
            parent_id_estimated: sparse(input, |input| input.arbitrary())?,
            start_ts: sparse(input, safe)?,
            skill_file_mtime: sparse(input, safe)?,
            input_text: sparse(input, text)?,
            ..Default::default()
        };
        let attributes = EventAttributes { branch: sparse(input, text)?, ..Default::default() };
        records.prompt.push((input.arbitrary()?, values, attributes));
        let values = CommittedValues {
            human_additions: sparse(input, |input| input.arbitrary())?,
            tool_model_pairs: sparse(input, |input| list(input, text))?,
            ai_additions: sparse(input, |input| list(input, |input| input.arbitrary()))?,
            time_waiting_for_ai: sparse(input, |input| list(input, safe))?,
            ..Default::default()
        };
        let attributes = EventAttributes { custom_attributes: sparse(input, text)?, ..Default::default() };
        records.committed.push((input.arbitrary()?, values, attributes));
    }
    Ok(records)
}

fn write<R: Record>(writer: &mut BatchWriter, id: u16, (timestamp, values, attributes): &(u32, R, EventAttributes)) {
    let arena = Bump::new();
    writer.event(Event {
        index: 0,
        timestamp: *timestamp,
        metric_id: id,
        metric: metric_by_id(id),
        values: &Fields { slots: values.slots(&arena), unknown: Vec::new() },
        attributes: &Fields { slots: attributes.slots(&arena), unknown: Vec::new() },
        attributes_index: 0,
    });
}

fuzz_target!(|input: &[u8]| {
    let Ok(records) = records(&mut Unstructured::new(input)) else { return };
    let mut writer = BatchWriter::begin(Vec::new());
    for record in &records.prompt {
        write(&mut writer, 5, record);
    }
    for record in &records.committed {
        write(&mut writer, 1, record);
    }
    let upload = writer.finish();
    serde_json::from_slice::<serde_json::Value>(&upload).expect("encoding writes JSON");
    let arena = Bump::new();
    let mut decoded = Decoded::default();
    let errors = decode_batch(&upload, &Limits::default(), &arena, &mut decoded).expect("encoding writes an upload");
    assert_eq!(errors, []);
    assert_eq!(decoded, records);
});
