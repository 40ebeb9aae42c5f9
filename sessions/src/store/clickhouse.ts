/** The store over ClickHouse's HTTP interface: a server, a cluster, or the embedded one, which speaks it as well. */
import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { ROW_COLUMNS, type RowTable } from 'git-ai-metrics';
import { insertStatement } from './sql.ts';
import { type Store, StoreError } from './store.ts';

export interface ClickHouseOptions {
  /** `http://user:password@host:8123/database` */
  url: string;
  /** How long a request may take, in milliseconds; default a minute. */
  timeoutMs?: number;
}

/** ClickHouse's exceptions that the request didn't cause. The same request may succeed later. */
const TRANSIENT_CODES = new Set([
  3, // unexpected end of file: a connection that broke
  159, // timeout exceeded
  202, // too many simultaneous queries
  203, // no free connection
  209, // socket timeout
  210, // network error
  225, // no ZooKeeper
  236, // aborted: the server shuts down
  241, // memory limit exceeded
  242, // table is read only
  243, // not enough space
  252, // too many parts
  254, // no active replicas
  279, // all connection tries failed
  285, // too few live replicas
  286, // unsatisfied quorum for a previous write
  319, // unknown status of insert
  394, // query was cancelled
  999, // Keeper exception
]);

const OF_QUERIES = {
  // Without this, an exception can follow a 200 and half of the rows.
  wait_end_of_query: 1,
  // ClickHouse compiles what it runs for the fourth time. That takes up to a second, and the queries here, of which no part
  // runs for long, aren't faster afterwards.
  compile_expressions: 0,
  compile_aggregate_expressions: 0,
  compile_sort_description: 0,
  // Where filters are given, a third of a query's time went into looking for these simplifications, and there are none.
  optimize_and_compare_chain: 0,
  optimize_extract_common_expressions: 0,
  optimize_aggregators_of_group_by_keys: 0,
  optimize_group_by_function_keys: 0,
  // A query ends when nobody waits for its answer any more. That holds for those that can't change anything.
  cancel_http_readonly_queries_on_client_close: 1,
  readonly: '2',
} as const;

export class ClickHouseStore implements Store {
  readonly #client: ClickHouseClient;
  readonly #insertStatements = new Map<string, string>();

  constructor({ url, timeoutMs = 60_000 }: ClickHouseOptions) {
    this.#client = createClient({
      url,
      application: 'git-ai-sessions',
      request_timeout: timeoutMs,
      max_open_connections: 32,
      // The caller reports errors, without the statement's values.
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: {
        // Numbers, not strings: no count here comes near 2^53, and times are milliseconds.
        output_format_json_quote_64bit_integers: 0,
        date_time_output_format: 'simple',
      },
    });
  }

  async query<Row>(sql: string, parameters: Record<string, unknown> = {}, signal?: AbortSignal): Promise<Row[]> {
    return attempt(async () => {
      const result = await this.#client.query({
        query: sql,
        query_params: parameters,
        format: 'JSONEachRow',
        clickhouse_settings: OF_QUERIES,
        ...(signal !== undefined && { abort_signal: signal }),
      });
      refuseException(result.response_headers);
      return rowsOf<Row>(await result.text());
    });
  }

  async command(sql: string, parameters: Record<string, unknown> = {}): Promise<void> {
    await attempt(async () => {
      const { stream, response_headers } = await this.#client.exec({ query: sql, query_params: parameters });
      await refuseAnswer(stream, response_headers);
    });
  }

  async insert(table: string, rows: Buffer | readonly Buffer[], rowCount: number): Promise<void> {
    if (rowCount === 0) return;
    const written = await attempt(async () => {
      const { stream, response_headers, summary } = await this.#client.exec({
        query: this.#insertStatement(table),
        values: Readable.from(Buffer.isBuffer(rows) ? [rows] : rows, { objectMode: false }),
      });
      await refuseAnswer(stream, response_headers);
      return summary?.written_rows;
    });
    if (written !== undefined && Number(written) < rowCount) {
      throw new StoreError(`ClickHouse stored ${written} of ${rowCount} rows in ${table}`, false);
    }
  }

  #insertStatement(table: string): string {
    let statement = this.#insertStatements.get(table);
    if (statement === undefined) {
      statement = withPlainTypes(insertStatement(identifier(table)), table);
      this.#insertStatements.set(table, statement);
    }
    return statement;
  }

  async ping(): Promise<void> {
    await this.query('SELECT 1');
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/**
 * Changes the statement so that rows are read as plain types. Reading them as the table's LowCardinality types takes
 * twice as long as converting them afterwards.
 */
function withPlainTypes(statement: string, table: string): string {
  const columns = ROW_COLUMNS[table as RowTable];
  const names = columns.map(({ name }) => name).join(', ');
  const structure = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  return statement.replace(/FORMAT \w+$/, (format) => `SELECT ${names} FROM input($$${structure}$$) ${format}`);
}

/** Table names come only from this package and the addon, which this check enforces. */
function identifier(name: string): string {
  if (!/^\w+$/.test(name)) throw new TypeError(`not a table's name: ${JSON.stringify(name)}`);
  return name;
}

/** Parses JSONEachRow. The client's own parser ignores an incomplete last line; here it is an error. */
function rowsOf<Row>(text: string): Row[] {
  const lines = text.split('\n');
  const rest = lines.pop();
  if (rest !== '')
    throw exception(undefined, `expected a row on each line, found ${JSON.stringify(rest?.slice(0, 300))}`);
  return lines.map((line) => JSON.parse(line) as Row);
}

/** ClickHouse sends its status before it is done, so a 200 can still carry an exception. */
function refuseException(headers: Record<string, string | string[] | undefined>): void {
  const code = headers['x-clickhouse-exception-code'];
  if (code !== undefined) throw exception(Number(code), `ClickHouse answered with exception ${code}`);
}

/** Reads an answer that must be empty to its end. Throws if it breaks off. */
async function refuseAnswer(stream: Readable, headers: Record<string, string | string[] | undefined>): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  refuseException(headers);
  if (chunks.length === 0) return;
  const answer = Buffer.concat(chunks).toString();
  const code = /Code: (\d+)\./.exec(answer)?.[1];
  throw exception(
    code === undefined ? undefined : Number(code),
    `expected an empty answer, found ${answer.slice(0, 300)}`,
  );
}

const exception = (code: number | undefined, message: string, cause?: unknown): StoreError =>
  new StoreError(message, code === undefined || TRANSIENT_CODES.has(code), code, { cause });

async function attempt<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    if (error instanceof ClickHouseError) throw exception(Number(error.code), error.message, error);
    // Not an exception of ClickHouse, but a failed connection, a timeout, a broken answer, or a proxy's 5xx.
    // Node's error for a name with several addresses has a code but no message.
    const { message, code } = error as NodeJS.ErrnoException;
    throw exception(undefined, message || code || String(error), error);
  }
}
