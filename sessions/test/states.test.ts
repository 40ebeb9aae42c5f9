import fc from 'fast-check';
import { encodePromptEventRows, joinRows, type Rows } from 'git-ai-metrics';
import { dateTime64 } from '../../__test__/rows-model';
import { ClickHouse, describeWithClickHouse, type Row } from './support/clickhouse.ts';
import { random, shuffle } from './support/deliveries.ts';
import {
  type Delivery,
  HOUR,
  heard,
  lastFiledOf,
  MINUTE,
  type Reason,
  reaped,
  SECOND,
  type State,
  signOf,
  skewOf,
  stateOf,
  type ToldEvent,
} from './support/liveness-model.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const EVER = { from: '2020-01-01 00:00:00.000', to: '2299-12-30 00:00:00.000' };

/** The rows of deliveries as those of a session of this name, with all times moved. */
function rowsOf(deliveries: readonly Delivery[], org: string, session: string, moveMs = 0): Rows[] {
  return deliveries.map(({ events, receivedAtMs, skewMs }) => {
    const body = {
      v: 1,
      events: events.map(({ id, kind, parent, startMs, t, reason, error }) => ({
        t: t + moveMs / 1000,
        e: 5,
        v: {
          0: kind,
          1: `${session}:${id}`,
          2: parent === undefined ? null : `${session}:${parent}`,
          ...(startMs !== undefined && { 7: startMs + moveMs }),
          ...(reason !== undefined && { 15: reason }),
          ...(error !== undefined && { 6: error }),
        },
        a: { 0: '1.6.12', 20: 'claude', 22: session },
      })),
    };
    const options = { orgId: org, receivedAtMs: receivedAtMs + moveMs, clockSkewMs: skewMs };
    return encodePromptEventRows(JSON.stringify(body), options);
  });
}

describeWithClickHouse('the state of a session', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterAll(() => clickHouse.stop());

  async function statesIn(org: string, nowMs: number): Promise<Map<unknown, State>> {
    const rows = await clickHouse.rows(
      `SELECT prompt_id, state, reason
       FROM matching_sessions(org_id = {org:String}, from = {from:DateTime64(3)}, to = {to:DateTime64(3)}, now = {now:DateTime64(3)}, filters = map())`,
      { org, ...EVER, now: dateTime64(nowMs) },
    );
    return new Map(rows.map(({ prompt_id, state, reason }) => [prompt_id, { state, reason } as State]));
  }

  describe('the holes of a rule by event time', () => {
    const act = (id: string, atMs: number, more: Partial<ToldEvent> = {}): ToldEvent => ({
      id,
      kind: 'HumanMessage',
      startMs: atMs,
      t: Math.floor(atMs / 1000),
      ...more,
    });
    const end = (id: string, atMs: number, reason: Reason, more: Partial<ToldEvent> = {}): ToldEvent =>
      act(id, atMs, { kind: 'SessionEnd', reason, ...more });
    const at = (receivedAtMs: number, ...events: ToldEvent[]): Delivery => ({ events, receivedAtMs, skewMs: 0 });
    let sessions = 0;

    /** The state of these deliveries by the SQL, which the model has to share. */
    async function state(deliveries: Delivery[], nowMs = NOW): Promise<State> {
      const org = `hole ${sessions++}`;
      await clickHouse.insert(joinRows(rowsOf(deliveries, org, 's')));
      const found = (await statesIn(org, nowMs)).get('s') as State;
      expect(found).toEqual(stateOf(deliveries, nowMs));
      return found;
    }

    test('a call’s result after the reaper’s end makes the session live', async () => {
      const call = act('1', NOW - 70 * MINUTE, { kind: 'ToolCall' });
      const reaper = end('2', NOW - 70 * MINUTE, 'signal', { t: (NOW - 9 * MINUTE) / 1000 });
      const result = { ...call, t: (NOW - 5 * SECOND) / 1000, error: false };
      const before = [at(NOW - 70 * MINUTE, call), at(NOW - 9 * MINUTE, reaper)];
      expect(await state(before)).toEqual({ state: 'ended', reason: 'signal' });
      expect(await state([...before, at(NOW - 2 * SECOND, result)])).toEqual({ state: 'live', reason: null });
    });

    test('a user_quit that overtakes the last message ends the session', async () => {
      const quit = at(NOW - 20 * SECOND, end('2', NOW - 21 * SECOND, 'user_quit'));
      const message = (afterMs: number) => at(NOW - 20 * SECOND + afterMs, act('1', NOW - 22 * SECOND));
      expect(await state([quit, message(10 * SECOND)])).toEqual({ state: 'ended', reason: 'user_quit' });
      // What comes later than that is the session going on.
      expect(await state([quit, message(10 * SECOND + 1)])).toEqual({ state: 'live', reason: null });
    });

    test('no other end has that grace', async () => {
      const guess = at(NOW - 20 * SECOND, end('2', NOW - 21 * SECOND, 'idle_timeout'));
      expect(await state([guess, at(NOW - 19 * SECOND, act('1', NOW - 22 * SECOND))])).toEqual({
        state: 'live',
        reason: null,
      });
    });

    test('an hours-late retry after an end wakes nobody', async () => {
      const deliveries = [
        at(NOW - 3 * HOUR, act('1', NOW - 3 * HOUR)),
        at(NOW - 2 * HOUR, end('2', NOW - 3 * HOUR, 'signal', { t: (NOW - 2 * HOUR) / 1000 })),
        at(NOW - SECOND, act('3', NOW - 2.5 * HOUR)),
      ];
      expect(await state(deliveries)).toEqual({ state: 'ended', reason: 'signal' });
    });

    test('an hours-late quit ends what has been silent since, and nothing that went on', async () => {
      const quit = at(NOW - SECOND, end('2', NOW - 3 * HOUR, 'user_quit'));
      const silent = [at(NOW - 3.1 * HOUR, act('1', NOW - 3.1 * HOUR)), quit];
      expect(await state(silent)).toEqual({ state: 'ended', reason: 'user_quit' });
      expect(await state([...silent, at(NOW - 30 * SECOND, act('3', NOW - 31 * SECOND))])).toEqual({
        state: 'live',
        reason: null,
      });
    });

    test.each([9, 12, 15])('a clock that is %d min slow: its sessions live and end as any', async (minutes) => {
      const told = (ms: number) => ms - minutes * MINUTE;
      const uploads = (uptoMs: number) =>
        [90, 60, 30, 3].map((secondsAgo) => {
          const event = act(String(100 - secondsAgo), told(uptoMs - secondsAgo * SECOND));
          return { ...at(uptoMs - secondsAgo * SECOND + SECOND, event), skewMs: skewOf([minutes * MINUTE + SECOND]) };
        });
      expect(await state(uploads(NOW))).toEqual({ state: 'live', reason: null });
      expect(await state(uploads(NOW - 5 * MINUTE))).toEqual({ state: 'quiet', reason: null });
      const quit = { ...at(NOW - SECOND, end('quit', told(NOW - 2 * SECOND), 'user_quit')), skewMs: minutes * MINUTE };
      expect(await state([...uploads(NOW), quit])).toEqual({ state: 'ended', reason: 'user_quit' });
    });

    test('a clock that is 2 h fast, and put right, is live before and after', async () => {
      const fast = at(NOW - 40 * SECOND, act('1', NOW - 41 * SECOND + 2 * HOUR));
      expect(await state([{ ...fast, skewMs: skewOf([SECOND - 2 * HOUR]) }])).toEqual({ state: 'live', reason: null });
      // Its last uploads still say that it is fast.
      const right = {
        ...at(NOW - 2 * SECOND, act('2', NOW - 3 * SECOND)),
        skewMs: skewOf([SECOND - 2 * HOUR, SECOND]),
      };
      const old = at(NOW - HOUR, act('0', NOW - HOUR - SECOND));
      expect(await state([old, right])).toEqual({ state: 'live', reason: null });
      // A retry of 100 minutes ago looks 20 minutes early: it is stale by the client's own clock.
      const retry = { ...at(NOW - SECOND, act('3', NOW - 100 * MINUTE + 2 * HOUR)), skewMs: -2 * HOUR };
      expect(await state([retry])).toEqual({ state: 'quiet', reason: null });
    });

    test('of two ends at one time the better reason counts', async () => {
      const last = at(NOW - 5 * MINUTE, act('1', NOW - 5 * MINUTE));
      const ends = [
        at(NOW - MINUTE, end('2', NOW - 5 * MINUTE, 'signal', { t: (NOW - MINUTE) / 1000 })),
        at(NOW - MINUTE, end('3', NOW - 5 * MINUTE, 'idle_timeout', { t: (NOW - MINUTE) / 1000 })),
      ];
      expect(await state([last, ...ends])).toEqual({ state: 'ended', reason: 'idle_timeout' });
    });

    test('an end without start_ts counts by its t', async () => {
      const last = at(NOW - 5 * MINUTE, act('1', NOW - 5 * MINUTE));
      const quit = end('2', NOW - 4 * MINUTE, 'user_quit', { startMs: undefined });
      expect(await state([last, at(NOW - 4 * MINUTE, quit)])).toEqual({ state: 'ended', reason: 'user_quit' });
      expect(await state([last, at(NOW + 3 * HOUR, quit)], NOW + 3 * HOUR)).toEqual({
        state: 'ended',
        reason: 'user_quit',
      });
    });

    test('an end without a reason, or with one of tomorrow, is an end', async () => {
      const last = at(NOW - 5 * MINUTE, act('1', NOW - 5 * MINUTE));
      const ended = end('2', NOW - 4 * MINUTE, 'user_quit', { reason: undefined });
      expect(await state([last, at(NOW - 4 * MINUTE, ended)])).toEqual({ state: 'ended', reason: null });
    });
  });

  describe('random schedules of clients, retries, clocks and reapers', () => {
    /** What happens: a client, the network, the server, and all that has arrived so far. */
    class World {
      nowMs = NOW;
      /** Of the client's clock to the true one. */
      offsetMs = 0;
      numbers = 0;
      lastId: string | undefined;
      openCall: ToldEvent | undefined;
      queue: ToldEvent[] = [];
      /** Uploads that were answered, and those that weren't. */
      answered: ToldEvent[][] = [];
      lost: ToldEvent[][] = [];
      lags: number[] = [];
      deliveries: Delivery[] = [];
      deafUntilMs = 0;
      /** At each step: what had arrived, and when. */
      checkpoints: { deliveries: Delivery[]; nowMs: number }[] = [];

      emit(kind: ToldEvent['kind'], more: Partial<ToldEvent> = {}): ToldEvent {
        const startMs = this.nowMs + this.offsetMs;
        const id = String(this.numbers++).padStart(4, '0');
        const event = { id, kind, parent: this.lastId, startMs, t: Math.floor(startMs / 1000), ...more };
        if (kind !== 'SessionEnd') this.lastId = id;
        this.queue.push(event);
        return event;
      }

      arrive(events: ToldEvent[]): Delivery {
        const newest = Math.max(...events.map(({ t, startMs }) => Math.max(t * 1000, startMs ?? 0)));
        this.lags.push(this.nowMs - newest);
        const delivery = { events, receivedAtMs: this.nowMs, skewMs: skewOf(this.lags) };
        this.deliveries = [...this.deliveries, delivery];
        return delivery;
      }

      get state(): State {
        return stateOf(this.deliveries, this.nowMs);
      }

      reap(): void {
        if (this.nowMs < this.deafUntilMs) return;
        const last = reaped(this.deliveries, this.nowMs);
        if (last === undefined) return;
        const { id, startMs } = last;
        const events: ToldEvent[] = [
          { id: `signal-${id}`, kind: 'SessionEnd', parent: id, startMs, t: this.nowMs / 1000, reason: 'signal' },
        ];
        this.deliveries = [...this.deliveries, { events, receivedAtMs: this.nowMs, skewMs: 0 }];
        expect(this.state).toEqual({ state: 'ended', reason: 'signal' });
      }
    }

    const ORDER = ['signal', 'idle_timeout', 'user_quit'];

    /** A step, and what has to hold after any of them. */
    class Step implements fc.Command<object, World> {
      constructor(
        readonly name: string,
        readonly take: (world: World) => void,
        readonly possible: (world: World) => boolean = () => true,
      ) {}
      check(): boolean {
        return true;
      }
      run(_model: object, world: World): void {
        if (!this.possible(world)) return;
        const before = { deliveries: world.deliveries, state: world.state, nowMs: world.nowMs };
        this.take(world);
        const arrived = world.deliveries.slice(before.deliveries.length);
        const isHeard = (delivery: Delivery) => delivery.events.some((event) => heard(event, delivery) !== undefined);
        const after = world.state;
        // A late delivery of something that came after a late end takes that end back. The session is quiet then, and the
        // reaper's next run ends it.
        const nothingLater = lastFiledOf(world.deliveries) === lastFiledOf(before.deliveries);
        if (world.nowMs === before.nowMs && !arrived.some(isHeard)) {
          // A stale delivery makes nothing live and reopens nothing.
          if (before.state.state !== 'live') expect(after.state).not.toBe('live');
          if (before.state.state === 'ended' && nothingLater) expect(after.state).toBe('ended');
        }
        const sign = signOf(world.deliveries);
        const sameSilence = sign === signOf(before.deliveries) && nothingLater;
        if (sameSilence && before.state.state === 'ended' && after.state === 'ended') {
          // Reasons only get better within one silence.
          expect(ORDER.indexOf(after.reason ?? '')).toBeGreaterThanOrEqual(ORDER.indexOf(before.state.reason ?? ''));
        }
        if (sign !== undefined && sign > world.nowMs - MINUTE && after.state !== 'live') {
          // A fresh event within 60 s is live, unless a fresh end came with or after it.
          expect(after.state).toBe('ended');
          const ends = world.deliveries.filter(
            (delivery) =>
              delivery.receivedAtMs + 10 * SECOND >= sign &&
              delivery.events.some((event) => event.kind === 'SessionEnd' && heard(event, delivery) !== undefined),
          );
          expect(ends).not.toEqual([]);
        }
        if (arrived.length > 0 || world.nowMs !== before.nowMs) {
          world.checkpoints.push({ deliveries: world.deliveries, nowMs: world.nowMs });
        }
      }
      toString(): string {
        return this.name;
      }
    }

    const pick = <T>(list: readonly T[], number: number): T => list[number % list.length] as T;
    const steps: fc.Arbitrary<Step>[] = [
      fc.constant(new Step('act', (world) => world.emit('HumanMessage'))),
      fc.constant(
        new Step('call', (world) => {
          world.openCall = world.emit('ToolCall');
        }),
      ),
      fc.constant(
        new Step(
          'result',
          (world) => {
            const t = Math.floor((world.nowMs + world.offsetMs) / 1000);
            world.queue.push({ ...(world.openCall as ToldEvent), t, error: false });
            world.openCall = undefined;
          },
          ({ openCall }) => openCall !== undefined,
        ),
      ),
      fc.constant(new Step('quit', (world) => world.emit('SessionEnd', { reason: 'user_quit' }))),
      fc.constant(
        new Step('quit without start_ts', (world) =>
          world.emit('SessionEnd', { reason: 'user_quit', startMs: undefined }),
        ),
      ),
      fc.constant(new Step('idle', (world) => world.emit('SessionEnd', { reason: 'idle_timeout' }))),
      fc.constant(
        new Step(
          'flush',
          (world) => {
            world.arrive(world.queue);
            world.answered.push(world.queue);
            world.queue = [];
          },
          ({ queue }) => queue.length > 0,
        ),
      ),
      fc.constant(
        new Step(
          'drop',
          (world) => {
            world.lost.push(world.queue);
            world.queue = [];
          },
          ({ queue }) => queue.length > 0,
        ),
      ),
      fc.nat(9).map(
        (number) =>
          new Step(
            `retry ${number}`,
            (world) => {
              const upload = pick(world.lost, number);
              world.arrive(upload);
              world.lost = world.lost.filter((each) => each !== upload);
              world.answered.push(upload);
            },
            ({ lost }) => lost.length > 0,
          ),
      ),
      fc.nat(9).map(
        (number) =>
          new Step(
            `duplicate ${number}`,
            (world) => world.arrive(pick(world.answered, number)),
            ({ answered }) => answered.length > 0,
          ),
      ),
      fc.constant(
        new Step('reap twice', (world) => {
          world.reap();
          const once = world.deliveries;
          world.reap();
          // A run on an ended session writes nothing.
          expect(world.deliveries).toBe(once);
        }),
      ),
      fc.constant(
        new Step('a long silence under a reaper', (world) => {
          const deaf = Math.max(world.deafUntilMs - world.nowMs, 0);
          world.nowMs += 61 * MINUTE + Math.ceil(deaf / MINUTE) * MINUTE;
          world.reap();
          if (world.deliveries.length > 0) expect(world.state.state).toBe('ended');
        }),
      ),
      fc
        .constantFrom(1, 5, 11, 30, 61, 300, 599, 601, 1200, 7200)
        .map((seconds) => new Step(`${seconds} s pass`, (world) => (world.nowMs += seconds * SECOND))),
      fc.constant(
        new Step('the server restarts', (world) => {
          world.deafUntilMs = world.nowMs + 10 * MINUTE;
          const before = world.deliveries;
          world.reap();
          // No end while it was deaf.
          expect(world.deliveries).toBe(before);
        }),
      ),
      fc
        .constantFrom(0, -12 * MINUTE, -9 * MINUTE, -15 * MINUTE, 2 * HOUR, 30 * SECOND)
        .map(
          (offsetMs) => new Step(`a clock that is off by ${offsetMs / 1000} s`, (world) => (world.offsetMs = offsetMs)),
        ),
    ];

    const seed = Date.now() % 2 ** 31;

    test('the SQL agrees with the model at every step, whatever the order and repetition of deliveries', async () => {
      let runs = 0;
      const seen = new Set<string>();
      const next = random(seed);
      // Every state is compared, whichever schedules chance makes and however few of them the time allows.
      const spoken = (atMs: number): Delivery => ({
        events: [{ id: '1', kind: 'HumanMessage', startMs: atMs, t: atMs / SECOND }],
        receivedAtMs: atMs + SECOND,
        skewMs: 0,
      });
      const ended = (atMs: number, reason: Reason, endMs = atMs): Delivery => ({
        events: [{ id: '2', kind: 'SessionEnd', parent: '1', startMs: endMs, t: atMs / SECOND, reason }],
        receivedAtMs: atMs + SECOND,
        skewMs: 0,
      });
      const ofEachState = [
        [spoken(NOW - 10 * SECOND)],
        [spoken(NOW - 5 * MINUTE)],
        [spoken(NOW - 11 * MINUTE)],
        [spoken(NOW - 11 * MINUTE), ended(NOW - 10 * SECOND, 'signal', NOW - 11 * MINUTE)],
        [spoken(NOW - 10 * SECOND), ended(NOW - 5 * SECOND, 'user_quit')],
      ].map((deliveries) => ({ deliveries, nowMs: NOW }));
      await fc.assert(
        fc.asyncProperty(fc.commands(steps, { maxCommands: 80, size: '+1' }), async (commands) => {
          const world = new World();
          fc.modelRun(() => ({ model: {}, real: world }), commands);
          const checkpoints = world.checkpoints.filter(({ deliveries }) => deliveries.length > 0);
          checkpoints.push(...ofEachState);
          const org = `run ${runs++}`;
          // Each step's deliveries are a session of their own, moved so that its present is the same for all.
          const rows = checkpoints.flatMap(({ deliveries, nowMs }, n) => {
            const again = deliveries.filter(() => next() < 0.2);
            return rowsOf([...deliveries, ...again], org, `step${n}`, NOW - nowMs);
          });
          await clickHouse.insert(joinRows(shuffle(next, rows)));
          const found = await statesIn(org, NOW);
          const silent = await clickHouse.ask('silent_sessions', {
            org_id: org,
            now: dateTime64(NOW),
            since: dateTime64(0),
            limit: 10_000,
          });
          const ends = new Map(silent.map((row: Row) => [row.prompt_id, { id: row.event_id, startMs: row.event_ms }]));
          expect(found.size).toBe(checkpoints.length);
          for (const [n, { deliveries, nowMs }] of checkpoints.entries()) {
            const session = `step${n}`;
            const state = stateOf(deliveries, nowMs);
            expect({ session, ...found.get(session) }).toEqual({ session, ...state });
            const end = reaped(deliveries, nowMs);
            expect({ session, end: ends.get(session) }).toEqual({
              session,
              end: end && { id: `${session}:${end.id}`, startMs: end.startMs + NOW - nowMs },
            });
            seen.add(`${state.state} ${state.reason} ${end === undefined ? '' : 'reaped'}`);
          }
        }),
        { numRuns: 25, seed, interruptAfterTimeLimit: 40_000, endOnFailure: true },
      );
      expect([...seen].sort()).toEqual(
        expect.arrayContaining(['ended signal ', 'ended user_quit ', 'live null ', 'quiet null ', 'quiet null reaped']),
      );
    });

    test('merges change no state', async () => {
      const all = async () =>
        clickHouse.rows(
          `SELECT org_id, prompt_id, end_id, min(first_ts), max(last_ts), min(received_at), max(heard_at), max(end_reason)
           FROM session_days GROUP BY org_id, prompt_id, end_id ORDER BY org_id, prompt_id, end_id`,
        );
      const before = await all();
      await clickHouse.run('OPTIMIZE TABLE session_days FINAL');
      expect(await all()).toEqual(before);
    });
  });
});
