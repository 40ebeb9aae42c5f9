/**
 * Ends the sessions that nobody else ends: `signal`, after 10 minutes without a sign of life, or 60 while a call is
 * open. It may run in any number of processes: what it stores for a session follows from the session's last event, so
 * two runs on the same view store one row.
 */
import { EventAttributesBuilder, encodeMetricsBatch, eventId, PromptEventBuilder } from 'git-ai-metrics';
import { dateTime64, namedQuery } from '../store/sql.ts';
import type { Store } from '../store/store.ts';

export interface SilentSession {
  prompt_id: string;
  /** The last event that isn't an end, in the session's order. */
  event_id: string;
  event_ms: number;
  agent: string | null;
}

export interface ReaperOptions {
  store: Store;
  /** Stores an upload like the endpoint, and resolves once it is stored. */
  upload: (org: string, body: Buffer, receivedAtMs: number) => Promise<void>;
  now?: () => number;
  onError?: (error: unknown) => void;
  onReaped?: (sessions: number) => void;
}

export const PERIOD_MS = 60_000;
/** After a start or an outage, clients may need this long until their next upload: they retry after 5 minutes. */
export const DEAF_MS = 10 * 60_000;
/** Sessions of which nothing has arrived for longer than this are skipped. Earlier runs have ended them. */
const LONGEST_SILENCE_MS = 2 * 60 * 60_000;
/** The most ends per run and org. The next run makes the others. */
const SESSIONS_PER_RUN = 2_000;
const SESSIONS_PER_UPLOAD = 250;
/** The client version of an end's event. */
const VERSION = 'git-ai-sessions';

export class Reaper {
  readonly #options: Required<ReaperOptions>;
  #deafUntilMs: number;
  /** Of the last run that looked at all that needed it; the first looks at everything. */
  #lookedAtMs = LONGEST_SILENCE_MS;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: ReaperOptions) {
    this.#options = { now: Date.now, onError: () => {}, onReaped: () => {}, ...options };
    this.#deafUntilMs = this.#options.now() + DEAF_MS;
  }

  /** Call this after an outage of the endpoint or store, or after refusing uploads. No session ends for 10 minutes. */
  wasDeaf(): void {
    this.#deafUntilMs = Math.max(this.#deafUntilMs, this.#options.now() + DEAF_MS);
  }

  /** Runs once a minute until `stop`. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.run()).catch(this.#options.onError);
    }, PERIOD_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /**
   * Ends silent sessions and returns their number. Does nothing for a while after an outage.
   * @throws {StoreError}
   */
  async run(): Promise<number> {
    const { store, now, onReaped } = this.#options;
    const nowMs = now();
    if (nowMs < this.#deafUntilMs) return 0;
    try {
      const since = dateTime64(this.#lookedAtMs - LONGEST_SILENCE_MS);
      let reaped = 0;
      let isAll = true;
      for (const { org_id } of await store.query<{ org_id: string }>(ORGS, { since })) {
        const ended = await this.#reap(org_id, nowMs, since);
        isAll &&= ended < SESSIONS_PER_RUN;
        reaped += ended;
      }
      if (isAll) this.#lookedAtMs = nowMs;
      if (reaped > 0) onReaped(reaped);
      return reaped;
    } catch (error) {
      // A store that doesn't answer can't store uploads either.
      this.wasDeaf();
      throw error;
    }
  }

  async #reap(org: string, nowMs: number, since: string): Promise<number> {
    const { store, upload } = this.#options;
    const silent = await store.query<SilentSession>(namedQuery('silent_sessions'), {
      org_id: org,
      now: dateTime64(nowMs),
      since,
      limit: SESSIONS_PER_RUN,
    });
    for (let n = 0; n < silent.length; n += SESSIONS_PER_UPLOAD) {
      await upload(org, endsOf(silent.slice(n, n + SESSIONS_PER_UPLOAD), nowMs), nowMs);
    }
    return silent.length;
  }
}

/** The upload of the ends of sessions, each tied to the event that it follows. */
export function endsOf(sessions: readonly SilentSession[], nowMs: number): Buffer {
  const timestamp = Math.floor(nowMs / 1000);
  const events = sessions.map(({ prompt_id, event_id, event_ms, agent }) =>
    new PromptEventBuilder()
      .kind('SessionEnd')
      .eventId(eventId(prompt_id, 'SessionEnd', `signal:${event_id}`, 0))
      .parentId(event_id)
      .parentIdEstimated(false)
      .startTs(event_ms)
      .endReason('signal')
      .build(new EventAttributesBuilder().gitAiVersion(VERSION).tool(agent).promptId(prompt_id).build(), timestamp),
  );
  return encodeMetricsBatch(events);
}

/** Orgs in which something may be silent. */
const ORGS =
  'SELECT org_id FROM session_days GROUP BY org_id HAVING max(arrived_at) >= {since:DateTime64(3)} ORDER BY org_id';
