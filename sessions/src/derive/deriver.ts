/** Settles sessions of released clients in the background, and derives events of records that an older version stored. */
import { DERIVER_VERSION } from 'git-ai-metrics';
import { dateTime64 } from '../store/sql.ts';
import { type Store, StoreError } from '../store/store.ts';
import { type DueSession, settleSessions } from './settle.ts';

export interface DeriverOptions {
  store: Store;
  now?: () => number;
  /** Called with the error of a run of the timer. */
  onError?: (error: unknown) => void;
  /** Called when a run has settled sessions. */
  onSettled?: (sessions: number) => void;
}

const PERIOD_MS = 60_000;
/** A session is quiet this long after its last arrival. By then, every upload that arrived before is stored or refused. */
const QUIET_MS = 60_000;
/** A session that never rests is settled this often. */
const BUSY_MS = 600_000;
/** Settling reads a session whole. So a long one waits longer for it, and no session has more than this read, on average. */
const BYTES_PER_MS = 100;
/** Still, none waits longer than this for its size. */
const LONGEST_WAIT_MS = 6 * 3_600_000;
const SESSIONS_PER_RUN = 500;

/** Sessions with records that no settling has read, or that another version has settled, oldest first. */
const DUE = `
  SELECT org_id, session_id, toUnixTimestamp64Milli(max(r.arrived_at)) AS arrived_ms,
         ifNull(min(r.deriver_version), {version:UInt32}) < {version:UInt32}
           AND ifNull(max(r.settled_by), 0) < {version:UInt32} AS is_underived,
         least(intDiv(sum(r.bytes), ${BYTES_PER_MS}), ${LONGEST_WAIT_MS}) AS wait_ms
  FROM record_sessions AS r
  GROUP BY org_id, session_id
  HAVING length(session_id) <= 512
     AND (isNull(max(r.settled_to)) OR max(r.arrived_at) > max(r.settled_to) OR ifNull(max(r.settled_by), 0) < {version:UInt32})
     AND (max(r.arrived_at) <= subtractMilliseconds({quiet:DateTime64(3)}, wait_ms)
       OR ifNull(max(r.settled_to), min(r.first_at)) <= subtractMilliseconds({busy:DateTime64(3)}, wait_ms))
  ORDER BY arrived_ms, org_id, session_id
  LIMIT {limit:UInt32}`;

/** Sessions whose records were stored before the table of sessions knew of them. */
const CATCH_UP = `
  INSERT INTO record_sessions (org_id, session_id, first_at, arrived_at, bytes, deriver_version)
  SELECT org_id, session_id, min(received_at), max(received_at), sum(ifNull(length(raw_json), 0)), min(deriver_version)
  FROM session_records
  WHERE session_id != '' AND (org_id, session_id) NOT IN (SELECT org_id, session_id FROM record_sessions)
  GROUP BY org_id, session_id`;

export class Deriver {
  readonly #options: Required<DeriverOptions>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #hasCaughtUp = false;
  #isStopping = false;

  constructor(options: DeriverOptions) {
    this.#options = { now: Date.now, onError: () => {}, onSettled: () => {}, ...options };
  }

  /** Runs now and once a minute until `stop`. */
  start(): void {
    if (this.#timer !== undefined) return;
    const run = () => {
      this.#running = this.#running.then(() => this.run()).catch(this.#options.onError);
    };
    this.#timer = setInterval(run, PERIOD_MS);
    this.#timer.unref();
    run();
  }

  /** Resolves once the session that is being settled is. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /**
   * Settles the sessions that are due and returns their number.
   * @throws {StoreError}
   */
  async run(): Promise<number> {
    const { store, now, onSettled, onError } = this.#options;
    if (!this.#hasCaughtUp) await store.command(CATCH_UP);
    this.#hasCaughtUp = true;
    const nowMs = now();
    const due = await store.query<DueSession & { org_id: string }>(DUE, {
      version: DERIVER_VERSION,
      quiet: dateTime64(nowMs - QUIET_MS),
      busy: dateTime64(nowMs - BUSY_MS),
      limit: SESSIONS_PER_RUN,
    });
    let settled = 0;
    for (const org of new Set(due.map(({ org_id }) => org_id))) {
      if (this.#isStopping) break;
      const sessions = due.filter(({ org_id }) => org_id === org);
      try {
        await settleSessions(store, org, sessions, nowMs - QUIET_MS);
        settled += sessions.length;
      } catch (error) {
        if (!(error instanceof StoreError) || error.transient) throw error;
        // It would fail again, and other orgs must not wait for it.
        onError(error);
      }
    }
    if (settled > 0) onSettled(settled);
    return settled;
  }
}
