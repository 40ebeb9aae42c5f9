/** What the events of a session mean together: times, overlaps, parents, signs of friction, where the time went. */
import type { Event, Signal } from '../../src/api/answers.ts';
import type { Part } from './events.ts';

export const CALL_KINDS: readonly (string | null)[] = ['ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'];
/** A longer gap isn't active time. The server counts alike. */
export const LONG_GAP_MS = 5 * 60_000;

export interface Step {
  event: Event;
  /** Its place in the session, from 0. */
  index: number;
  /** Its id without the session's, for the address. */
  key: string;
  startMs: number;
  /** The end of a call: by the observed duration, else by the reported one, else its start. */
  endMs: number;
  isCall: boolean;
  failed: boolean;
  signals: readonly Signal[];
  /** The names of the calls that ran at the same time. */
  beside: readonly string[];
  parent: Step | null;
  /** From a human's message to the next one. */
  turn: { from: number; to: number };
}

/** Whose the time of a session was. */
export type Share = 'calls' | 'agent' | 'human';

export interface Timeline {
  steps: readonly Step[];
  /** Without copies of another session's events, which count nowhere, unless there is nothing else. */
  counted: readonly Step[];
  errors: readonly Step[];
  frictions: readonly Step[];
  /** Milliseconds. They add up to the time from the first event to the last. */
  shares: Record<Share, number>;
  /** The longest calls and waits, from the longest. */
  longest: readonly { ms: number; step: Step; what: 'call' | 'wait' }[];
  /** Waits that the bar of time shows shortened. */
  waits: readonly { from: number; to: number; ms: number }[];
  /** Where a time stands on the bar, from 0 to 1. */
  at(ms: number): number;
}

export const nameOf = ({ tool_call_name, kind }: Event): string => tool_call_name ?? kind ?? 'event';

/** Whether it is a call that failed here. A copy failed in the session that it was copied from. */
export const isFailed = ({ kind, error, copied_from: origin }: Event): boolean =>
  CALL_KINDS.includes(kind) && error === true && origin === null;

const NO_SIGNALS: readonly Signal[] = [];

/** `before`: a timeline of the same session. Steps that are as they were are the same objects. */
export function timelineOf({ session, events, start }: Part, found: readonly Signal[], before?: Timeline): Timeline {
  const signals = new Map<string, Signal[]>();
  for (const signal of found) signals.set(signal.event_id, [...(signals.get(signal.event_id) ?? []), signal]);
  const prefix = `${session.prompt_id}:`;
  const fresh = events.map((event, n): Step => {
    const startMs = Date.parse(event.at);
    const isCall = CALL_KINDS.includes(event.kind);
    return {
      event,
      index: start + n,
      key: event.event_id.startsWith(prefix) ? event.event_id.slice(prefix.length) : event.event_id,
      startMs,
      endMs: startMs + (isCall ? (event.observed_duration_ms ?? event.reported_duration_ms ?? 0) : 0),
      isCall,
      failed: isFailed(event),
      signals: signals.get(event.event_id) ?? NO_SIGNALS,
      beside: [],
      parent: null,
      turn: { from: startMs, to: startMs },
    };
  });
  const byId = new Map(fresh.map((step) => [step.event.event_id, step]));
  for (const step of fresh) step.parent = byId.get(step.event.parent_id ?? '') ?? null;
  const isOwn = ({ event }: Step) => event.copied_from === null;
  const countedOf = (of: readonly Step[]) => (of.some(isOwn) ? of.filter(isOwn) : of);
  findParallel(countedOf(fresh));
  findTurns(fresh);
  const steps = before === undefined ? fresh : reused(fresh, before.steps);
  const counted = countedOf(steps);
  return {
    steps,
    counted,
    errors: steps.filter(({ failed }) => failed),
    frictions: steps.filter((step) => step.signals.length > 0),
    ...spans(counted),
  };
}

function reused(fresh: readonly Step[], before: readonly Step[]): Step[] {
  const known = new Map(before.map((step) => [step.event.event_id, step]));
  const sameList = (a: readonly unknown[], b: readonly unknown[]) =>
    a === b || (a.length === b.length && a.every((each, n) => each === b[n]));
  const byId = new Map<string, Step>();
  return fresh.map((step) => {
    const old = known.get(step.event.event_id);
    step.parent = byId.get(step.event.parent_id ?? '') ?? step.parent;
    const isSame =
      old !== undefined &&
      old.event === step.event &&
      old.index === step.index &&
      old.parent === step.parent &&
      old.turn.from === step.turn.from &&
      old.turn.to === step.turn.to &&
      sameList(old.beside, step.beside) &&
      sameList(old.signals, step.signals);
    const kept = isSame ? old : step;
    byId.set(step.event.event_id, kept);
    return kept;
  });
}

/** The most names that a call keeps of those beside it. */
const MOST_BESIDE = 5;
/** Durations can be absurd. The calls that still run must not become as many as the events. */
const MOST_RUNNING = 100;

function findParallel(steps: readonly Step[]): void {
  let running: Step[] = [];
  for (const step of steps) {
    if (!step.isCall || step.endMs === step.startMs) continue;
    running = running.filter(({ endMs }) => endMs > step.startMs).slice(-MOST_RUNNING);
    for (const other of running.slice(-MOST_BESIDE)) {
      step.beside = [...step.beside, nameOf(other.event)].slice(0, MOST_BESIDE);
      other.beside = [...other.beside, nameOf(step.event)].slice(0, MOST_BESIDE);
    }
    running.push(step);
  }
}

/** A turn ends with its last event or call. What follows is the wait for the human. */
function findTurns(steps: readonly Step[]): void {
  let turn: Step['turn'] | undefined;
  for (const step of steps) {
    if (turn === undefined || step.event.kind === 'HumanMessage' || step.event.kind === 'SessionEnd') {
      turn = { from: step.startMs, to: step.endMs };
    }
    turn.to = Math.max(turn.to, step.endMs);
    step.turn = turn;
  }
}

/** Of the bar's width, what one long wait takes, compared with all that isn't one. */
const WAIT_SHARE = 0.05;

/** Walks over the session once, from event to event. */
function spans(steps: readonly Step[]): Pick<Timeline, 'shares' | 'longest' | 'waits' | 'at'> {
  const shares: Timeline['shares'] = { calls: 0, agent: 0, human: 0 };
  const longest: { ms: number; step: Step; what: 'call' | 'wait' }[] = [];
  /** The parts of the session: from a time, for so long. `idle`: a long wait without a running call. */
  const parts: { from: number; ms: number; idle: boolean }[] = [];
  let busyUntil = Number.NEGATIVE_INFINITY;
  const add = (from: number, to: number, share: Share, idle: boolean) => {
    if (to <= from) return;
    shares[share] += to - from;
    parts.push({ from, ms: to - from, idle });
  };
  for (const [n, step] of steps.entries()) {
    if (step.isCall && step.endMs > step.startMs) longest.push({ ms: step.endMs - step.startMs, step, what: 'call' });
    busyUntil = Math.max(busyUntil, step.endMs);
    const next = steps[n + 1];
    // A last call may outlast the last event.
    const until = next?.startMs ?? Math.max(step.startMs, busyUntil);
    const callsUntil = Math.min(until, busyUntil);
    add(step.startMs, callsUntil, 'calls', false);
    const free = Math.max(step.startMs, callsUntil);
    const waits = next?.event.kind === 'HumanMessage' || next?.event.kind === 'SessionEnd';
    add(free, until, waits ? 'human' : 'agent', until - free > LONG_GAP_MS);
    if (next !== undefined && until - free > 0) longest.push({ ms: until - free, step: next, what: 'wait' });
  }
  longest.sort((a, b) => b.ms - a.ms);
  const active = parts.reduce((sum, { ms, idle }) => sum + (idle ? 0 : ms), 0);
  const width = ({ ms, idle }: { ms: number; idle: boolean }) => (idle ? Math.max(1000, active * WAIT_SHARE) : ms);
  const total = parts.reduce((sum, part) => sum + width(part), 0);
  /** Where each part begins on the bar. */
  const places: number[] = [];
  let place = 0;
  for (const part of parts) {
    places.push(place / total);
    place += width(part);
  }
  const at = (ms: number): number => {
    // The last part that begins at this time or before.
    let [low, high] = [0, parts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((parts[middle]?.from ?? 0) <= ms) low = middle + 1;
      else high = middle;
    }
    const part = parts[low - 1];
    if (part === undefined) return 0;
    const within = Math.min(1, (ms - part.from) / part.ms);
    return (places[low - 1] ?? 0) + (within * width(part)) / total;
  };
  const waits = parts.filter(({ idle }) => idle).map(({ from, ms }) => ({ from: at(from), to: at(from + ms - 1), ms }));
  return { shares, longest: longest.slice(0, 5), waits, at };
}
