/** Merged events: whatever is merged and whenever, queries answer as from the deliveries alone. */
import { joinRows, type Rows } from 'git-ai-metrics';
import { dateTime64 } from '../../__test__/rows-model';
import { defaultFriction, frictionParameters } from '../src/api/friction.ts';
import { Merger } from '../src/merge/merger.ts';
import { ClickHouse, describeWithClickHouse, type Row } from './support/clickhouse.ts';
import { random, rowsOf, session, shuffle } from './support/deliveries.ts';

/** What the schedules’ deliveries are filed under. */
const FROM = Date.UTC(2026, 9, 31, 20);
const HOUR = 3_600_000;
const QUERIES = ['sessions', 'overview', 'tools', 'failures', 'models', 'friction', 'friction_by', 'skills'];

describeWithClickHouse('merged events', () => {
  const seed = Date.now() % 2 ** 31;
  let clickHouse: ClickHouse;
  beforeEach(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterEach(() => clickHouse.stop());

  const merge = (options = {}) => new Merger({ store: clickHouse.store, quietMs: 0, ...options }).run();

  /** The answers of all queries that read events, window by window; rows of equal rank in any order. */
  async function answers(org: string): Promise<Record<string, string[]>> {
    const all: Record<string, string[]> = {};
    const windows = [
      [3, 12],
      [12, 30],
      [-24 * 365, 24 * 365],
    ];
    for (const [from, to] of windows) {
      const parameters = {
        org_id: org,
        from: dateTime64(FROM + from * HOUR),
        to: dateTime64(FROM + to * HOUR),
        now: dateTime64(FROM),
        filters: {},
        timezone: 'Asia/Kathmandu',
        threshold: 1,
        only_rules: [],
        only_tools: [],
        before: '2299-12-31 23:59:59.999',
        before_prompt_id: '',
        limit: 1000,
        ...frictionParameters(defaultFriction),
      };
      for (const name of QUERIES) {
        const rows = await clickHouse.ask(name, parameters);
        all[`${name}, ${from} to ${to} h`] = rows.map((row) => JSON.stringify(row)).sort();
      }
    }
    return all;
  }

  const insert = async (rows: readonly Rows[], inserts: number) => {
    for (let n = 0; n < inserts; n++) {
      const some = rows.filter((_, place) => place % inserts === n);
      if (some.length > 0) await clickHouse.insert(joinRows(some));
    }
  };

  test('random schedules, merged in between, answer as unmerged ones in another order', async () => {
    const [MERGED, OTHER] = ['merged in between', 'never merged'];
    const uploads = Array.from({ length: 40 }, (_, n) =>
      session(seed + n, { fields: 'any', contradictions: n % 2 === 0 }),
    ).flat();
    const first = shuffle(random(seed), uploads);
    for (let n = 0; n < 4; n++) {
      // Some sessions get nothing more, others do, partly what they had.
      const part = first.slice((n * first.length) / 4, ((n + 1) * first.length) / 4 + 5);
      await insert(
        part.map((upload) => rowsOf(upload, MERGED)),
        5,
      );
      if (n < 3) expect(await merge()).toBeGreaterThan(0);
    }
    await insert(
      shuffle(random(seed + 1), uploads).map((upload) => rowsOf(upload, OTHER)),
      7,
    );
    const expected = await answers(OTHER);
    expect({ seed, ...(await answers(MERGED)) }).toEqual({ seed, ...expected });

    await merge();
    expect(await merge()).toBe(0);
    expect({ seed, ...(await answers(MERGED)) }).toEqual({ seed, ...expected });
    await clickHouse.run('OPTIMIZE TABLE session_days FINAL');
    await clickHouse.run('OPTIMIZE TABLE merged_events FINAL');
    expect({ seed, ...(await answers(MERGED)) }).toEqual({ seed, ...expected });
  }, 600_000);

  /** An upload of one call. */
  const call = (session: string, id: string, error = false) => ({
    body: JSON.stringify({
      v: 1,
      events: [
        {
          t: FROM / 1000,
          e: 5,
          v: { 0: 'ToolCall', 1: `${session}:${id}`, 4: 'Bash', 6: error, 7: FROM },
          a: { 22: session },
        },
      ],
    }),
    options: { orgId: 'acme', receivedAtMs: FROM + 1000 },
  });
  const upload = ({ body, options }: ReturnType<typeof call>) => clickHouse.upload(body, options);
  const tools = (params: Row = {}) => {
    const window = { from: dateTime64(FROM - HOUR), to: dateTime64(FROM + HOUR), now: dateTime64(FROM), filters: {} };
    return clickHouse.ask('tools', { org_id: 'acme', ...window, ...params });
  };

  test('are what queries read, until something is stored of the session', async () => {
    await upload(call('a', '1'));
    await merge();
    await clickHouse.run('TRUNCATE TABLE prompt_event_deliveries');
    expect(await tools()).toMatchObject([{ tool: 'Bash', calls: 1, errors: 0 }]);
    await upload(call('a', '2', true));
    // Both would have been counted from deliveries, of which the first is gone.
    expect(await tools()).toMatchObject([{ tool: 'Bash', calls: 1, errors: 1 }]);
  });

  test('of two runs at once, one counts, and so does one whose successor died', async () => {
    await upload(call('a', '1'));
    await upload(call('b', '1'));
    await Promise.all([merge(), merge(), merge()]);
    expect(await tools()).toMatchObject([{ calls: 2, sessions: 2 }]);
    // It wrote its events, and not which sessions they are of.
    const { store } = clickHouse;
    const dies = {
      ...store,
      query: store.query.bind(store),
      command: (sql: string, parameters?: Row) => {
        if (!sql.includes('INSERT INTO merged_events')) throw new Error('died');
        return store.command(sql, parameters);
      },
    };
    await upload(call('a', '2'));
    await expect(new Merger({ store: dies as typeof store, quietMs: 0 }).run()).rejects.toThrow('died');
    expect(await tools()).toMatchObject([{ calls: 3, sessions: 2 }]);
    await merge();
    expect(await tools()).toMatchObject([{ calls: 3, sessions: 2 }]);
  });

  test('leave out sessions that something was just stored of', async () => {
    await upload(call('a', '1'));
    expect(await merge({ quietMs: 60_000 })).toBe(0);
    expect(await merge()).toBe(1);
    expect(await merge()).toBe(0);
    // The same again changes no answer, and the session is merged again all the same.
    await upload(call('a', '1'));
    expect(await merge()).toBe(1);
  });

  test('come in many statements, if a session is large or there are many', async () => {
    const ids = Array.from({ length: 30 }, (_, n) => `${'x'.repeat(1000)} ${n}`);
    for (const id of ids) await upload(call(id, '1'));
    await upload(call('y'.repeat(1025), '1'));
    expect(await merge()).toBe(30);
    expect(await tools()).toMatchObject([{ calls: 31, sessions: 31 }]);
  });

  test('of other sessions don’t wait for one that can’t be merged', async () => {
    const ids = Array.from({ length: 9 }, (_, n) => `session ${n}`);
    for (const id of ids) await upload(call(id, '1'));
    const { store } = clickHouse;
    let tooLarge: string | undefined = ids[4];
    let tries = 0;
    const narrow = {
      ...store,
      query: store.query.bind(store),
      command: async (sql: string, parameters: Row = {}) => {
        const isOfIt = tooLarge !== undefined && (parameters.sessions as string[]).includes(tooLarge);
        if (isOfIt) tries++;
        if (isOfIt && sql.includes('INSERT INTO merged_events')) throw new Error('no memory');
        return store.command(sql, parameters);
      },
    };
    const merger = new Merger({ store: narrow as typeof store, quietMs: 0 });
    await expect(merger.run()).rejects.toThrow('no memory');
    const unmerged = await clickHouse.rows(
      `SELECT prompt_id FROM session_days GROUP BY prompt_id HAVING max(merged) = 0`,
    );
    expect(unmerged).toEqual([{ prompt_id: tooLarge }]);
    expect(await tools()).toMatchObject([{ calls: 9, sessions: 9 }]);

    // It is tried again, but not each time.
    const before = tries;
    expect(await merger.run()).toBe(0);
    expect(tries).toBe(before);
    tooLarge = undefined;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * HOUR);
    try {
      expect(await merger.run()).toBe(1);
    } finally {
      clock.mockRestore();
    }
    expect(await tools()).toMatchObject([{ calls: 9, sessions: 9 }]);
  });

  test('are asked for again by a store that fails, not session by session', async () => {
    for (let n = 0; n < 20; n++) await upload(call(`session ${n}`, '1'));
    const { store } = clickHouse;
    let statements = 0;
    const down = {
      ...store,
      query: store.query.bind(store),
      command: async () => {
        statements++;
        throw new Error('no connection');
      },
    };
    await expect(new Merger({ store: down as typeof store, quietMs: 0 }).run()).rejects.toThrow('no connection');
    expect(statements).toBeLessThan(10);
  });
});
