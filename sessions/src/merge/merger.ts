/**
 * Merges the events of quiet sessions in the background, so that queries needn't group their deliveries each time. It may
 * run in any number of processes: each run writes rows of its own, and session_days names the run that counts.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SQL_FOLDER } from '../store/sql.ts';
import type { Store } from '../store/store.ts';

export interface MergerOptions {
  store: Store;
  /** Called with the error of a run of the timer. */
  onError?: (error: unknown) => void;
  /**
   * How long nothing must have been stored of a session. An insert takes at most a minute from its start, which is its
   * time, to its end. So by then all that was stored is visible.
   */
  quietMs?: number;
}

const PERIOD_MS = 60_000;
const QUIET_MS = 30 * 60_000;
const SESSIONS_AT_ONCE = 400;
/** To find out which are due, all sessions of the org are read. So it's asked for many at once. */
const SESSIONS_ASKED_FOR = 20_000;
/** A session that couldn't be merged alone is tried again after this time. */
const PUT_OFF_MS = 3_600_000;
/** ClickHouse takes a parameter of up to 128 KiB in a URL, where a character takes up to 9 bytes. */
const MOST_CHARACTERS = 12_000;

const statement = (name: string): string => readFileSync(join(SQL_FOLDER, 'merge', `${name}.sql`), 'utf8');

interface DueSession {
  prompt_id: string;
  stored_us: number;
}

export class Merger {
  readonly #options: Required<MergerOptions>;
  /** By ClickHouse's clock. All that was stored before and is quiet has been merged. */
  #mergedTo = '1970-01-01 00:00:00.000000';
  #sessionsAtOnce = SESSIONS_AT_ONCE;
  /** When sessions that couldn't be merged alone are tried again. */
  readonly #putOff = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  constructor(options: MergerOptions) {
    this.#options = { onError: () => {}, quietMs: QUIET_MS, ...options };
  }

  /** Runs now and once a minute until `stop`. */
  start(): void {
    if (this.#timer !== undefined) return;
    let isRunning = false;
    const run = () => {
      if (isRunning) return;
      isRunning = true;
      this.#running = this.run(1)
        .catch(this.#options.onError)
        .finally(() => {
          isRunning = false;
        });
    };
    this.#timer = setInterval(run, PERIOD_MS);
    this.#timer.unref();
    run();
  }

  /** Resolves once the statement that is being executed is. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /**
   * Merges all sessions that are due and returns their number. A session that can't be merged doesn't hold up others.
   *
   * @param rest for how many times as long as it works it rests, so that inserts and queries get their share
   * @throws {StoreError} if a session couldn't be merged, after the others have been
   */
  async run(rest = 0): Promise<number> {
    const { store, quietMs } = this.#options;
    const began = Date.now();
    const orgs = await store.query<{ org_id: string; quiet_to: string }>(ORGS, {
      quiet_ms: quietMs,
      since: this.#mergedTo,
    });
    const failures: unknown[] = [];
    let merged = 0;
    for (const { org_id } of orgs) {
      for (let isAll = false; !isAll && !this.#isStopping; ) {
        const found = await store.query<DueSession>(statement('due'), {
          org_id,
          since: this.#mergedTo,
          quiet_ms: quietMs,
          limit: SESSIONS_ASKED_FOR,
        });
        const due = found.filter(({ prompt_id }) => (this.#putOff.get(keyOf(org_id, prompt_id)) ?? 0) <= began);
        isAll = due.length === 0 || found.length < SESSIONS_ASKED_FOR;
        merged += await this.#mergeAll(org_id, due, rest, failures);
      }
    }
    // They have been merged now, or are due no more.
    for (const [key, retryAt] of this.#putOff) if (retryAt <= began) this.#putOff.delete(key);
    if (failures.length > 0) throw failures[0];
    if (orgs[0] !== undefined && !this.#isStopping && this.#putOff.size === 0) this.#mergedTo = orgs[0].quiet_to;
    return merged;
  }

  /** @throws the second of two failures in a row of one session each: then the store is the cause, and no session */
  async #mergeAll(org_id: string, due: readonly DueSession[], rest: number, failures: unknown[]): Promise<number> {
    let merged = 0;
    let failedAlone = false;
    for (let at = 0; at < due.length && !this.#isStopping; ) {
      const began = performance.now();
      const some = forOneStatement(due.slice(at, at + this.#sessionsAtOnce));
      try {
        await this.#merge(org_id, some);
        merged += some.length;
        at += some.length;
        failedAlone = false;
        this.#sessionsAtOnce = Math.min(SESSIONS_AT_ONCE, this.#sessionsAtOnce + (this.#sessionsAtOnce >> 3) + 1);
      } catch (error) {
        // They may be too many events for the time or the memory of one statement.
        this.#sessionsAtOnce = Math.max(1, some.length >> 1);
        if (some.length === 1) {
          this.#putOff.set(keyOf(org_id, (some[0] as DueSession).prompt_id), Date.now() + PUT_OFF_MS);
          if (failedAlone) throw error;
          failedAlone = true;
          failures.push(error);
          at += 1;
        }
      }
      await sleep(rest * (performance.now() - began), undefined, { ref: false });
    }
    return merged;
  }

  async #merge(org_id: string, due: readonly DueSession[]): Promise<void> {
    const { store } = this.#options;
    const run = randomBytes(8).readBigUInt64LE().toString();
    const sessions = due.map(({ prompt_id }) => prompt_id);
    for (const name of ['events', 'signs', 'summaries']) {
      await store.command(statement(name), { org_id, sessions, run });
    }
    await store.command(statement('sessions'), {
      org_id,
      sessions,
      stored_us: due.map(({ stored_us }) => stored_us),
      run,
    });
  }
}

const keyOf = (org: string, session: string): string => JSON.stringify([org, session]);

/** Orgs with sessions that may be due, and until when they are quiet. */
const ORGS = `
  SELECT org_id, toString(now64(6, 'UTC') - toIntervalMillisecond({quiet_ms:UInt32})) AS quiet_to
  FROM session_days
  GROUP BY org_id
  HAVING max(stored_at) >= {since:DateTime64(6, 'UTC')}
  ORDER BY org_id`;

/** The first of them, as many as fit into the parameters of one statement. */
function forOneStatement(due: readonly DueSession[]): DueSession[] {
  let characters = 0;
  const end = due.findIndex(({ prompt_id }, index) => {
    characters += prompt_id.length + 4;
    return index > 0 && characters > MOST_CHARACTERS;
  });
  return end < 0 ? [...due] : due.slice(0, end);
}
