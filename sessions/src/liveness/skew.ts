/**
 * Estimates how far the clocks of installations are off. An upload has no time of its own, only a lag: the time from
 * its newest event to its arrival. A slow clock adds to every lag, while a retry adds only to some.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../store/store.ts';

/** When an upload arrived, and the time of its newest event, both in unix milliseconds. */
export interface Arrival {
  receivedAtMs: number;
  newestMs: number;
}

/** How many of an installation's last uploads are used to estimate its clock. */
export const UPLOADS = 20;
/** The network and a client's flush interval cause a lag of this size. It doesn't indicate a wrong clock. */
const NOISE_MS = 60_000;
/**
 * A larger lag comes from a retry or from a new client's old events, not from a clock. Without this bound, an
 * installation's only upload would always be fresh. The client's first late retry comes after 35 minutes.
 */
const SLOWEST_MS = 20 * 60_000;

/**
 * How far behind a clock is, in milliseconds, by its last uploads; negative if it is ahead. The least lag counts, since
 * a retry can only raise one.
 */
export function clockSkewMs(arrivals: readonly Arrival[]): number {
  const lags = arrivals.map(lagMs).filter((lag) => lag <= SLOWEST_MS);
  if (lags.length === 0) return 0;
  const least = Math.min(...lags);
  return Math.abs(least) < NOISE_MS ? 0 : least;
}

/** How old an event may be at its arrival, by its installation's clock, and still be a sign of life. */
export const FRESH_MS = 10 * 60_000;
/** How far ahead of the true clock an event may be and still count as made with a correct clock. */
const AHEAD_MS = 60_000;

/**
 * Whether an event was fresh when it arrived: by its installation's clock, or by the true one, since a clock that was
 * far ahead and has been put right is known by its old skew for another 20 uploads.
 */
export function isFresh(receivedAtMs: number, eventMs: number, skewMs: number): boolean {
  const age = receivedAtMs - eventMs;
  return age - skewMs <= FRESH_MS || (age >= -AHEAD_MS && age <= FRESH_MS);
}

const lagMs = ({ receivedAtMs, newestMs }: Arrival): number => receivedAtMs - newestMs;
const isOff = (arrival: Arrival): boolean => Math.abs(lagMs(arrival)) >= NOISE_MS;

interface Clock {
  arrivals: Arrival[];
  /** When they were read from the table. */
  askedAtMs: number;
}

export interface ClockSkewOptions {
  /** How many installations to remember. Others are read from the table again. */
  maxInstallations?: number;
  /** How old what other processes have seen may be. */
  refreshMs?: number;
  /** How long an upload waits for its installation's clock. It has 20 s to be stored, and its client waits 30 s. */
  longestWaitMs?: number;
}

/**
 * The skews of all installations. The last uploads of those whose clocks look right are kept in memory only: nothing
 * stored means no skew. The others are stored, so that they survive a restart and other processes know them.
 */
export class ClockSkews {
  readonly #store: Store;
  readonly #maxInstallations: number;
  readonly #refreshMs: number;
  readonly #longestWaitMs: number;
  readonly #clocks = new Map<string, Clock>();
  #unstored: { org: string; installation: string; arrival: Arrival }[] = [];
  /** Installations that the next query asks for. */
  #toAsk: Question[] = [];
  #asking = false;

  constructor(
    store: Store,
    { maxInstallations = 20_000, refreshMs = 60_000, longestWaitMs = 500 }: ClockSkewOptions = {},
  ) {
    this.#store = store;
    this.#maxInstallations = maxInstallations;
    this.#refreshMs = refreshMs;
    this.#longestWaitMs = longestWaitMs;
  }

  /**
   * The skew to judge an upload by that has just arrived, itself included; remembers it. A store that doesn't answer
   * costs half a second, and what it knows.
   */
  async skewOf(org: string, installation: string, arrival: Arrival): Promise<number> {
    const clock = await this.#clock(org, installation, arrival.receivedAtMs);
    const before = clock.arrivals.at(-1);
    const wasOff = clock.arrivals.some(isOff);
    clock.arrivals = [...clock.arrivals, arrival].slice(-UPLOADS);
    if (wasOff || isOff(arrival)) {
      // Together with the last correct one, since a retry alone would look like a slow clock in the table.
      if (!wasOff && before !== undefined) this.#unstored.push({ org, installation, arrival: before });
      this.#unstored.push({ org, installation, arrival });
    }
    return clockSkewMs(clock.arrivals);
  }

  /**
   * Stores new observations. If that fails, they are kept for the next time, within bounds.
   * @throws {StoreError}
   */
  async flush(): Promise<void> {
    while (this.#unstored.length > 0) {
      const chunk = forOneStatement(this.#unstored);
      await this.#store.command(INSERT, {
        orgs: chunk.map(({ org }) => org),
        installations: chunk.map(({ installation }) => installation),
        received: chunk.map(({ arrival }) => arrival.receivedAtMs),
        newest: chunk.map(({ arrival }) => arrival.newestMs),
      });
      this.#unstored = this.#unstored.slice(chunk.length);
    }
  }

  async #clock(org: string, installation: string, nowMs: number): Promise<Clock> {
    const key = keyOf(org, installation);
    const known = this.#clocks.get(key);
    const clock = known ?? { arrivals: [], askedAtMs: Number.NEGATIVE_INFINITY };
    if (clock.askedAtMs + this.#refreshMs < nowMs) {
      clock.askedAtMs = nowMs;
      const asked = this.#ask(clock, org, installation).catch(() => {
        // The next upload asks again.
        clock.askedAtMs = Number.NEGATIVE_INFINITY;
      });
      if (known === undefined) await Promise.race([asked, sleep(this.#longestWaitMs, undefined, { ref: false })]);
    }
    // The map is in the order of use.
    this.#clocks.delete(key);
    this.#clocks.set(key, clock);
    for (const oldest of this.#clocks.keys()) {
      if (this.#clocks.size <= this.#maxInstallations) break;
      this.#clocks.delete(oldest);
    }
    if (this.#unstored.length > 10_000) this.#unstored = this.#unstored.slice(-5_000);
    return clock;
  }

  /** Adds what the table knows of an installation to its clock. */
  #ask(clock: Clock, org: string, installation: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#toAsk.push({ clock, org, installation, resolve, reject });
      if (!this.#asking) this.#askAll();
    });
  }

  /** After a start, all installations come at once. A query for each would keep ClickHouse busy for many seconds. */
  async #askAll(): Promise<void> {
    this.#asking = true;
    while (this.#toAsk.length > 0) {
      const questions = forOneStatement(this.#toAsk);
      this.#toAsk = this.#toAsk.slice(questions.length);
      try {
        const stored = await this.#store.query<Arrival & { org: string; installation: string }>(SELECT, {
          orgs: questions.map(({ org }) => org),
          installations: questions.map(({ installation }) => installation),
        });
        const clocks = new Map(questions.map(({ org, installation, clock }) => [keyOf(org, installation), clock]));
        for (const { org, installation, ...arrival } of stored)
          clocks.get(keyOf(org, installation))?.arrivals.push(arrival);
        for (const { clock, resolve } of questions) {
          clock.arrivals = latest(clock.arrivals);
          resolve();
        }
      } catch (error) {
        for (const { reject } of questions) reject(error);
      }
    }
    this.#asking = false;
  }
}

interface Question {
  clock: Clock;
  org: string;
  installation: string;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** ClickHouse takes a parameter of up to 128 KiB in a URL, where a character takes up to 9 bytes. */
const MOST_CHARACTERS = 12_000;

/** The first of them, as many as fit into the parameters of one statement. */
function forOneStatement<Each extends { org: string; installation: string }>(all: readonly Each[]): Each[] {
  let characters = 0;
  const end = all.findIndex(({ org, installation }, index) => {
    // With quotes and a comma.
    characters += Math.max(org.length, installation.length) + 8;
    return index > 0 && characters > MOST_CHARACTERS;
  });
  return end < 0 ? [...all] : all.slice(0, end);
}

const keyOf = (org: string, installation: string): string => JSON.stringify([org, installation]);

/** Each of them once, in the order of arrival. */
function latest(arrivals: readonly Arrival[]): Arrival[] {
  const distinct = new Map(arrivals.map((each) => [`${each.receivedAtMs} ${each.newestMs}`, each]));
  return [...distinct.values()].sort((a, b) => a.receivedAtMs - b.receivedAtMs).slice(-UPLOADS);
}

const SELECT = `
  SELECT DISTINCT org_id AS org, installation, toUnixTimestamp64Milli(received_at) AS receivedAtMs, newest_ms AS newestMs
  FROM upload_clocks
  WHERE (org_id, installation) IN (SELECT arrayJoin(arrayZip({orgs:Array(String)}, {installations:Array(String)})))
  ORDER BY receivedAtMs DESC
  LIMIT ${UPLOADS} BY org, installation`;

const INSERT = `
  INSERT INTO upload_clocks (org_id, installation, received_at, newest_ms)
  SELECT upload.1, upload.2, fromUnixTimestamp64Milli(upload.3, 'UTC'), upload.4
  FROM (SELECT arrayJoin(arrayZip({orgs:Array(String)}, {installations:Array(String)}, {received:Array(Int64)}, {newest:Array(Int64)})) AS upload)`;
