import { encodePromptEventRows, eventId } from 'git-ai-metrics';
import { dateTime64 } from '../../__test__/rows-model';
import { DEAF_MS, endsOf, PERIOD_MS, Reaper } from '../src/liveness/reaper.ts';
import { ClockSkews, clockSkewMs, isFresh } from '../src/liveness/skew.ts';
import { type Store, StoreError } from '../src/store/store.ts';
import { ClickHouse, describeWithClickHouse } from './support/clickhouse.ts';

import { HOUR, MINUTE, SECOND } from './support/liveness-model.ts';
import { wireEvent } from './support/records.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const lagged = (...lagsMs: number[]) =>
  lagsMs.map((lagMs, n) => ({ receivedAtMs: NOW + n, newestMs: NOW + n - lagMs }));

/** A busy machine must not make an upload give up its installation's clock. */
const PATIENT = { longestWaitMs: 20_000 };

describe('the skew of a clock', () => {
  test.each([
    ['of nothing', [], 0],
    ['of a client that flushes every 3 s', [3 * SECOND, 2 * SECOND, SECOND], 0],
    ['of one that is 12 min slow', [12 * MINUTE + 3000, 12 * MINUTE + 1000], 12 * MINUTE + 1000],
    ['of one that is 2 h fast', [SECOND - 2 * HOUR, 3000 - 2 * HOUR], SECOND - 2 * HOUR],
    ['isn’t raised by a retry', [SECOND, 35 * MINUTE, 5 * MINUTE], 0],
    ['isn’t that of retries alone', [35 * MINUTE, 155 * MINUTE], 0],
    ['isn’t that of a look back at the install', [7 * 24 * HOUR], 0],
    ['is that of a retry among slow uploads', [15 * MINUTE, 50 * MINUTE], 15 * MINUTE],
  ])('%s', (_, lags, skew) => {
    expect(clockSkewMs(lagged(...lags))).toBe(skew);
  });

  test.each([
    ['a year slow', -365 * 24 * HOUR],
    ['a year fast', 365 * 24 * HOUR],
    ['at the end of u32', 0xffff_ffff * 1000 - NOW],
    ['at 1970', -NOW],
  ])('a clock that is %s does no harm', (_, offsetMs) => {
    const skew = clockSkewMs(lagged(-offsetMs));
    expect(Number.isSafeInteger(skew)).toBe(true);
    const body = JSON.stringify({
      v: 1,
      events: [{ t: Math.max(0, (NOW + offsetMs) / 1000), e: 5, v: { 1: 'p:1' }, a: {} }],
    });
    const { rowCount } = encodePromptEventRows(body, { orgId: 'o', receivedAtMs: NOW, clockSkewMs: skew });
    expect(rowCount).toBe(1);
  });

  test('events that are fresh by this rule have heard_at in their rows', () => {
    for (const skew of [0, 12 * MINUTE, -2 * HOUR]) {
      for (const ageMs of [
        -3 * HOUR,
        -2 * HOUR + 5 * SECOND,
        -110 * MINUTE + 1000,
        -MINUTE - 1000,
        -MINUTE,
        0,
        10 * MINUTE,
        10 * MINUTE + 1000,
        22 * MINUTE,
        23 * MINUTE,
      ]) {
        const body = JSON.stringify({ v: 1, events: [{ t: (NOW - ageMs) / 1000, e: 5, v: { 1: 'p:1' }, a: {} }] });
        const { rows } = encodePromptEventRows(body, {
          orgId: 'o',
          receivedAtMs: NOW,
          clockSkewMs: skew,
          format: 'JSONEachRow',
        });
        const { heard_at } = JSON.parse(rows.toString());
        expect({ skew, ageMs, fresh: heard_at !== null }).toEqual({
          skew,
          ageMs,
          fresh: isFresh(NOW, NOW - ageMs, skew),
        });
      }
    }
  });
});

describeWithClickHouse('clocks that are remembered', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterAll(() => clickHouse.stop());

  const arrival = (n: number, lagMs: number) => ({ receivedAtMs: NOW + n * 1000, newestMs: NOW + n * 1000 - lagMs });

  test('a slow clock is remembered after a restart and by other processes, per org', async () => {
    const skews = new ClockSkews(clickHouse.store, PATIENT);
    expect(await skews.skewOf('acme', 'laptop', arrival(0, 12 * MINUTE))).toBe(12 * MINUTE);
    expect(await skews.skewOf('acme', 'laptop', arrival(1, 12 * MINUTE + 500))).toBe(12 * MINUTE);
    await skews.flush();
    const restarted = new ClockSkews(clickHouse.store, PATIENT);
    expect(await restarted.skewOf('acme', 'laptop', arrival(2, 14 * MINUTE))).toBe(12 * MINUTE);
    expect(await restarted.skewOf('evil', 'laptop', arrival(2, 14 * MINUTE))).toBe(14 * MINUTE);
  });

  test("correct clocks aren't stored, and a corrected clock counts as correct at once", async () => {
    const skews = new ClockSkews(clickHouse.store, PATIENT);
    for (let n = 0; n < 30; n++) expect(await skews.skewOf('acme', 'right', arrival(n, SECOND))).toBe(0);
    await skews.flush();
    const stored = async (installation: string) =>
      (
        await clickHouse.rows('SELECT 1 FROM upload_clocks WHERE installation = {installation:String}', {
          installation,
        })
      ).length;
    expect(await stored('right')).toBe(0);
    // One retry is stored with the upload before it, which says that the clock is right.
    await skews.skewOf('acme', 'right', arrival(31, 15 * MINUTE));
    await skews.flush();
    expect(await stored('right')).toBe(2);
    expect(await new ClockSkews(clickHouse.store, PATIENT).skewOf('acme', 'right', arrival(32, 15 * MINUTE))).toBe(0);
    await skews.skewOf('acme', 'slow', arrival(0, 12 * MINUTE));
    expect(await skews.skewOf('acme', 'slow', arrival(1, SECOND))).toBe(0);
  });

  test('an old skew is forgotten after 20 uploads', async () => {
    const skews = new ClockSkews(clickHouse.store, PATIENT);
    for (let n = 0; n < 20; n++) {
      expect(await skews.skewOf('acme', 'fast', arrival(n, n === 0 ? -2 * HOUR : SECOND))).toBe(-2 * HOUR);
    }
    expect(await skews.skewOf('acme', 'fast', arrival(20, SECOND))).toBe(0);
  });

  test('memory is bounded: forgotten installations are read from the table again', async () => {
    const skews = new ClockSkews(clickHouse.store, { ...PATIENT, maxInstallations: 2 });
    await skews.skewOf('acme', 'first', arrival(0, 13 * MINUTE));
    await skews.flush();
    for (const installation of ['a', 'b', 'c']) await skews.skewOf('acme', installation, arrival(1, 0));
    expect(await skews.skewOf('acme', 'first', arrival(2, 14 * MINUTE))).toBe(13 * MINUTE);
  });

  test('installations that arrive together share one query', async () => {
    const before = new ClockSkews(clickHouse.store, PATIENT);
    const names = Array.from({ length: 450 }, (_, n) => `ü${n}`.padEnd(512, 'ü'));
    await Promise.all(names.map((name, n) => before.skewOf('acme', name, arrival(0, (11 * 60 + n / 10) * SECOND))));
    await before.flush();
    let queries = 0;
    const counting: Store = Object.create(clickHouse.store, {
      query: {
        value: (...args: Parameters<Store['query']>) => {
          queries += 1;
          return clickHouse.store.query(...args);
        },
      },
    });
    const restarted = new ClockSkews(counting, PATIENT);
    const skews = await Promise.all(names.map((name) => restarted.skewOf('acme', name, arrival(1, 15 * MINUTE))));
    expect(skews).toEqual(names.map((_, n) => (11 * 60 + n / 10) * SECOND));
    expect(queries).toBeLessThan(30);
  });

  test("installation names can't change a query", async () => {
    const skews = new ClockSkews(clickHouse.store, PATIENT);
    const name = `'); DROP TABLE upload_clocks; -- \\ "{org_id:String}"`;
    await skews.skewOf(name, name, arrival(0, 11 * MINUTE));
    await skews.flush();
    expect(await new ClockSkews(clickHouse.store, PATIENT).skewOf(name, name, arrival(1, 12 * MINUTE))).toBe(
      11 * MINUTE,
    );
  });

  describe('the reaper', () => {
    const EVER = { from: '2020-01-01 00:00:00.000', to: '2299-12-30 00:00:00.000' };
    let nowMs = NOW;
    const upload = async (org: string, body: Buffer, receivedAtMs: number) =>
      clickHouse.insert(encodePromptEventRows(body, { orgId: org, receivedAtMs }).rows);
    const reaper = (store: Store = clickHouse.store) => {
      const made = new Reaper({ store, upload, now: () => nowMs });
      nowMs += DEAF_MS;
      return made;
    };
    const act = (org: string, session: string, agoMs: number, kind = 'HumanMessage', values: object = {}) =>
      upload(
        org,
        Buffer.from(
          JSON.stringify({
            v: 1,
            events: [
              {
                t: (nowMs - agoMs) / 1000,
                e: 5,
                v: { 0: kind, 1: `${session}:aaaaaaaaaaaa`, 7: nowMs - agoMs, ...values },
                a: { 0: '1.6.12', 20: 'codex', 22: session },
              },
            ],
          }),
        ),
        nowMs - agoMs,
      );
    const states = async (org: string) =>
      Object.fromEntries(
        (
          await clickHouse.rows(
            `SELECT prompt_id, state, reason, dateDiff('ms', first_ts, last_ts) AS duration FROM matching_sessions(org_id = {org:String}, from = {from:DateTime64(3)}, to = {to:DateTime64(3)}, now = {now:DateTime64(3)}, filters = map())`,
            { org, ...EVER, now: dateTime64(nowMs) },
          )
        ).map(({ prompt_id, state, reason, duration }) => [prompt_id, [state, reason, duration]]),
      );

    test('ends sessions silent for 10 minutes (60 with an open call), once, in every org', async () => {
      const one = reaper();
      await act('reaped', 'silent', 10 * MINUTE);
      await act('reaped', 'fresh', 9 * MINUTE);
      await act('reaped', 'at work', 59 * MINUTE, 'ToolCall', { 4: 'Bash' });
      await act('reaped', 'done', 11 * MINUTE, 'ToolCall', { 4: 'Bash', 6: false });
      await act('reaped', 'hanging', 60 * MINUTE, 'ToolCall', { 4: 'Bash' });
      await act('reaped too', 'silent', 3 * HOUR);
      expect(await one.run()).toBe(4);
      const ended = ['ended', 'signal', 0];
      expect(await states('reaped')).toEqual({
        silent: ended,
        fresh: ['quiet', null, 0],
        'at work': ['quiet', null, 0],
        done: ended,
        hanging: ended,
      });
      expect(await states('reaped too')).toEqual({ silent: ended });
      expect(await one.run()).toBe(0);
      const events = await clickHouse.rows(
        `SELECT event_id, parent_id, start_ts, toUnixTimestamp(emitted_at) AS t, tool FROM prompt_events WHERE org_id = 'reaped' AND prompt_id = 'silent' AND kind = 'SessionEnd'`,
      );
      expect(events).toEqual([
        {
          event_id: eventId('silent', 'SessionEnd', 'signal:silent:aaaaaaaaaaaa', 0),
          parent_id: 'silent:aaaaaaaaaaaa',
          start_ts: nowMs - 10 * MINUTE,
          t: nowMs / 1000,
          tool: 'codex',
        },
      ]);
    });

    test('two reapers with the same view write one row', async () => {
      const both = [reaper(), reaper()];
      await act('raced', 's', 20 * MINUTE);
      await Promise.all(both.map((each) => each.run()));
      expect(
        await clickHouse.rows(`SELECT event_id FROM prompt_events WHERE org_id = 'raced' AND kind = 'SessionEnd'`),
      ).toHaveLength(1);
    });

    test('ends a session again if it continued and fell silent', async () => {
      const one = reaper();
      await act('again', 's', 20 * MINUTE);
      await one.run();
      nowMs += SECOND;
      await act('again', 's', 0, 'HumanMessage', { 1: 's:bbbbbbbbbbbb' });
      expect(await states('again')).toEqual({ s: ['live', null, 20 * MINUTE + SECOND] });
      nowMs += 10 * MINUTE;
      expect(await one.run()).toBe(1);
      expect(await states('again')).toEqual({ s: ['ended', 'signal', 20 * MINUTE + SECOND] });
    });

    test('ends a session that was never heard 10 minutes after its arrival', async () => {
      const one = reaper();
      const body = JSON.stringify({
        v: 1,
        events: [{ t: nowMs / 1000 - 7 * 86_400, e: 5, v: { 0: 'HumanMessage', 1: 'old:1' }, a: { 22: 'old' } }],
      });
      await upload('look back', Buffer.from(body), nowMs - 9 * MINUTE);
      expect([await one.run(), await states('look back')]).toEqual([0, { old: ['quiet', null, 0] }]);
      nowMs += MINUTE;
      expect([await one.run(), await states('look back')]).toEqual([1, { old: ['ended', 'signal', 0] }]);
    });

    test('an end follows what the session shows, not a result whose call never came', async () => {
      const one = reaper();
      const said = { type: 'user', message: { content: 'Hello' } };
      const result = (id: string) => ({
        type: 'user',
        message: { content: [{ type: 'tool_result', tool_use_id: id, content: 'out' }] },
      });
      const record = (sessionId: string, uuid: string, agoMs: number, content: object) =>
        wireEvent(
          { tool: 'claude', sessionId, records: [] },
          { ...content, uuid, parentUuid: null, timestamp: new Date(nowMs - agoMs).toISOString(), sessionId },
        );
      const events = [
        record('talk', 'u1', 30 * MINUTE, said),
        record('talk', 'u2', 25 * MINUTE, result('toolu_1')),
        record('nothing else', 'u3', 25 * MINUTE, result('toolu_2')),
      ];
      await clickHouse.upload(JSON.stringify({ v: 1, events }), { orgId: 'hidden', receivedAtMs: nowMs - 20 * MINUTE });
      // Of this one, a client has read the agent's own files: what records say is left out.
      await act('hidden', 'own', 30 * MINUTE);
      const own = { 0: said, 1: 'u4' };
      await clickHouse.upload(
        JSON.stringify({
          v: 1,
          events: [{ t: nowMs / 1000 - 1500, e: 5, v: own, a: { 20: 'codex', 22: 'own', 24: 's_own' } }],
        }),
        { orgId: 'hidden', receivedAtMs: nowMs - 20 * MINUTE },
      );
      const reaped = await one.run();
      // A second run finds none of them again.
      expect(await one.run()).toBe(0);
      const sessions = await clickHouse.rows<{ prompt_id: string; events: number; ends: number }>(
        `SELECT prompt_id, count() AS events, countIf(kind = 'SessionEnd') AS ends FROM prompt_events
         WHERE org_id = 'hidden' GROUP BY prompt_id ORDER BY events`,
      );
      expect([reaped, sessions.map(({ events, ends }) => [events, ends])]).toEqual([
        3,
        [
          [1, 1],
          [2, 1],
          [2, 1],
        ],
      ]);
      for (const { prompt_id } of sessions.filter(({ events }) => events > 1)) {
        const shown = await clickHouse.ask('session', { org_id: 'hidden', prompt_id, offset: 0, limit: 10 });
        expect(shown.map((row) => [row.kind, Boolean(row.parent_known)])).toEqual([
          ['HumanMessage', false],
          ['SessionEnd', true],
        ]);
        expect(shown[1]).toMatchObject({ gap_ms: 0, parent_id: shown[0]?.event_id });
      }
    });

    test('ends all that had long been silent when it started, 2,000 a run', async () => {
      const one = reaper();
      const ago = 5 * HOUR;
      const events = Array.from({ length: 2_100 }, (_, n) => ({
        t: (nowMs - ago) / 1000,
        e: 5,
        v: { 0: 'HumanMessage', 1: `many-${n}:aaaaaaaaaaaa`, 7: nowMs - ago },
        a: { 22: `many-${n}` },
      }));
      for (let n = 0; n < events.length; n += 700) {
        await upload('many', Buffer.from(JSON.stringify({ v: 1, events: events.slice(n, n + 700) })), nowMs - ago);
      }
      const runs = [];
      for (; runs.length < 3; nowMs += PERIOD_MS) runs.push(await one.run());
      expect(runs).toEqual([2_000, 100, 0]);
    });

    test('ends what fell silent while it was deaf', async () => {
      const one = reaper();
      expect(await one.run()).toBe(0);
      await act('missed', 's', 0);
      // Its last look at everything is hours ago.
      nowMs += 6 * HOUR;
      one.wasDeaf();
      expect(await one.run()).toBe(0);
      nowMs += DEAF_MS;
      expect(await one.run()).toBe(1);
    });

    test('ends nothing for 10 minutes after a start or an outage of the store or the endpoint', async () => {
      let broken = false;
      const store = {
        query: (...call: Parameters<Store['query']>) =>
          broken ? Promise.reject(new StoreError('no connection', true)) : clickHouse.store.query(...call),
      } as Store;
      const one = new Reaper({ store, upload, now: () => nowMs });
      await act('deaf', 's', HOUR);
      const runAfter = (ms: number) => {
        nowMs += ms;
        return one.run();
      };
      expect(await runAfter(DEAF_MS - 1000)).toBe(0);
      broken = true;
      await expect(runAfter(1000)).rejects.toThrow('no connection');
      broken = false;
      expect(await runAfter(DEAF_MS - 1000)).toBe(0);
      one.wasDeaf();
      expect(await runAfter(DEAF_MS - 1000)).toBe(0);
      expect(await runAfter(1000)).toBe(1);
    });

    test('makes valid wire events whatever the ids contain', () => {
      const body = endsOf([{ prompt_id: `p"\u0000`, event_id: 'é:\ud800', event_ms: NOW, agent: null }], NOW);
      expect(encodePromptEventRows(body, { orgId: 'o', receivedAtMs: NOW }).errors).toEqual([]);
      expect(PERIOD_MS).toBe(MINUTE);
    });
  });
});
