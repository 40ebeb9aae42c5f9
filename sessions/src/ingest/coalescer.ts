/**
 * Combines many uploads into one insert, because ClickHouse stores ten thousand rows about as fast as one. An upload is
 * done when its rows are stored in all their tables. Nothing is acknowledged before that, and nothing is kept for
 * later.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Store, StoreError } from '../store/store.ts';
import type { TableRows } from './rows.ts';

export interface CoalescerOptions {
  /** How many inserts may run at once, per table. */
  concurrentInserts: number;
  /** An insert starts as soon as this many rows wait for it … */
  dueRows?: number;
  /** … or this many bytes … */
  dueBytes?: number;
  /** … or the first of them for this long. It starts at once if ClickHouse is idle: see `REST`. */
  maxDelayMs?: number;
  /** It takes all that waits by then, up to this many rows: the larger an insert, the less is left for merges to do … */
  maxRows?: number;
  /** … and this many bytes. */
  maxBytes?: number;
  /** How long an upload may wait to be stored. After that, its client gets a 503. */
  giveUpMs?: number;
  /** How many bytes of bodies and rows may wait in memory. Beyond that, uploads are refused at once. */
  maxWaitingBytes?: number;
  /** Called before an upload fails because ClickHouse refuses its rows permanently. */
  onRefused?: (refused: RefusedRows, reason: StoreError) => void;
  /** Called after every insert. */
  onInsert?: (insert: { table: string; rows: number; ms: number; failed: boolean }) => void;
}

/** The upload, for `onRefused`. The body stays in memory as long as its rows. */
export interface Upload {
  requestId: string;
  orgId: string;
  body: Uint8Array;
}

/** The rows of one upload for one table that ClickHouse can't store. */
export interface RefusedRows extends TableRows {
  upload: Upload;
}

/** The upload isn't stored now, but may be later: 503. */
export class NotStored extends Error {
  override readonly name = 'NotStored';
}

/**
 * ClickHouse counts as idle once it has rested for this many times the duration of its last insert. So single clients
 * are answered at once, and under load inserts become larger instead of more frequent.
 */
const REST = 4;

interface Waiting extends TableRows {
  upload: Upload;
  /** When its client gets a 503, by `performance.now()`. */
  deadline: number;
  settle: (error?: Error) => void;
}

export class Coalescer {
  readonly #store: Pick<Store, 'insert'>;
  readonly #options: Required<CoalescerOptions>;
  readonly #tables = new Map<string, TableQueue>();
  #waitingBytes = 0;

  constructor(store: Pick<Store, 'insert'>, options: CoalescerOptions) {
    this.#store = store;
    this.#options = {
      dueRows: 10_000,
      dueBytes: 8 * 2 ** 20,
      maxDelayMs: 250,
      maxRows: 60_000,
      maxBytes: 48 * 2 ** 20,
      giveUpMs: 20_000,
      maxWaitingBytes: 256 * 2 ** 20,
      onRefused: () => {},
      onInsert: () => {},
      ...options,
    };
  }

  /**
   * Resolves once all these rows are stored.
   *
   * @throws {NotStored} if they can't be for now, {StoreError} if they can't be at all
   */
  async store(tables: readonly TableRows[], upload: Upload): Promise<void> {
    const bytes = tables.reduce((sum, { rows }) => sum + rows.length, upload.body.length);
    if (this.#waitingBytes + bytes > this.#options.maxWaitingBytes) {
      throw new NotStored('too many uploads are waiting to be stored');
    }
    this.#waitingBytes += bytes;
    try {
      if (tables.length === 1) {
        const [rows] = tables as [TableRows];
        await this.#queue(rows.table).add(rows, upload);
        return;
      }
      // Wait for every table, so that no rejection stays unhandled.
      const outcomes = await Promise.allSettled(tables.map((rows) => this.#queue(rows.table).add(rows, upload)));
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
      // Rows that can never be stored take precedence, because they will fail again.
      const worst = errors.find((error) => !(error instanceof NotStored)) ?? errors[0];
      if (worst !== undefined) throw worst;
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  /** Resolves once no upload waits and no insert runs. Uploads no longer wait for others to join them. */
  async drain(): Promise<void> {
    await Promise.all([...this.#tables.values()].map((queue) => queue.drain()));
  }

  /** Refuses every upload that isn't stored yet, for a process that must end. */
  giveUp(reason: string): void {
    for (const queue of this.#tables.values()) queue.giveUp(new NotStored(reason));
  }

  get load(): { rows: number; bytes: number; inserts: number; oldestMs: number } {
    const loads = [...this.#tables.values()].map((queue) => queue.load);
    const sum = (key: 'rows' | 'inserts') => loads.reduce((total, load) => total + load[key], 0);
    return {
      rows: sum('rows'),
      bytes: this.#waitingBytes,
      inserts: sum('inserts'),
      oldestMs: Math.max(0, ...loads.map(({ oldestMs }) => oldestMs)),
    };
  }

  #queue(table: string): TableQueue {
    let queue = this.#tables.get(table);
    if (queue === undefined) {
      queue = new TableQueue(table, this.#store, this.#options);
      this.#tables.set(table, queue);
    }
    return queue;
  }
}

/** The rows that wait for one table, and the inserts into it. */
class TableQueue {
  #waiting: Waiting[] = [];
  /** Waiting rows and those of running inserts. */
  readonly #unsettled = new Set<Waiting>();
  #rows = 0;
  #bytes = 0;
  #inserts = 0;
  #firstAt = 0;
  /** When ClickHouse will have rested enough. */
  #idleFrom = 0;
  #timer: NodeJS.Timeout | undefined;
  /** One timer for all uploads that may have to be given up: each waits equally long, so they are in this order. */
  #givingUp: NodeJS.Timeout | undefined;
  #draining: (() => void)[] = [];

  constructor(
    private readonly table: string,
    private readonly store: Pick<Store, 'insert'>,
    private readonly options: Required<CoalescerOptions>,
  ) {}

  add(rows: TableRows, upload: Upload): Promise<void> {
    return new Promise((resolve, reject) => {
      const { giveUpMs } = this.options;
      const waiting: Waiting = {
        ...rows,
        upload,
        deadline: performance.now() + giveUpMs,
        settle: (error) => {
          this.#unsettled.delete(waiting);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#unsettled.add(waiting);
      this.#givingUp ??= setTimeout(() => this.#giveUpLate(), giveUpMs).unref();
      if (this.#waiting.length === 0) this.#firstAt = performance.now();
      this.#waiting.push(waiting);
      this.#rows += rows.rowCount;
      this.#bytes += rows.rows.length;
      this.#schedule();
    });
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#draining.push(resolve);
      this.#schedule();
    });
  }

  /**
   * Refuses the uploads whose time is up. The insert with their rows may still succeed. That does no harm: the client sends
   * them again, and the rows are equal.
   */
  #giveUpLate(): void {
    const { giveUpMs } = this.options;
    this.#givingUp = undefined;
    for (const waiting of this.#unsettled) {
      const leftMs = waiting.deadline - performance.now();
      if (leftMs > 0) {
        this.#givingUp = setTimeout(() => this.#giveUpLate(), Math.ceil(leftMs)).unref();
        return;
      }
      this.#forget(waiting);
      waiting.settle(new NotStored(`not stored within ${giveUpMs / 1000} s`));
    }
  }

  giveUp(error: NotStored): void {
    for (const waiting of this.#unsettled) {
      waiting.deadline = 0;
      this.#forget(waiting);
      waiting.settle(error);
    }
    this.#schedule();
  }

  get load() {
    const oldestMs = this.#waiting.length === 0 ? 0 : performance.now() - this.#firstAt;
    return { rows: this.#rows, inserts: this.#inserts, oldestMs };
  }

  /** Starts all inserts that are due, and schedules the next call. */
  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0 && this.#inserts < this.options.concurrentInserts) {
      const waitMs = this.#dueIn();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#schedule(), waitMs);
        return;
      }
      this.#start(this.#take());
    }
    // If the maximum of inserts runs, no timer is needed: the end of one of them calls this again.
    if (this.#waiting.length === 0 && this.#inserts === 0) {
      for (const resolve of this.#draining.splice(0)) resolve();
    }
  }

  #dueIn(): number {
    const { dueRows, dueBytes, maxDelayMs } = this.options;
    if (this.#rows >= dueRows || this.#bytes >= dueBytes || this.#draining.length > 0) return 0;
    const latest = this.#firstAt + maxDelayMs;
    return (this.#inserts > 0 ? latest : Math.min(latest, this.#idleFrom)) - performance.now();
  }

  /** Takes the uploads of the next insert: at least one of any size, and only uploads with the same columns. */
  #take(): Waiting[] {
    const { maxRows, maxBytes } = this.options;
    const [{ header }] = this.#waiting as [Waiting];
    let rows = 0;
    let bytes = 0;
    let count = 0;
    for (const each of this.#waiting) {
      if (count > 0 && (rows + each.rowCount > maxRows || bytes + each.rows.length > maxBytes)) break;
      if (each.header !== header && !each.header.equals(header)) break;
      rows += each.rowCount;
      bytes += each.rows.length;
      count += 1;
    }
    const batch = this.#waiting.splice(0, count);
    this.#rows -= rows;
    this.#bytes -= bytes;
    this.#firstAt = performance.now();
    return batch;
  }

  #start(batch: Waiting[]): void {
    this.#inserts += 1;
    const began = performance.now();
    this.#insert(batch).finally(() => {
      const now = performance.now();
      this.#idleFrom = now + REST * (now - began);
      this.#inserts -= 1;
      this.#schedule();
    });
  }

  /** Stores a batch, or rejects each of its uploads with the reason. Never rejects itself. */
  async #insert(batch: Waiting[]): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, 2000)) {
      const error = await this.#attempt(batch);
      if (error === undefined) {
        for (const { settle } of batch) settle();
        return;
      }
      if (!(error instanceof StoreError) || !error.transient) return this.#bisect(batch, error);
      const deadline = batch.reduce((least, each) => Math.min(least, each.deadline), Number.POSITIVE_INFINITY);
      if (performance.now() + pauseMs >= deadline) {
        for (const { settle } of batch) settle(new NotStored(error.message, { cause: error }));
        return;
      }
      await sleep(pauseMs);
    }
  }

  async #attempt(batch: Waiting[]): Promise<Error | undefined> {
    const rows = batch.reduce((sum, each) => sum + each.rowCount, 0);
    const began = performance.now();
    let error: Error | undefined;
    try {
      const [{ header }] = batch as [Waiting];
      await this.store.insert(this.table, [header, ...batch.map((each) => each.rows)], rows);
    } catch (cause) {
      error = cause as Error;
    }
    this.options.onInsert({ table: this.table, rows, ms: performance.now() - began, failed: error !== undefined });
    return error;
  }

  /** An upload that ClickHouse refuses must not fail its neighbours, so each half is tried separately. */
  async #bisect(batch: Waiting[], reason: Error): Promise<void> {
    if (batch.length > 1) {
      const half = batch.length >> 1;
      await this.#insert(batch.slice(0, half));
      await this.#insert(batch.slice(half));
      return;
    }
    const [each] = batch as [Waiting];
    if (reason instanceof StoreError) {
      const { table, header, rows, rowCount, upload } = each;
      this.options.onRefused({ table, header, rows, rowCount, upload }, reason);
    }
    each.settle(reason);
  }

  #forget(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#rows -= waiting.rowCount;
    this.#bytes -= waiting.rows.length;
  }
}
