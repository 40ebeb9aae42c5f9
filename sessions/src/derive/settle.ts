/** Settles sessions of released clients: reads all records of one again, for what no record says alone. */
import {
  CONTEXT_RECORDS,
  DERIVER_VERSION,
  encodeMetricsBatch,
  FORK_HEADERS,
  type Rows,
  type SessionEvent,
  SessionSettler,
} from 'git-ai-metrics';
import { dateTime64 } from '../store/sql.ts';
import type { Store } from '../store/store.ts';

/** A session of released clients that is to be settled. */
export interface DueSession {
  session_id: string;
  /** When its last record arrived, in unix milliseconds. */
  arrived_ms: number;
  /** Whether its records may have no rows yet, because an older version stored them. */
  is_underived: boolean;
}

/** How much of the records is in memory at a time. */
const BYTES_AT_ONCE = 8 * 2 ** 20;
const RECORDS_AT_ONCE = 500;
const SESSIONS_AT_ONCE = 100;

/** Longer ids aren't an agent's, and would not fit into a query. */
const LONGEST_ID_BYTES = 512;

interface IndexedRecord {
  session_id: string;
  record_key: string;
  parent: string | null;
  /** What records are ordered by. */
  emitted_at: number;
  time: string;
  ordinal: number;
  is_content: number;
  /** Of two headers, the one that a fork has copied. */
  is_copied: number;
  bytes: number;
}

/** Whether a record is one that others of the same time depend on. */
const IS_CONTEXT = CONTEXT_RECORDS.map(
  ([member, value]) => `JSONExtractString(raw_json, '${member}') = '${value}'`,
).join(' OR ');

/** Whether a record is a header that isn't a fork's own. */
const IS_COPIED_HEADER = FORK_HEADERS.map(
  ({ header: [member, value], own }) =>
    `JSONExtractString(raw_json, '${member}') = '${value}' AND NOT JSONHas(raw_json, ${own.map((name) => `'${name}'`).join(', ')})`,
).join(' OR ');

/** A record's own time is in its JSON, as text or as a number; some agents number their records. */
const INDEX = `
  SELECT session_id, record_key,
         external_parent_event_id AS parent,
         toUnixTimestamp(r.emitted_at) AS emitted_at,
         JSONExtractString(raw_json, 'timestamp') AS time,
         greatest(
           JSONExtractUInt(raw_json, 'ordinal'),
           JSONExtractUInt(raw_json, 'time'),
           JSONExtractUInt(raw_json, 'time_created'),
           JSONExtractUInt(raw_json, 'message', 'time_created')) AS ordinal,
         NOT (${IS_CONTEXT}) AS is_content,
         (${IS_COPIED_HEADER}) AS is_copied,
         length(raw_json) AS bytes
  FROM session_records AS r FINAL
  WHERE org_id = {org:String} AND session_id IN {sessions:Array(String)} AND raw_json IS NOT NULL
    AND length(record_key) <= ${LONGEST_ID_BYTES}`;

const RECORDS = `
  SELECT *, toUnixTimestamp(emitted_at) AS emitted_s, toUnixTimestamp64Milli(received_at) AS received_ms
  FROM session_records FINAL
  WHERE org_id = {org:String} AND session_id IN {sessions:Array(String)} AND record_key IN {keys:Array(String)}`;

/** Of the events that were derived from these sessions' records, those that were settled before, or all. */
const SETTLED = `
  SELECT event_id AS eventId, any(derived_from) AS session_id, toUnixTimestamp64Milli(min(d.event_ts)) AS eventMs,
         toUnixTimestamp64Milli(min(d.received_at)) AS receivedAtMs
  FROM prompt_event_deliveries AS d
  WHERE org_id = {org:String}
    AND toDate(d.event_ts) BETWEEN toDate({from:UInt32}) - 2 AND toDate({to:UInt32}) + 2
    AND derived AND derived_from IN {sessions:Array(String)}
    AND (settled IS NOT NULL OR (derived_from IN {underived:Array(String)} AND kind IS NOT NULL))
  GROUP BY event_id`;

interface SettledEvent {
  session_id: string;
  eventId: string;
  eventMs: number;
  receivedAtMs: number;
}

/**
 * Settles sessions of one org, and notes that. It makes no difference how often or when: rows are the same, or say more.
 *
 * @param latestMs records that arrived later may not all be stored
 * @returns the number of rows that were written
 * @throws {StoreError}
 */
export async function settleSessions(
  store: Store,
  org: string,
  sessions: readonly DueSession[],
  latestMs: number,
): Promise<number> {
  let rowCount = 0;
  for (let n = 0; n < sessions.length; n += SESSIONS_AT_ONCE) {
    const some = sessions.slice(n, n + SESSIONS_AT_ONCE);
    rowCount += await settle(store, org, some);
    await markSettled(store, org, some, latestMs);
  }
  return rowCount;
}

async function settle(store: Store, org: string, due: readonly DueSession[]): Promise<number> {
  const sessions = due.map(({ session_id }) => session_id);
  const underived = due.filter(({ is_underived }) => is_underived).map(({ session_id }) => session_id);
  const index = grouped(await store.query<IndexedRecord>(INDEX, { org, sessions }));
  const all = [...index.values()].flat();
  if (all.length === 0) return 0;
  const settled = grouped(
    await store.query<SettledEvent>(SETTLED, {
      org,
      sessions,
      underived,
      from: all.reduce((least, { emitted_at }) => Math.min(least, emitted_at), Number.POSITIVE_INFINITY),
      to: all.reduce((most, { emitted_at }) => Math.max(most, emitted_at), 0),
    }),
  );
  const output = new Output(store);
  const ordered = [...index.values()].flatMap(inOrder);
  let current: { session: string; settler: SessionSettler } | undefined;
  for (const part of parts(ordered)) {
    for (const upload of uploadsOf(await recordsOf(store, org, part))) {
      const [first] = upload as [StoredRecord];
      const session = first.session_id;
      if (current?.session !== session) {
        await output.add(current?.settler.finish());
        const records = index.get(session) as IndexedRecord[];
        const settler = new SessionSettler({
          orgId: org,
          sessionId: session,
          bytes: records.reduce((sum, { bytes }) => sum + bytes, 0),
          all: underived.includes(session),
          settled: settled.get(session) ?? [],
        });
        current = { session, settler };
      }
      const rows = current.settler.read(encodeMetricsBatch(upload.map(eventOf)), {
        receivedAtMs: first.received_ms,
        author: first.human_author ?? undefined,
        installation: first.installation ?? undefined,
      });
      await output.add(rows);
    }
  }
  await output.add(current?.settler.finish());
  await output.flush();
  return output.rowCount;
}

function grouped<T extends { session_id: string }>(rows: T[]): Map<string, T[]> {
  const bySession = new Map<string, T[]>();
  for (const row of rows) {
    const others = bySession.get(row.session_id);
    if (others === undefined) bySession.set(row.session_id, [row]);
    else others.push(row);
  }
  return bySession;
}

/** The stored records, in this order. */
async function recordsOf(store: Store, org: string, part: readonly IndexedRecord[]): Promise<StoredRecord[]> {
  const sessions = [...new Set(part.map(({ session_id }) => session_id))];
  const keys = [...new Set(part.map(({ record_key }) => record_key))];
  const found = grouped(await store.query<StoredRecord>(RECORDS, { org, sessions, keys }));
  const byKey = new Map(
    [...found].map(([id, records]) => [id, new Map(records.map((record) => [record.record_key, record]))]),
  );
  return part.flatMap(({ session_id, record_key }) => byKey.get(session_id)?.get(record_key) ?? []);
}

/** Collects rows into few inserts. */
class Output {
  rowCount = 0;
  #header: Buffer | undefined;
  #rows: Buffer[] = [];
  #bytes = 0;
  #count = 0;

  constructor(private readonly store: Store) {}

  async add(table: Rows | undefined): Promise<void> {
    if (table === undefined || table.rowCount === 0) return;
    const { rows, rowCount, headerLength } = table;
    this.#header ??= rows.subarray(0, headerLength);
    this.#rows.push(rows.subarray(headerLength));
    this.#bytes += rows.length;
    this.#count += rowCount;
    if (this.#bytes > BYTES_AT_ONCE) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#header === undefined || this.#count === 0) return;
    await this.store.insert('prompt_event_deliveries', [this.#header, ...this.#rows], this.#count);
    this.rowCount += this.#count;
    [this.#rows, this.#bytes, this.#count] = [[], 0, 0];
  }
}

/**
 * Orders records by their time. Of those at one time, a record follows its parent; what is still open, the key decides, so
 * that the order depends on the set of records alone.
 */
function inOrder(records: IndexedRecord[]): IndexedRecord[] {
  const compare = (a: IndexedRecord, b: IndexedRecord) =>
    a.emitted_at - b.emitted_at || compareText(a.time, b.time) || a.ordinal - b.ordinal;
  const sorted = records.sort(
    (a, b) =>
      compare(a, b) ||
      a.is_content - b.is_content ||
      a.is_copied - b.is_copied ||
      compareText(a.record_key, b.record_key),
  );
  const ordered: IndexedRecord[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && compare(sorted[start] as IndexedRecord, sorted[end] as IndexedRecord) === 0) end++;
    ordered.push(...(end - start === 1 ? sorted.slice(start, end) : afterParents(sorted.slice(start, end))));
    start = end;
  }
  return ordered;
}

/** Records of one time, each after its parent if that is among them. */
function* afterParents(records: IndexedRecord[]): Generator<IndexedRecord> {
  const keys = new Set(records.map(({ record_key }) => record_key));
  const children = new Map<string | null, IndexedRecord[]>();
  for (const record of records) {
    const parent = record.parent !== null && keys.has(record.parent) ? record.parent : null;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [record]);
    else siblings.push(record);
  }
  const waiting = [...(children.get(null) ?? [])].reverse();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    keys.delete(next.record_key);
    yield next;
    waiting.push(...[...(children.get(next.record_key) ?? [])].reverse());
  }
  // Parents of each other, which no agent writes.
  yield* records.filter(({ record_key }) => keys.has(record_key));
}

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

/** Splits records into parts that fit into memory. */
function* parts(records: IndexedRecord[]): Generator<IndexedRecord[]> {
  let part: IndexedRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    if (part.length > 0 && (bytes + record.bytes > BYTES_AT_ONCE || part.length === RECORDS_AT_ONCE)) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(record);
    bytes += record.bytes;
  }
  yield part;
}

/** A row of `session_records`. */
interface StoredRecord {
  record_key: string;
  emitted_s: number;
  received_ms: number;
  human_author: string | null;
  named_author: string | null;
  installation: string | null;
  session_id: string;
  [column: string]: unknown;
}

/** Splits records where the upload that brought them changes. */
function* uploadsOf(records: StoredRecord[]): Generator<StoredRecord[]> {
  let upload: StoredRecord[] = [];
  const isAlike = (a: StoredRecord, b: StoredRecord) =>
    a.session_id === b.session_id &&
    a.received_ms === b.received_ms &&
    a.human_author === b.human_author &&
    a.installation === b.installation;
  for (const record of records) {
    if (upload.length > 0 && !isAlike(upload[0] as StoredRecord, record)) {
      yield upload;
      upload = [];
    }
    upload.push(record);
  }
  if (upload.length > 0) yield upload;
}

/** The event that a stored record was. */
function eventOf(record: StoredRecord): SessionEvent {
  const text = (column: string) => record[column] as string | null;
  const named = <Name extends string>(columns: Record<Name, string>): Partial<Record<Name, string>> =>
    Object.fromEntries(
      Object.entries<string>(columns).flatMap(([name, column]) => {
        const value = text(column);
        return value === null ? [] : [[name, value]];
      }),
    ) as Partial<Record<Name, string>>;
  return {
    metric: 'session_event',
    timestamp: record.emitted_s,
    values: named({
      rawJson: 'raw_json',
      externalEventId: 'external_event_id',
      externalParentEventId: 'external_parent_event_id',
      externalToolUseId: 'external_tool_use_id',
    }),
    attributes: named({
      gitAiVersion: 'git_ai_version',
      repoUrl: 'repo_url',
      author: 'named_author',
      commitSha: 'commit_sha',
      baseCommitSha: 'base_commit_sha',
      branch: 'branch',
      tool: 'tool',
      model: 'attr_model',
      externalPromptId: 'external_prompt_id',
      sessionId: 'session_id',
      parentSessionId: 'parent_session_id',
      externalParentSessionId: 'external_parent_session_id',
      customAttributes: 'custom_attributes',
    }),
  };
}

async function markSettled(
  store: Store,
  org: string,
  sessions: readonly DueSession[],
  latestMs: number,
): Promise<void> {
  await store.command(
    `INSERT INTO record_sessions (org_id, session_id, first_at, arrived_at, settled_to, settled_by)
     SELECT {org:String}, session.1, session.2, session.2, session.2, {by:UInt32}
     FROM (SELECT arrayJoin(arrayZip({ids:Array(String)}, {times:Array(DateTime64(3))})) AS session)`,
    {
      org,
      ids: sessions.map(({ session_id }) => session_id),
      times: sessions.map(({ arrived_ms }) => dateTime64(Math.min(arrived_ms, latestMs))),
      by: DERIVER_VERSION,
    },
  );
}
