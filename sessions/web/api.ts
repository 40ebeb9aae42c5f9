/** Asks the server, and keeps what a page shows up to date. */
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { place } from './place.ts';
import { headersOf } from './questions.ts';

/** An answer that didn't come, in words for the reader. */
export class Failure extends Error {
  constructor(
    message: string,
    /** The HTTP status, or 0 if the server can't be reached. */
    readonly status: number,
    readonly requestId: string | null,
  ) {
    super(message);
  }
}

/** Why the server wants a key, or null while it wants none. */
export const signedOut = signal<string | null>(null);
/** How far this clock is behind the server's. */
export const clockOffset = signal(0);

export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  let answer: Response;
  const headers = { ...headersOf(place.value.query), ...init.headers };
  try {
    answer = await (takeAsked(path) ?? fetch(path, { ...init, headers }));
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new Failure('The server can’t be reached.', 0, null);
  }
  const body = (await answer.json().catch(() => undefined)) as { error?: string; now?: string } | undefined;
  if (!answer.ok) {
    const failure = new Failure(
      body?.error ?? `The server answered ${answer.status}.`,
      answer.status,
      answer.headers.get('x-request-id'),
    );
    if ((answer.status === 401 || answer.status === 403) && path.startsWith('/api/')) signOut(failure.message);
    throw failure;
  }
  if (body === undefined)
    throw new Failure('The server’s answer is not JSON.', answer.status, answer.headers.get('x-request-id'));
  if (body.now !== undefined) clockOffset.value = Date.parse(body.now) - Date.now();
  return body as T;
}

/** After so long, an answer that was asked for with the document is no news any more. */
const ASKED_MS = 10_000;

/** The answer that was asked for before this script was there. Only the first who asks gets it. */
function takeAsked(path: string): Promise<Response> | undefined {
  const answer = performance.now() < ASKED_MS ? globalThis.asked?.get(path) : undefined;
  globalThis.asked?.delete(path);
  return answer;
}

/** The answers that were asked for with the document, whatever became of them. What is less urgent waits for them. */
const firstAnswers: Promise<unknown> = Promise.allSettled(globalThis.asked?.values() ?? []);
export async function askLater<T>(path: string, init: RequestInit): Promise<T> {
  await firstAnswers;
  return ask<T>(path, init);
}

/** Why there is no key after the reader signed out. */
export const SIGNED_OUT = 'You are signed out.';

/** Forgets what was shown: whoever signs in next may be of another org. */
export function signOut(reason: string): void {
  kept.clear();
  signedOut.value = reason;
}

export interface Loaded<T> {
  data: T | undefined;
  /** Why the last attempt failed. `data` is then from before. */
  failure: Failure | undefined;
  /** Whether `data` is the answer to another question than the one asked now. */
  outdated: boolean;
  reload(): void;
  /** Replaces the answer by one that contains more, such as a further page. */
  extend(data: T): void;
}

/** Answers of views that were left, so that going back shows them at once. */
const kept = new Map<string, unknown>();
const MOST_KEPT = 40;
/** A session's answer holds its events. So many of them count for one more answer. */
const EVENTS_OF_AN_ANSWER = 1_000;

export function keep(question: string, answer: unknown): void {
  kept.delete(question);
  kept.set(question, answer);
  const weightOf = (of: unknown) =>
    1 + ((of as { events?: readonly unknown[] } | null)?.events?.length ?? 0) / EVENTS_OF_AN_ANSWER;
  let weight = 0;
  for (const each of kept.values()) weight += weightOf(each);
  for (const [oldest, answer] of kept) {
    if (weight <= MOST_KEPT) break;
    weight -= weightOf(answer);
    kept.delete(oldest);
  }
}

export const keptAnswer = <T>(question: string): T | undefined => kept.get(question) as T | undefined;

const LONGEST_WAIT_MS = 60_000;

/**
 * Asks a question now and every `everyMs` while the page is in sight. A question is named by a string: if it changes, the
 * old answer stays until the new one is there.
 */
export function useAnswer<T>(
  question: string,
  /** Calls `show` with what there is so far, if the rest takes longer. */
  load: (signal: AbortSignal, show: (data: T) => void) => Promise<T>,
  everyMs: number,
): Loaded<T> {
  const [state, setState] = useState<{ of: string; data: T | undefined; failure: Failure | undefined }>(() => ({
    of: question,
    data: keptAnswer<T>(question),
    failure: undefined,
  }));
  const latest = useRef(load);
  latest.current = load;
  const pause = useRef(everyMs);
  pause.current = everyMs;
  const again = useRef(() => {});

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let aborter: AbortController | undefined;
    let askedAt = Number.NEGATIVE_INFINITY;
    let failures = 0;
    const before = keptAnswer<T>(question);
    if (before !== undefined) setState({ of: question, data: before, failure: undefined });

    const attempt = async () => {
      clearTimeout(timer);
      aborter?.abort();
      aborter = new AbortController();
      const { signal } = aborter;
      askedAt = performance.now();
      const show = (data: T) => {
        if (signal.aborted) return;
        keep(question, data);
        setState({ of: question, data, failure: undefined });
      };
      try {
        const data = await latest.current(signal, show);
        if (signal.aborted) return;
        failures = 0;
        show(data);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Failure)) throw error;
        failures += 1;
        setState(({ of, data }) => ({ of, data, failure: error }));
      }
      const wait =
        failures === 0 ? pause.current : Math.min(LONGEST_WAIT_MS, Math.max(pause.current, 2000) * 2 ** (failures - 1));
      timer = setTimeout(inSight, wait);
    };
    const inSight = () => {
      if (!document.hidden) attempt();
    };
    const onVisible = () => {
      if (!document.hidden && performance.now() - askedAt >= pause.current) attempt();
    };
    again.current = attempt;
    document.addEventListener('visibilitychange', onVisible);
    addEventListener('online', onVisible);
    attempt();
    return () => {
      clearTimeout(timer);
      aborter?.abort();
      document.removeEventListener('visibilitychange', onVisible);
      removeEventListener('online', onVisible);
    };
  }, [question]);

  return {
    data: state.data,
    failure: state.failure,
    outdated: state.of !== question,
    reload: () => again.current(),
    extend: (data) => {
      keep(question, data);
      setState(({ failure }) => ({ of: question, data, failure }));
    },
  };
}
