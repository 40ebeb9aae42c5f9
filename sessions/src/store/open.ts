import { join } from 'node:path';
import { ClickHouseStore } from './clickhouse.ts';
import { EmbeddedClickHouse } from './embedded.ts';
import type { Store } from './store.ts';

export type StoreOptions =
  /** Embedded ClickHouse, its data in `<data>/clickhouse`. */
  | { data: string }
  /** A server or cluster: `http://user:password@host:8123/database`. */
  | { clickhouse: string };

export interface OpenStore extends Store {
  /** How many inserts may run at once. */
  readonly concurrentInserts: number;
  /** Resolves with the reason if the embedded ClickHouse ends by itself; never for a server. */
  readonly lost: Promise<string>;
}

/**
 * Opens the store without changing its tables; see `migrate`.
 * @throws {CannotOpen} with one line for the user
 */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  if ('clickhouse' in options) {
    const store = new ClickHouseStore({ url: options.clickhouse });
    return Object.assign(store, { concurrentInserts: 2, lost: new Promise<string>(() => {}) });
  }
  const embedded = await EmbeddedClickHouse.start({ folder: join(options.data, 'clickhouse') });
  const store = new ClickHouseStore({ url: embedded.url });
  return Object.assign(store, {
    concurrentInserts: 1,
    lost: embedded.ended,
    close: async () => {
      await ClickHouseStore.prototype.close.call(store);
      await embedded.stop();
    },
  });
}
