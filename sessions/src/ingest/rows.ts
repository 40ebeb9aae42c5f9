import { type EventError, encodePromptEventRows, PROMPT_EVENT_COLUMNS } from 'git-ai-metrics';

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
  /** The events that can never be taken: the answer's `errors`. */
  errors: EventError[];
}

export interface UploadContext {
  orgId: string;
  receivedAtMs: number;
  author?: string | undefined;
  installation?: string | undefined;
  maxBytes: number;
}

/**
 * The rows of an upload.
 * @throws the addon's error, with its `code`, for a body that is no batch
 */
export function encodeUpload(body: Uint8Array, { orgId, receivedAtMs, maxBytes }: UploadContext): EncodedUpload {
  const { rows, rowCount, errors } = encodePromptEventRows(body, { orgId, receivedAtMs, maxBytes });
  const tables = rowCount === 0 ? [] : [{ table: 'prompt_event_deliveries', header: HEADER, rows, rowCount }];
  return { tables, errors };
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
const HEADER = Buffer.concat([Buffer.from([PROMPT_EVENT_COLUMNS.length]), ...PROMPT_EVENT_COLUMNS.map(text)]);
