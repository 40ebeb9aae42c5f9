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
   * Merges all sessions that are due and returns their number.
   *
   * @param rest for how many times as long as it works it rests, so that inserts and queries get their share
   * @throws {StoreError}
   */
  async run(rest = 0): Promise<number> {
    const { store, quietMs } = this.#options;
    const orgs = await store.query<{ org_id: string; quiet_to: string }>(ORGS, {
      quiet_ms: quietMs,
      since: this.#mergedTo,
    });
    let merged = 0;
    for (const { org_id } of orgs) {
      for (let due: DueSession[]; !this.#isStopping; merged += due.length) {
        const began = performance.now();
        due = await store.query<DueSession>(statement('due'), {
          org_id,
          since: this.#mergedTo,
          quiet_ms: quietMs,
          limit: this.#sessionsAtOnce,
        });
        due = forOneStatement(due);
        if (due.length === 0) break;
        await this.#merge(org_id, due);
        await sleep(rest * (performance.now() - began), undefined, { ref: false });
      }
    }
    if (orgs[0] !== undefined && !this.#isStopping) this.#mergedTo = orgs[0].quiet_to;
    return merged;
  }

  async #merge(org_id: string, due: readonly DueSession[]): Promise<void> {
    const { store } = this.#options;
    const run = randomBytes(8).readBigUInt64LE().toString();
    const sessions = due.map(({ prompt_id }) => prompt_id);
    try {
      await store.command(statement('events'), { org_id, sessions, run });
    } catch (error) {
      // They may be too many events for the time or the memory of one statement.
      this.#sessionsAtOnce = Math.max(1, this.#sessionsAtOnce >> 1);
      throw error;
    }
    await store.command(statement('sessions'), {
      org_id,
      sessions,
      stored_us: due.map(({ stored_us }) => stored_us),
      run,
    });
  }
}

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
