import { type EventError, encodeRows } from 'git-ai-metrics';

/** The rows of one upload for one table, in RowBinaryWithNames. */
export interface TableRows {
  table: string;
  /** The names of the columns, which come first, once for all rows of an insert. */
  header: Buffer;
  rows: Buffer;
  rowCount: number;
}

export interface EncodedUpload {
  tables: TableRows[];
  /** The events that are refused permanently: the answer's `errors`. */
  errors: EventError[];
  /** The time of the newest event, in unix milliseconds. */
  newestMs: number | null;
}

export interface UploadContext {
  orgId: string;
  receivedAtMs: number;
  author?: string | undefined;
  installation?: string | undefined;
  /** How far behind the installation's clock is. */
  clockSkewMs?: number | undefined;
  maxBytes: number;
}

/**
 * Encodes the rows of an upload.
 * @throws the addon's error, with its `code`, for a body that isn't a batch
 */
export function encodeUpload(body: Uint8Array, context: UploadContext): EncodedUpload {
  const { tables, errors, newestMs } = encodeRows(body, context);
  const split = tables.map(({ table, rows, rowCount, headerLength }) => ({
    table,
    header: rows.subarray(0, headerLength),
    rows: rows.subarray(headerLength),
    rowCount,
  }));
  return { tables: split, errors, newestMs };
}
