/** The rule of docs/sessions.md in plain TypeScript, over a list of deliveries: what the SQL has to agree with. */

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export type Reason = 'user_quit' | 'idle_timeout' | 'signal';

/** An event as a client says it, in its own time. */
export interface ToldEvent {
  id: string;
  kind: 'HumanMessage' | 'ToolCall' | 'SessionEnd';
  parent?: string | undefined;
  startMs?: number | undefined;
  /** Unix seconds. */
  t: number;
  reason?: Reason | undefined;
  /** A call's outcome, once it is known. */
  error?: boolean | undefined;
}

export interface Delivery {
  events: ToldEvent[];
  receivedAtMs: number;
  /** Of the client's clock, as known when it arrived. */
  skewMs: number;
}

export interface State {
  state: 'live' | 'quiet' | 'ended';
  reason: Reason | null;
}

/** The least lag of the last 20 uploads, if it is more than the network's and less than a retry's. */
export function skewOf(lags: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const lag of lags.slice(-20)) if (lag <= 20 * MINUTE && lag < least) least = lag;
  return least === Number.POSITIVE_INFINITY || Math.abs(least) < MINUTE ? 0 : least;
}

export function heard(event: ToldEvent, { receivedAtMs, skewMs }: Delivery): number | undefined {
  const age = receivedAtMs - Math.max(event.startMs ?? 0, event.t * 1000);
  const fresh = age <= 10 * MINUTE + skewMs || (age >= -MINUTE && age <= 10 * MINUTE);
  return fresh ? receivedAtMs : undefined;
}

function filed(event: ToldEvent, receivedAtMs: number): number {
  const plausible = (ms: number | undefined): ms is number =>
    ms !== undefined && ms >= Date.UTC(2020) && ms <= receivedAtMs + DAY;
  if (plausible(event.startMs)) return event.startMs;
  return Math.min(Math.max(event.t * 1000, Date.UTC(2020)), receivedAtMs + DAY);
}

const latest = (times: (number | undefined)[]): number | undefined => {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
};

interface Told {
  event: ToldEvent;
  heardAt: number | undefined;
  receivedAtMs: number;
  filedAt: number;
}

const tellings = (deliveries: readonly Delivery[]): Told[] =>
  deliveries.flatMap((delivery) =>
    delivery.events.map((event) => ({
      event,
      heardAt: heard(event, delivery),
      receivedAtMs: delivery.receivedAtMs,
      filedAt: filed(event, delivery.receivedAtMs),
    })),
  );

export function signOf(deliveries: readonly Delivery[]): number | undefined {
  return latest(
    tellings(deliveries)
      .filter(({ event }) => event.kind !== 'SessionEnd')
      .map(({ heardAt }) => heardAt),
  );
}

/** The latest time that anything is filed under; `undefined` before anything has arrived. */
export function lastFiledOf(deliveries: readonly Delivery[]): number | undefined {
  return latest(tellings(deliveries).map(({ filedAt }) => filedAt));
}

const BEST: readonly Reason[] = ['user_quit', 'idle_timeout', 'signal'];

export function stateOf(deliveries: readonly Delivery[], nowMs: number): State {
  const all = tellings(deliveries);
  const sign = signOf(deliveries);
  const ends = new Map<string, Told[]>();
  for (const each of all) {
    if (each.event.kind === 'SessionEnd') ends.set(each.event.id, [...(ends.get(each.event.id) ?? []), each]);
  }
  const others = all.filter(({ event }) => event.kind !== 'SessionEnd').map(({ filedAt }) => filedAt);
  const last = Math.max(
    ...others,
    ...[...ends.values()].map((told) => Math.min(...told.map(({ filedAt }) => filedAt))),
  );
  const valid = [...ends.values()].filter((told) => {
    const heardAt = latest(told.map((each) => each.heardAt));
    if (heardAt !== undefined) {
      const grace = told.some(({ event }) => event.reason === 'user_quit') ? 10 * SECOND : 0;
      return sign === undefined || heardAt + grace >= sign;
    }
    const isLast = Math.min(...told.map(({ filedAt }) => filedAt)) === last;
    const received = Math.min(...told.map(({ receivedAtMs }) => receivedAtMs));
    return isLast && (sign === undefined || sign <= received - 10 * MINUTE);
  });
  if (valid.length > 0) {
    const reasons = valid.flat().map(({ event }) => event.reason);
    return { state: 'ended', reason: BEST.find((reason) => reasons.includes(reason)) ?? null };
  }
  return { state: sign !== undefined && sign >= nowMs - MINUTE ? 'live' : 'quiet', reason: null };
}

/** What the reaper does with a session: the event that its end follows, or nothing. */
export function reaped(deliveries: readonly Delivery[], nowMs: number): { id: string; startMs: number } | undefined {
  const all = tellings(deliveries);
  const acts = all.filter(({ event }) => event.kind !== 'SessionEnd');
  if (acts.length === 0 || stateOf(deliveries, nowMs).state === 'ended') return undefined;
  const since = signOf(deliveries) ?? Math.max(...all.map(({ receivedAtMs }) => receivedAtMs));
  const calls = acts
    .filter(({ event }) => event.kind === 'ToolCall')
    .sort((a, b) => a.filedAt - b.filedAt || (a.event.id < b.event.id ? -1 : 1));
  const lastCall = calls.at(-1)?.event.id;
  const open = lastCall !== undefined && !acts.some(({ event }) => event.id === lastCall && event.error !== undefined);
  if (since > nowMs - (open ? 60 : 10) * MINUTE) return undefined;
  const lastMs = Math.max(...acts.map(({ filedAt }) => filedAt));
  const there = acts.filter(({ filedAt }) => filedAt === lastMs).map(({ event }) => event);
  const leaves = there.filter(({ id }) => !there.some(({ parent }) => parent === id));
  const ids = (leaves.length > 0 ? leaves : there).map(({ id }) => id).sort();
  return { id: ids.at(-1) as string, startMs: lastMs };
}
