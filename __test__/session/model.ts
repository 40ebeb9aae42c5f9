import { eventId } from '../../index.js';

// The rule of a session's state as the backend's contract words it, over the whole list of deliveries. Slow, and nothing
// in it is shared with the tracker.

export interface Delivery {
  promptId: string;
  kind: string;
  eventId: string;
  endReason?: string;
  startTs?: number;
  /** Unix seconds. */
  t: number;
  received: number;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const DAY = 24 * 60 * MINUTE;

const ACTS = ['HumanMessage', 'ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'];
const REASONS = ['signal', 'idle_timeout', 'user_quit'];

const isFresh = ({ startTs, t, received }: Delivery) =>
  [startTs, t * SECOND].some((time) => time !== undefined && received - time <= 10 * MINUTE);

/** Models use times after 2020 only. */
function eventTime({ startTs, t, received }: Delivery): number {
  for (const time of [startTs, t * SECOND]) if (time !== undefined && time <= received + DAY) return time;
  return received;
}

const latest = (times: number[]) => (times.length > 0 ? Math.max(...times) : undefined);

export function status(deliveries: Delivery[], now: number): { state: string; reason?: string } | null {
  if (deliveries.length === 0) return null;
  const heard = (of: Delivery[]) => latest(of.filter(isFresh).map(({ received }) => received));
  const sign = heard(deliveries.filter(({ kind }) => kind !== 'SessionEnd'));
  const last = Math.max(...deliveries.map(eventTime));
  const ends = deliveries.filter(({ kind }) => kind === 'SessionEnd');
  const valid = [...new Set(ends.map((end) => end.eventId))].filter((id) => {
    const end = ends.filter((delivery) => delivery.eventId === id);
    const grace = end[0].endReason === 'user_quit' ? 10 * SECOND : 0;
    const heardAt = heard(end);
    if (heardAt !== undefined) return sign === undefined || heardAt + grace >= sign;
    const received = Math.max(...end.map((delivery) => delivery.received));
    const isLast = Math.max(...end.map(eventTime)) === last;
    return isLast && (sign === undefined || sign <= received - 10 * MINUTE);
  });
  const reasons = ends.filter((end) => valid.includes(end.eventId)).map((end) => end.endReason ?? '');
  const best = REASONS.findLast((reason) => reasons.includes(reason));
  if (best !== undefined) return { state: 'ended', reason: best };
  return { state: sign !== undefined && now - sign <= MINUTE ? 'live' : 'quiet' };
}

/** The ends that a sweep gives: one for each session whose last act is old and which has not ended. */
export function sweep(deliveries: Delivery[], now: number): Delivery[] {
  const sessions = [...new Set(deliveries.map(({ promptId }) => promptId))];
  return sessions.flatMap((promptId) => {
    const own = deliveries.filter((delivery) => delivery.promptId === promptId);
    const acts = own.filter(({ kind }) => ACTS.includes(kind));
    if (acts.length === 0 || status(own, now)?.state === 'ended') return [];
    const act = acts.reduce((a, b) => {
      const [first, second] = [eventTime(a), eventTime(b)];
      return first > second || (first === second && a.eventId > b.eventId) ? a : b;
    });
    const time = eventTime(act);
    const age = now - Math.min(time, ...acts.filter((a) => a.eventId === act.eventId).map((a) => a.received));
    if (age < 30 * MINUTE) return [];
    return [
      {
        promptId,
        kind: 'SessionEnd',
        eventId: eventId(promptId, 'SessionEnd', `idle_timeout:${act.eventId}`, 0),
        endReason: 'idle_timeout',
        startTs: time,
        t: Math.floor(now / SECOND),
        received: now,
      },
    ];
  });
}
