/** The interface to ClickHouse for the rest of the backend. It is the same for embedded ClickHouse and a server. */
export interface Store {
  /**
   * Returns the rows of a query. Values are bound to ClickHouse's own parameters, `{name:Type}`, and never inserted
   * into SQL. 64-bit integers come as numbers.
   *
   * @param signal ends the query, also in ClickHouse
   * @throws {StoreError}
   */
  query<Row = Record<string, unknown>>(
    sql: string,
    parameters?: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<Row[]>;

  /**
   * Runs a statement without a result.
   * @throws {StoreError}
   */
  command(sql: string, parameters?: Record<string, unknown>): Promise<void>;

  /**
   * Stores rows from the addon. Once this resolves, they survive the death of every process.
   * @throws {StoreError}
   */
  insert(table: string, rows: Buffer | readonly Buffer[], rowCount: number): Promise<void>;

  /**
   * Resolves if ClickHouse answers a query.
   * @throws {StoreError}
   */
  ping(): Promise<void>;

  close(): Promise<void>;
}

/** What reads need of it. */
export type Queries = Pick<Store, 'query'>;

/** Why ClickHouse failed, and whether a retry may help. */
export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    message: string,
    /** The same request may succeed later: no connection, a timeout, too many parts, no memory, … */
    readonly transient: boolean,
    /** ClickHouse's number of the exception, if there is one. */
    readonly code?: number | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A store, or the file of keys, that can't be opened. The message is one line for the operator. */
export class CannotOpen extends Error {
  override readonly name = 'CannotOpen';
}
