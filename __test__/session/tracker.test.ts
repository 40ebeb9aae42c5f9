import fc from 'fast-check';
import { type EventAttributes, eventId, type PromptEvent, promptId, SessionTracker } from '../../index.js';
import { inChild, thrown } from '../support';
import { DAY, type Delivery, MINUTE, SECOND, status, sweep } from './model';

const NOW = Date.UTC(2026, 4, 1, 12);
const SESSION = promptId('claude', '0c1d');

const attributesOf = (session: string): EventAttributes => ({
  gitAiVersion: '1.1.23',
  tool: 'claude',
  promptId: session,
});

function event(kind: string, at: number, more: Partial<PromptEvent['values']> = {}): PromptEvent {
  return {
    metric: 'prompt_event',
    timestamp: Math.floor(at / SECOND),
    values: { kind, eventId: `${SESSION}:${kind}${at}`, startTs: at, ...more },
    attributes: attributesOf(SESSION),
  };
}

function tracker(...events: [PromptEvent, number][]): SessionTracker {
  const tracker = new SessionTracker();
  for (const [event, receivedAtMs] of events) tracker.observe(event, receivedAtMs);
  return tracker;
}

const ACTS = ['HumanMessage', 'ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'];

describe('status', () => {
  test('an unknown session has none', () => expect(new SessionTracker().status(SESSION, NOW)).toBeNull());

  test('live for a minute after the last fresh event, then quiet', () => {
    const observed = tracker([event('AiMessage', NOW - MINUTE), NOW]);
    expect(observed.status(SESSION, NOW + MINUTE)).toEqual({ state: 'live' });
    expect(observed.status(SESSION, NOW + MINUTE + 1)).toEqual({ state: 'quiet' });
  });

  test('an event that arrives over ten minutes late is no sign of life', () => {
    const late = NOW + 10 * MINUTE + 1;
    expect(tracker([event('HumanMessage', NOW), late]).status(SESSION, late)).toEqual({ state: 'quiet' });
  });

  test('a user_quit ends it, also where the last message arrives up to ten seconds later', () => {
    const quit = event('SessionEnd', NOW, { endReason: 'user_quit' });
    const last = event('AiMessage', NOW - 1);
    const ended = { state: 'ended', reason: 'user_quit' };
    expect(tracker([quit, NOW], [last, NOW + 10 * SECOND]).status(SESSION, NOW + 10 * SECOND)).toEqual(ended);
    expect(tracker([quit, NOW], [last, NOW + 10 * SECOND + 1]).status(SESSION, NOW + 10 * SECOND + 1)).toEqual({
      state: 'live',
    });
  });

  test('the best known of several ends counts', () => {
    const ends = ['idle_timeout', 'signal', 'user_quit'].map((endReason, n): [PromptEvent, number] => [
      event('SessionEnd', NOW + n, { endReason, eventId: `${SESSION}:${n}` }),
      NOW + n,
    ]);
    expect(tracker(...ends).status(SESSION, NOW)).toEqual({ state: 'ended', reason: 'user_quit' });
    expect(tracker(...ends.slice(0, 2)).status(SESSION, NOW)).toEqual({ state: 'ended', reason: 'idle_timeout' });
  });

  test('a reason that is new to this version counts as the least known', () => {
    const end = event('SessionEnd', NOW, { endReason: 'hibernated' });
    expect(tracker([end, NOW]).status(SESSION, NOW)).toEqual({ state: 'ended', reason: 'signal' });
  });

  test('an event without a session’s attribute belongs to the one that its id names', () => {
    const orphan = { ...event('HumanMessage', NOW), attributes: {} };
    expect(tracker([orphan, NOW]).status(SESSION, NOW)).toEqual({ state: 'live' });
  });
});

describe('sweep', () => {
  test.each(ACTS)('ends a session half an hour after its last %s', (kind) => {
    const last = event(kind, NOW, { parentId: null });
    const observed = tracker([last, NOW + 5]);
    expect(observed.sweep(NOW + 30 * MINUTE - 1)).toEqual([]);
    const end = {
      metric: 'prompt_event',
      timestamp: (NOW + 30 * MINUTE) / SECOND,
      values: {
        kind: 'SessionEnd',
        eventId: eventId(SESSION, 'SessionEnd', `idle_timeout:${last.values.eventId}`, 0),
        parentId: last.values.eventId,
        parentIdEstimated: false,
        startTs: NOW,
        endReason: 'idle_timeout',
      },
      attributes: attributesOf(SESSION),
    };
    expect(observed.sweep(NOW + 30 * MINUTE)).toEqual([end]);
    expect(observed.sweep(NOW + 31 * MINUTE)).toEqual([]);
    expect(observed.status(SESSION, NOW + 31 * MINUTE)).toEqual({ state: 'ended', reason: 'idle_timeout' });
  });

  test.each(['AiMessage', 'ThinkingMessage'])('%s keeps no session alive', (kind) => {
    const later = NOW + 29 * MINUTE;
    const observed = tracker([event('HumanMessage', NOW), NOW], [event(kind, later), later]);
    expect(observed.sweep(NOW + 30 * MINUTE)).toHaveLength(1);
  });

  test('a session without any act is never ended, and forgotten after a day of silence', () => {
    const observed = tracker([event('AiMessage', NOW), NOW]);
    expect(observed.sweep(NOW + DAY - 1)).toEqual([]);
    expect(observed.status(SESSION, NOW + DAY - 1)).toEqual({ state: 'quiet' });
    expect(observed.sweep(NOW + DAY)).toEqual([]);
    expect(observed.status(SESSION, NOW + DAY)).toBeNull();
  });

  test('one that has ended is not ended again, and one that goes on is', () => {
    const observed = tracker([event('HumanMessage', NOW), NOW]);
    expect(observed.sweep(NOW + 30 * MINUTE)).toHaveLength(1);
    observed.observe(event('HumanMessage', NOW + 40 * MINUTE), NOW + 40 * MINUTE);
    expect(observed.status(SESSION, NOW + 40 * MINUTE)).toEqual({ state: 'live' });
    const [again] = observed.sweep(NOW + 70 * MINUTE);
    expect(again.values.startTs).toBe(NOW + 40 * MINUTE);
  });

  test('the end has the attributes of the last act', () => {
    const attributes = { ...attributesOf(SESSION), branch: 'ünï', author: null, customAttributes: '{"team":"a"}' };
    const observed = tracker(
      [event('HumanMessage', NOW), NOW],
      [{ ...event('ToolCall', NOW + 1), attributes }, NOW + 1],
    );
    expect(observed.sweep(NOW + DAY)[0].attributes).toEqual(attributes);
  });

  test('of long attributes, only those that name the session are kept', () => {
    const long = { ...attributesOf(SESSION), repoUrl: 'x'.repeat(3000), externalPromptId: '0c1d' };
    const observed = tracker([{ ...event('HumanMessage', NOW), attributes: long }, NOW]);
    expect(observed.sweep(NOW + DAY)[0].attributes).toEqual({ ...attributesOf(SESSION), externalPromptId: '0c1d' });
  });

  test('a clock that is fast keeps no session alive', () => {
    const ahead = event('HumanMessage', NOW + 10 * DAY, { startTs: NOW + 20 * DAY });
    const [end] = tracker([ahead, NOW]).sweep(NOW + 30 * MINUTE);
    expect(end.values.startTs).toBe(NOW);
  });

  test('a start of 0 or in seconds is not the time of an act', () => {
    for (const startTs of [0, NOW / SECOND]) {
      const [end] = tracker([event('HumanMessage', NOW, { startTs }), NOW]).sweep(NOW + DAY);
      expect(end.values.startTs).toBe(NOW);
    }
  });
});

const SESSIONS = ['a386ade188cc4043', 'b386ade188cc4043'];

const delivery = fc
  .record({
    promptId: fc.constantFrom(...SESSIONS),
    kind: fc.constantFrom(...ACTS, 'AiMessage', 'ThinkingMessage', 'SessionEnd', 'SessionEnd'),
    id: fc.integer({ min: 0, max: 5 }),
    reason: fc.constantFrom('user_quit', 'idle_timeout', 'signal'),
    start: fc.integer({ min: -40, max: 40 }),
    hasStart: fc.boolean(),
    lag: fc.oneof(fc.integer({ min: 0, max: 12 * 60 }), fc.integer({ min: 0, max: 2 * 24 * 3600 })),
    fine: fc.integer({ min: 0, max: 999 }),
  })
  .map(({ promptId, kind, id, reason, start, hasStart, lag, fine }): Delivery => {
    const at = NOW + start * MINUTE + fine;
    const isEnd = kind === 'SessionEnd';
    return {
      promptId,
      kind,
      // An id names one kind, one reason and one time, but may be delivered many times.
      eventId: `${promptId}:${kind}${isEnd ? reason : ''}${start}${hasStart}${id}`,
      ...(isEnd && { endReason: reason }),
      ...(hasStart && { startTs: NOW + start * MINUTE + id }),
      t: Math.floor((hasStart ? at : NOW + start * MINUTE) / SECOND),
      received: at + lag * SECOND,
    };
  });

type Step = { observe: Delivery } | { sweepAt: number } | { restart: true };

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: delivery.map((observe): Step => ({ observe })) },
    { weight: 2, arbitrary: fc.integer({ min: -40, max: 240 }).map((at): Step => ({ sweepAt: NOW + at * MINUTE })) },
    { weight: 1, arbitrary: fc.constant<Step>({ restart: true }) },
  ),
  { maxLength: 30 },
);

const asEvent = ({ promptId, kind, eventId, endReason, startTs, t }: Delivery): PromptEvent => ({
  metric: 'prompt_event',
  timestamp: t,
  values: { kind, eventId, ...(startTs !== undefined && { startTs }), ...(endReason !== undefined && { endReason }) },
  attributes: { promptId },
});

const asDelivery = ({ timestamp, values, attributes }: PromptEvent, received: number): Delivery => ({
  promptId: attributes.promptId as string,
  kind: values.kind as string,
  eventId: values.eventId as string,
  endReason: values.endReason as string,
  startTs: values.startTs as number,
  t: timestamp,
  received,
});

const byId = (a: Delivery, b: Delivery) => (a.eventId < b.eventId ? -1 : 1);

test('equals the rule over the whole list of deliveries', () => {
  fc.assert(
    fc.property(steps, fc.array(fc.integer({ min: -40, max: 3 * 24 * 60 }), { minLength: 1 }), (steps, moments) => {
      let tracker = new SessionTracker();
      const deliveries: Delivery[] = [];
      for (const step of steps) {
        if ('observe' in step) {
          tracker.observe(asEvent(step.observe), step.observe.received);
          deliveries.push(step.observe);
        } else if ('sweepAt' in step) {
          const expected = sweep(deliveries, step.sweepAt).sort(byId);
          const found = tracker.sweep(step.sweepAt).map((event) => asDelivery(event, step.sweepAt));
          expect(found.sort(byId)).toEqual(expected);
          deliveries.push(...expected);
        } else {
          tracker = SessionTracker.resume(tracker.state());
        }
        for (const session of SESSIONS) {
          const own = deliveries.filter(({ promptId }) => promptId === session);
          for (const moment of moments) {
            const now = NOW + moment * MINUTE;
            expect(tracker.status(session, now)).toEqual(status(own, now));
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('order and repetition of deliveries don’t matter', () => {
  fc.assert(
    fc.property(fc.array(delivery, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (deliveries, random) => {
      const shuffled = [...deliveries, ...deliveries].sort(() => ((random.next().value as number) % 3) - 1);
      const observe = (list: Delivery[]) => {
        const tracker = new SessionTracker();
        for (const each of list) tracker.observe(asEvent(each), each.received);
        return tracker;
      };
      const [once, twice] = [observe(deliveries), observe(shuffled)];
      for (const session of SESSIONS) {
        const now = NOW + 20 * MINUTE;
        expect(twice.status(session, now)).toEqual(once.status(session, now));
      }
      expect(twice.sweep(NOW + 2 * DAY)).toEqual(once.sweep(NOW + 2 * DAY));
    }),
  );
});

describe('bounds', () => {
  test('a session is forgotten a day after its end', () => {
    const observed = tracker([event('HumanMessage', NOW), NOW]);
    const ended = NOW + 30 * MINUTE;
    expect(observed.sweep(ended)).toHaveLength(1);
    observed.sweep(ended + DAY - 1);
    expect(observed.status(SESSION, ended + DAY - 1)).not.toBeNull();
    observed.sweep(ended + DAY);
    expect(observed.status(SESSION, ended + DAY)).toBeNull();
    expect(observed.state()).toBe(new SessionTracker().state());
  });

  test('with too many sessions, those that were silent longest are forgotten', () => {
    const observed = new SessionTracker();
    const id = (n: number) => n.toString(16).padStart(16, '0');
    for (let n = 0; n < 11_500; n++) {
      const values = { kind: 'HumanMessage', eventId: `${id(n)}:000000000000`, startTs: NOW };
      observed.observe({ ...event('HumanMessage', NOW), values, attributes: { promptId: id(n) } }, NOW + n);
    }
    expect(observed.status(id(0), NOW)).toBeNull();
    expect(observed.status(id(11_499), NOW)).toEqual({ state: 'live' });
    const known = Array.from({ length: 11_500 }, (_, n) => observed.status(id(n), NOW)).filter(Boolean);
    expect(known.length).toBeLessThanOrEqual(10_000);
    expect(known.length).toBeGreaterThan(8_000);
  });

  test('a session with ever new ends stays small', () => {
    const observed = tracker([event('HumanMessage', NOW), NOW]);
    for (let n = 0; n < 1000; n++) {
      const end = { endReason: 'signal', eventId: `${SESSION}:${n}`, startTs: NOW + DAY };
      observed.observe(event('SessionEnd', NOW + DAY, end), NOW + DAY);
    }
    expect(observed.state().length).toBeLessThan(2000);
  });

  test('an event with an id longer than any is passed over', () => {
    const long = 'x'.repeat(257);
    const observed = tracker(
      [event('HumanMessage', NOW, { eventId: long }), NOW],
      [{ ...event('HumanMessage', NOW), attributes: { promptId: long } }, NOW],
    );
    expect(observed.state()).toBe(new SessionTracker().state());
  });
});

describe('a state', () => {
  const state = tracker(
    [event('HumanMessage', NOW), NOW],
    [event('SessionEnd', NOW + 1, { endReason: 'user_quit' }), NOW],
  ).state();

  test('restores the tracker', () => expect(SessionTracker.resume(state).state()).toBe(state));

  test.each([
    ['no JSON', 'x'],
    ['another JSON', '[]'],
    ['another version', state.replace('"version":1', '"version":2')],
    ['a number out of range', state.replace(/"received":\d+/, '"received":18446744073709551615')],
    ['a time out of range', state.replace(/"time":\d+/g, '"time":9007199254740992')],
    ['a negative number', state.replace(/"received":\d+/, '"received":-1')],
    ['an id longer than any', state.replace(SESSION, 'x'.repeat(257))],
    ['attributes that are none', state.replace(/"attributes":"[^}]*\}"/, '"attributes":"{} ,"')],
    ['attributes that are longer than any', state.replace(/"attributes":"/, `"attributes":"${' '.repeat(3000)}`)],
    ['more ends than any', state.replace(/"ends":\[(.*?)\]/, (_, end) => `"ends":[${Array(9).fill(end).join()}]`)],
    ['deep nesting', '['.repeat(100_000)],
  ])('%s is refused', (_, text) => {
    expect(text).not.toBe(state);
    expect(thrown(() => SessionTracker.resume(text))).toEqual({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'state: expected a state as a SessionTracker returned it',
    });
  });

  test('any changed byte is refused or leaves a working tracker', () => {
    fc.assert(
      fc.property(fc.nat(state.length - 1), fc.integer({ min: 32, max: 126 }), (place, code) => {
        const text = state.slice(0, place) + String.fromCharCode(code) + state.slice(place + 1);
        try {
          const resumed = SessionTracker.resume(text);
          resumed.sweep(NOW + DAY);
          expect(typeof resumed.state()).toBe('string');
        } catch (error) {
          expect((error as { code: string }).code).toBe('ERR_INVALID_ARGUMENT');
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('arguments', () => {
  const observed = new SessionTracker();
  test.each([
    ['event: expected a plain object, found null', () => observed.observe(null as never, NOW)],
    [
      'event.metric: expected \'prompt_event\', found "agent_usage"',
      () => observed.observe({ ...event('ToolCall', NOW), metric: 'agent_usage', values: {} } as never, NOW),
    ],
    [
      'event.values.startTs: expected a safe non-negative integer, found -1',
      () => observed.observe(event('ToolCall', NOW, { startTs: -1 }), NOW),
    ],
    [
      'receivedAtMs: expected a safe non-negative integer, found undefined',
      () => observed.observe(event('ToolCall', NOW), undefined as never),
    ],
    ['promptId: expected a string, found 5', () => observed.status(5 as never, NOW)],
    ['nowMs: expected a safe non-negative integer, found NaN', () => observed.status(SESSION, Number.NaN)],
    ['nowMs: expected a safe non-negative integer, found 1.5', () => observed.sweep(1.5)],
    ['state: expected a string, found undefined', () => SessionTracker.resume(undefined as never)],
  ])('%s', (message, call) => {
    expect(thrown(call)).toEqual({ code: 'ERR_INVALID_ARGUMENT', message });
  });
});

test('a flood of sessions and events uses bounded memory', () => {
  const script = `
    const tracker = new api.SessionTracker();
    const observe = (n) => tracker.observe({
      metric: 'prompt_event', timestamp: 1767225600,
      values: { kind: 'HumanMessage', eventId: n + ':' + 'e'.repeat(200), startTs: 1767225600000 + n },
      attributes: { promptId: 'p'.repeat(200) + n, customAttributes: 'a'.repeat(1500) },
    }, 1767225600000 + n);
    for (let n = 0; n < 11_000; n++) observe(n);
    const before = process.memoryUsage().rss;
    for (let n = 0; n < 25_000; n++) observe(n);
    answer((process.memoryUsage().rss - before) / 1e6);
  `;
  expect(inChild(script)).toBeLessThan(40);
});
