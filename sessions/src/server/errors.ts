export interface ErrorDetails {
  details?: unknown;
  /** Seconds, for the header. */
  retryAfter?: number;
}

/** An error that becomes the answer to a request. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly details: unknown;
  readonly retryAfter: number | undefined;

  constructor(
    readonly statusCode: number,
    message: string,
    { details, retryAfter }: ErrorDetails = {},
  ) {
    super(message);
    this.details = details;
    this.retryAfter = retryAfter;
  }
}
