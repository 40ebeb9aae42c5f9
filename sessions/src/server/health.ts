/** Whether the server can do its work, probe by probe. */
import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Coalescer } from '../ingest/coalescer.ts';
import type { Store } from '../store/store.ts';

export interface Probe {
  ok: boolean;
  /** The finding, for people. */
  found: string;
}

export type ProbeName = 'store' | 'queue' | 'disk' | 'event_loop' | 'closing';
export type Health = Record<ProbeName, Probe>;

export interface HealthOptions {
  store: Store;
  coalescer: Coalescer;
  /** The folder whose disk must not fill up. */
  folder: string;
  /** Below this many free bytes uploads are refused. */
  minFreeBytes: number;
}

const PING_TIMEOUT_MS = 2000;
/** ClickHouse and the disk are checked at most once in this time, however often the probes are requested. */
const FRESH_MS = 1000;
const MAX_QUEUE_AGE_MS = 10_000;
const MAX_LOOP_DELAY_MS = 1000;

export class HealthProbes {
  readonly #options: HealthOptions;
  readonly #loop = monitorEventLoopDelay({ resolution: 20 });
  #store: { at: number; probe: Promise<Probe> } | undefined;
  #disk: { at: number; probe: Promise<Probe> } | undefined;
  closing = false;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#loop.enable();
  }

  async all(): Promise<Health> {
    const { coalescer } = this.#options;
    const { rows, oldestMs } = coalescer.load;
    const delayMs = this.#loop.percentile(99) / 1e6;
    this.#loop.reset();
    return {
      store: await this.#askStore(),
      queue: { ok: oldestMs < MAX_QUEUE_AGE_MS, found: `${rows} rows, the first for ${Math.round(oldestMs)} ms` },
      disk: await this.disk(),
      event_loop: { ok: !(delayMs > MAX_LOOP_DELAY_MS), found: `p99 delay ${Math.round(delayMs || 0)} ms` },
      closing: { ok: !this.closing, found: this.closing ? 'shutting down' : 'no' },
    };
  }

  disk(): Promise<Probe> {
    if (this.#disk === undefined || performance.now() - this.#disk.at > FRESH_MS) {
      this.#disk = { at: performance.now(), probe: this.#lookAtDisk() };
    }
    return this.#disk.probe;
  }

  close(): void {
    this.#loop.disable();
  }

  #askStore(): Promise<Probe> {
    if (this.#store === undefined || performance.now() - this.#store.at > FRESH_MS) {
      this.#store = { at: performance.now(), probe: this.#ping() };
    }
    return this.#store.probe;
  }

  async #ping(): Promise<Probe> {
    const began = performance.now();
    const late = sleep(PING_TIMEOUT_MS, undefined, { ref: false }).then(() => {
      throw new Error(`no answer within ${PING_TIMEOUT_MS / 1000} s`);
    });
    try {
      await Promise.race([this.#options.store.ping(), late]);
      return { ok: true, found: `answered in ${Math.round(performance.now() - began)} ms` };
    } catch (error) {
      return { ok: false, found: (error as Error).message };
    }
  }

  async #lookAtDisk(): Promise<Probe> {
    const { folder, minFreeBytes } = this.#options;
    try {
      const { bavail, bsize } = await statfs(folder);
      const free = bavail * bsize;
      return { ok: free >= minFreeBytes, found: `${Math.round(free / 2 ** 20)} MiB free` };
    } catch (error) {
      return { ok: false, found: (error as Error).message };
    }
  }
}
