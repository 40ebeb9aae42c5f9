//! Measures decoding, encoding and rows in Rust alone, before anything crosses to JavaScript. `npm run bench:rust` writes
//! the uploads for it, the same as those of the JavaScript benchmark.

use bumpalo::Bump;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use git_ai_metrics::rows::{RowBuffers, RowFormat, RowOptions, RowWriter};
use git_ai_metrics::wire::decode::{Limits, decode_batch};
use git_ai_metrics::wire::encode::BatchWriter;
use git_ai_metrics::wire::event::{Consumer, Event};
use std::hint::black_box;

/// Ignores the events it receives.
struct Count(usize);

impl<'a> Consumer<'a> for Count {
    fn event(&mut self, event: Event<'_, 'a>) {
        black_box(event.values.slots.present());
        self.0 += 1;
    }
    fn restart(&mut self) {
        self.0 = 0;
    }
}

/// Encodes the events it receives.
struct Encode(BatchWriter);

impl<'a> Consumer<'a> for Encode {
    fn event(&mut self, event: Event<'_, 'a>) {
        self.0.event(event);
    }
    fn restart(&mut self) {}
}

fn uploads(c: &mut Criterion) {
    for name in ["ascii", "non-ascii", "unknown"] {
        let path = format!("{}/target/uploads/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let body = std::fs::read(&path).expect("run `npm run bench:rust`, which writes the uploads first");
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        let mut arena = Bump::new();
        group.bench_function("decode", |b| {
            b.iter(|| {
                arena.reset();
                let mut count = Count(0);
                decode_batch(&body, &Limits::default(), &arena, &mut count).expect("an upload");
                count.0
            });
        });
        let mut out = Vec::new();
        group.bench_function("decode and encode", |b| {
            b.iter(|| {
                arena.reset();
                let mut encode = Encode(BatchWriter::begin(std::mem::take(&mut out)));
                decode_batch(&body, &Limits::default(), &arena, &mut encode).expect("an upload");
                out = encode.0.finish();
                out.len()
            });
        });
        let mut buffers = RowBuffers::default();
        for (what, format) in [
            ("RowBinaryWithNames", RowFormat::RowBinaryWithNames),
            ("JSONEachRow", RowFormat::JsonEachRow),
        ] {
            let options = RowOptions {
                org_id: "acme",
                received_at_ms: 1_775_600_000_000,
                author: None,
                installation: None,
                clock_skew_ms: 0,
                format,
                prompt_events_only: false,
            };
            group.bench_function(format!("decode and {what}"), |b| {
                b.iter(|| {
                    arena.reset();
                    let mut writer = RowWriter::new(options, std::mem::take(&mut buffers));
                    decode_batch(&body, &Limits::default(), &arena, &mut writer).expect("an upload");
                    buffers = writer.into_buffers();
                    buffers.tables().map(|(_, rows, _)| rows.len())
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, uploads);
criterion_main!(benches);
