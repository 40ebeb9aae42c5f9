/** What the rest of the backend knows of ClickHouse. The embedded one and a server are the same to it. */
export interface Store {
  /**
   * The rows of a query. Values are bound to ClickHouse's own parameters, `{name:Type}`; nothing is ever pasted into SQL.
   * 64-bit integers come as numbers.
   *
   * @throws {StoreError}
   */
  query<Row = Record<string, unknown>>(sql: string, parameters?: Record<string, unknown>): Promise<Row[]>;

  /**
   * Runs a statement that answers nothing.
   * @throws {StoreError}
   */
  command(sql: string, parameters?: Record<string, unknown>): Promise<void>;

  /**
   * Stores rows as the addon encodes them. Once this resolves they survive the death of every process.
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

/** Why ClickHouse didn't do what it was asked, and whether asking again may help. */
export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    message: string,
    /** The same request may succeed later: no connection, a timeout, too many parts, no memory, … */
    readonly transient: boolean,
    /** ClickHouse's own number for the exception, where there is one. */
    readonly code?: number | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A store that can't be opened, in one line for whoever started the server. */
export class CannotOpen extends Error {
  override readonly name = 'CannotOpen';
}
