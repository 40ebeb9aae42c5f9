//! Encodes any records. The output must be JSON for serde_json and decode to the same records.
#![no_main]

use bumpalo::Bump;
use git_ai_metrics::wire::decode::{Limits, decode_batch};
use git_ai_metrics::wire::encode::BatchWriter;
use git_ai_metrics::wire::event::{Consumer, Event, Fields};
use git_ai_metrics::wire::table::{MAX_SAFE_INTEGER, RawJson, Record, Sparse};
use git_ai_metrics::wire::{CommittedValues, EventAttributes, METRICS, PromptEventValues, SessionEventValues};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default, PartialEq)]
struct Decoded {
    prompt: Vec<(u32, PromptEventValues, EventAttributes)>,
    session: Vec<(u32, SessionEventValues, EventAttributes)>,
    committed: Vec<(u32, CommittedValues, EventAttributes)>,
}

impl<'a> Consumer<'a> for Decoded {
    fn event(&mut self, event: Event<'_, 'a>) {
        assert!(event.values.unknown.is_empty() && event.attributes.unknown.is_empty());
        let attributes = EventAttributes::from_slots(&event.attributes.slots);
        let slots = &event.values.slots;
        match event.metric.map_or("unknown", |metric| metric.table.name) {
            "committed" => self.committed.push((event.timestamp, CommittedValues::from_slots(slots), attributes)),
            "session_event" => self.session.push((event.timestamp, SessionEventValues::from_slots(slots), attributes)),
            "prompt_event" => self.prompt.push((event.timestamp, PromptEventValues::from_slots(slots), attributes)),
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

/// Any JSON value except null, which would decode as an explicit null.
fn json(input: &mut Unstructured<'_>) -> Result<RawJson> {
    let text = serde_json::to_string(&text(input)?).expect("a string is JSON");
    let json = match input.int_in_range(0..=3)? {
        0 => text,
        1 => format!("[ {text},1.0 ]"),
        _ => format!("{{{text}:{text}, \"n\":null}}"),
    };
    Ok(RawJson::new(json).expect("one JSON value"))
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
        let values = SessionEventValues {
            raw_json: sparse(input, json)?,
            external_event_id: sparse(input, text)?,
            ..Default::default()
        };
        // Without a session id, an event is a `session_event` only if its raw JSON is an object or an array.
        let is_container = matches!(&values.raw_json, Some(Some(json)) if json.as_str().starts_with(['{', '[']));
        let session_id = sparse(input, text)?.or((!is_container).then_some(None));
        let attributes = EventAttributes { session_id, ..Default::default() };
        records.session.push((input.arbitrary()?, values, attributes));
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

fn write<R: Record>(writer: &mut BatchWriter, index: usize, (timestamp, values, attributes): &(u32, R, EventAttributes)) {
    let arena = Bump::new();
    let metric = METRICS.iter().find(|metric| metric.table.name == R::TABLE.name).expect("the table of a metric");
    writer.event(Event {
        index,
        timestamp: *timestamp,
        metric_id: metric.id,
        metric: Some(metric),
        values: &Fields { slots: values.slots(&arena), ..Default::default() },
        attributes: &Fields { slots: attributes.slots(&arena), ..Default::default() },
        attributes_index: index,
        cursor: None,
    });
}

fuzz_target!(|input: &[u8]| {
    let Ok(records) = records(&mut Unstructured::new(input)) else { return };
    let mut writer = BatchWriter::begin(Vec::new());
    let mut index = 0;
    macro_rules! write_all {
        ($($records:ident),+) => {
            $(for record in &records.$records {
                write(&mut writer, index, record);
                index += 1;
            })+
        };
    }
    write_all!(prompt, session, committed);
    let upload = writer.finish();
    serde_json::from_slice::<serde_json::Value>(&upload).expect("encoding writes JSON");
    let arena = Bump::new();
    let mut decoded = Decoded::default();
    let errors = decode_batch(&upload, &Limits::default(), &arena, &mut decoded).expect("encoding writes an upload");
    assert_eq!(errors, []);
    assert_eq!(decoded, records);
});
