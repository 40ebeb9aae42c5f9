/** The server's metrics for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Coalescer } from '../ingest/coalescer.ts';

export type ServerMetrics = ReturnType<typeof serverMetrics>;

export function serverMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    uploads: new Counter({
      name: 'sessions_uploads_total',
      help: 'Uploads of metric events, by the status of the answer',
      labelNames: ['status'],
      registers,
    }),
    uploadSeconds: new Histogram({
      name: 'sessions_upload_seconds',
      help: 'From the start of an upload to its answer',
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30],
      registers,
    }),
    uploadBytes: new Counter({
      name: 'sessions_upload_bytes_total',
      help: 'Bytes of the bodies of uploads, unpacked',
      registers,
    }),
    rows: new Counter({
      name: 'sessions_rows_stored_total',
      help: 'Rows stored, by table',
      labelNames: ['table'],
      registers,
    }),
    refusedEvents: new Counter({
      name: 'sessions_events_refused_total',
      help: 'Events that no version of the format allows, which the answer named',
      registers,
    }),
    insertSeconds: new Histogram({
      name: 'sessions_insert_seconds',
      help: 'Duration of inserts into ClickHouse, failed ones included',
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60],
      registers,
    }),
    insertFailures: new Counter({
      name: 'sessions_insert_failures_total',
      help: 'Inserts that failed, whether or not the same rows were stored later',
      registers,
    }),
    quarantined: new Counter({
      name: 'sessions_quarantined_total',
      help: 'Uploads whose rows ClickHouse refused',
      registers,
    }),
    logUploads: new Counter({
      name: 'sessions_log_uploads_total',
      help: 'Uploads of the client’s own logs, which are not kept',
      registers,
    }),
    logEvents: new Counter({
      name: 'sessions_log_events_total',
      help: 'Log events in them',
      registers,
    }),
  };
}

export function observeQueue({ registry }: ServerMetrics, coalescer: Coalescer): void {
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  gauge('sessions_queue_rows', 'Rows that wait for an insert', () => coalescer.load.rows);
  gauge('sessions_queue_bytes', 'Bytes of uploads that are not stored yet', () => coalescer.load.bytes);
  gauge('sessions_queue_oldest_seconds', 'How long the first of them has waited', () => coalescer.load.oldestMs / 1000);
  gauge('sessions_inserts_in_flight', 'Inserts under way', () => coalescer.load.inserts);
}
