import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { encodePromptEventRows, joinRows } from 'git-ai-metrics';
import { BadFriction, checkFriction, defaultFriction, type FrictionRule, matchedWords } from '../src/api/friction.ts';
import { registerApi } from '../src/api/routes.ts';
import { Merger } from '../src/merge/merger.ts';
import { HttpError } from '../src/server/errors.ts';
import { ClickHouse, describeWithClickHouse } from './support/clickhouse.ts';
import { MINUTE, SECOND } from './support/liveness-model.ts';
import { wireEvent } from './support/records.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const ROUTES = ['overview', 'sessions', 'tools', 'skills', 'models', 'agents', 'friction', 'filters'];
/** What only an org's own answers may hold. */
const SECRET = 'a-secret-of-acme';
const SESSION = 'a386ade188cc4043';

describeWithClickHouse('the JSON API', () => {
  let clickHouse: ClickHouse;
  let server: FastifyInstance;
  let address: string;

  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    server = Fastify();
    server.setErrorHandler<HttpError>(async (error, _request, reply) => {
      reply.code(error.statusCode ?? 500);
      return { error: error.message };
    });
    registerApi(server, {
      store: clickHouse.store,
      now: () => NOW,
      authenticate: ({ 'x-api-key': key }) => {
        const [org, role] = String(key).split('/');
        if (role !== 'view') throw new HttpError(role === 'ingest' ? 403 : 401, 'not with this key');
        return { org: org as string, role, keyId: 'k' };
      },
    });
    address = await server.listen({ host: '127.0.0.1', port: 0 });
    const event = (id: string, agoMs: number, values: object, attributes: object = {}) => ({
      t: Math.floor((NOW - agoMs) / 1000),
      e: 5,
      v: { 1: `${SESSION}:${id}`, 3: false, 7: NOW - agoMs, ...values },
      a: {
        0: '1.6.12',
        1: `https://host/${SECRET}`,
        2: `${SECRET} <a@x>`,
        5: SECRET,
        20: 'claude',
        21: SECRET,
        22: SESSION,
        ...attributes,
      },
    });
    const events = [
      event('0', 30 * MINUTE, { 0: 'HumanMessage', 2: null, 10: 'h0', 11: `Please find ${SECRET}` }),
      event('1', 29 * MINUTE, { 0: 'ToolCall', 2: `${SESSION}:0`, 4: SECRET, 5: 'opus', 6: true, 9: 1500 }),
      event('2', 29 * MINUTE - 30 * SECOND, {
        0: 'HumanMessage',
        2: `${SESSION}:1`,
        10: 'h1',
        11: 'that is wrong, it still fails',
      }),
      event('3', 20 * MINUTE, {
        0: 'SkillInvocation',
        2: `${SESSION}:lost`,
        4: 'Skill',
        6: false,
        12: `/skills/${SECRET}/SKILL.md`,
        13: NOW,
      }),
      event('4', 19 * MINUTE, { 0: 'AiMessage', 5: 'opus', 11: 'Done.' }),
      event('5', 10 * SECOND, { 0: 'McpCall', 4: 'mcp__github__search', 5: 'opus' }),
    ];
    const uploads = events.map((each) =>
      encodePromptEventRows(JSON.stringify({ v: 1, events: [each] }), {
        orgId: 'acme',
        receivedAtMs: each.t * 1000 + SECOND,
      }),
    );
    await clickHouse.insert(joinRows(uploads));
  });
  afterAll(async () => {
    await server.close();
    await clickHouse.stop();
  });

  const ask = (path: string, headers: Record<string, string>, method = 'GET') =>
    fetch(`${address}/api/${path}`, { method, headers });
  const get = async (path: string, key = 'acme/view') => {
    const answer = await ask(path, { 'x-api-key': key });
    const text = await answer.text();
    return { status: answer.status, text, json: JSON.parse(text) as Record<string, unknown> };
  };
  const range = { from: '2026-11-15T12:00:00.000Z', to: '2026-11-23T12:00:00.000Z', now: '2026-11-22T12:00:00.000Z' };

  test('overview: totals, days, who is live, how fresh; a rate of nothing known is null', async () => {
    const { json } = await get('overview');
    const figures = { active_ms: 150_000, turns: 2, tool_calls: 3, errors: 1, unknown_outcome: 1, error_rate: 0.5 };
    expect(json).toEqual({
      ...range,
      totals: { sessions: 1, live: 1, quiet: 0, ended: 0, ...figures, active_ms: 150_000 },
      days: [{ day: '2026-11-22', sessions: 1, ...figures, active_ms: 150_000 }],
      newest_arrival: '2026-11-22T11:59:51.000Z',
      newest_event: '2026-11-22T11:59:50.000Z',
    });
    expect((await get('overview', 'nobody/view')).json).toEqual({
      ...range,
      totals: {
        sessions: 0,
        live: 0,
        quiet: 0,
        ended: 0,
        active_ms: 0,
        turns: 0,
        tool_calls: 0,
        errors: 0,
        unknown_outcome: 0,
        error_rate: null,
      },
      days: [],
      newest_arrival: null,
      newest_event: null,
    });
  });

  test('a request that is given up ends its queries, in ClickHouse too', async () => {
    const { store } = clickHouse;
    const endless = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    const running = async () => {
      const [row] = await store.query<{ n: number }>(
        `SELECT count() AS n FROM system.processes WHERE query LIKE {text:String} AND query NOT LIKE '%system.processes%'`,
        { text: `${endless}%` },
      );
      return row?.n;
    };
    const impatient = Fastify();
    const failures: unknown[] = [];
    impatient.setErrorHandler(async (error) => failures.push(error));
    registerApi(impatient, {
      store: { ...store, query: (_sql, _values, signal) => store.query(endless, {}, signal) },
      authenticate: () => ({ org: 'acme', role: 'view', keyId: 'k' }),
    });
    const client = new AbortController();
    const origin = await impatient.listen({ host: '127.0.0.1', port: 0 });
    const answer = fetch(`${origin}/api/models`, { signal: client.signal });
    while (!(await running())) await sleep(20);
    client.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    while (await running()) await sleep(20);
    await impatient.close();
    expect(failures).toEqual([]);
  });

  test('a long answer is compressed for those who take it, a short one for nobody', async () => {
    const events = Array.from({ length: 60 }, (_, n) => ({
      t: Math.floor(NOW / 1000) - 60 + n,
      e: 5,
      v: { 0: 'AiMessage', 1: `long:${n}`, 11: `Answer ${n}, 請. `.repeat(20) },
      a: { 22: 'long' },
    }));
    await clickHouse.upload(JSON.stringify({ v: 1, events }), { orgId: 'long', receivedAtMs: NOW });
    const answer = async (path: string, encoding: string) => {
      const found = await ask(path, { 'x-api-key': 'long/view', 'accept-encoding': encoding });
      const { headers } = found;
      return [
        headers.get('content-encoding'),
        headers.get('vary'),
        Number(headers.get('content-length')),
        await found.text(),
      ];
    };
    const [, , length, text] = await answer('sessions/long', 'identity');
    expect(Buffer.byteLength(text as string)).toBe(length);
    for (const encoding of ['identity', 'gzip;q=0', 'br']) {
      expect(await answer('sessions/long', encoding)).toEqual([null, 'accept-encoding', length, text]);
    }
    const compressed = await answer('sessions/long', 'br, gzip');
    expect(compressed).toEqual(['gzip', 'accept-encoding', expect.any(Number), text]);
    expect(compressed[2]).toBeLessThan(Number(length) / 4);
    expect(await answer('status', 'gzip')).toEqual([null, null, expect.any(Number), expect.any(String)]);
  });

  test('status: whose key it is, and how fresh the org’s data is, whatever the range', async () => {
    const now = range.now;
    expect((await get('status')).json).toEqual({
      org: 'acme',
      key_id: 'k',
      demo: false,
      newest_arrival: '2026-11-22T11:59:51.000Z',
      newest_event: '2026-11-22T11:59:50.000Z',
      now,
    });
    const nothing = { newest_arrival: null, newest_event: null, now };
    expect((await get('status', 'nobody/view')).json).toEqual({ org: 'nobody', key_id: 'k', demo: false, ...nothing });
  });

  test('no event is newer than the newest arrival, whatever a clock says', async () => {
    const t = Math.floor(NOW / 1000) + 23 * 3600;
    const event = { t, e: 5, v: { 0: 'HumanMessage', 1: 'fast:0', 11: 'Hello' }, a: { 22: 'fast' } };
    const upload = JSON.stringify({ v: 1, events: [event] });
    await clickHouse.insert(joinRows([encodePromptEventRows(upload, { orgId: 'fast', receivedAtMs: NOW })]));
    const arrival = new Date(NOW).toISOString();
    for (const route of ['status', 'overview']) {
      const { json } = await get(route, 'fast/view');
      expect(json).toMatchObject({ newest_arrival: arrival, newest_event: arrival });
    }
  });

  test('what the server makes itself did not arrive; what a client says of an end did', async () => {
    const upload = async (events: object[], receivedAtMs: number) =>
      clickHouse.insert(
        joinRows([encodePromptEventRows(JSON.stringify({ v: 1, events }), { orgId: 'silent', receivedAtMs })]),
      );
    const event = (session: string, values: object, ms: number) => ({
      t: Math.floor(ms / 1000),
      e: 5,
      v: { 1: `${session}:${JSON.stringify(values).length}`, 7: ms, ...values },
      a: { 22: session },
    });
    await upload([event('s', { 0: 'HumanMessage', 11: 'Hello' }, NOW - 60 * MINUTE)], NOW - 60 * MINUTE);
    const newest = async () => {
      const answers = await Promise.all(['status', 'overview'].map((route) => get(route, 'silent/view')));
      return answers.map(({ json }) => json.newest_arrival);
    };
    const arrival = (agoMinutes: number) => Array(2).fill(new Date(NOW - agoMinutes * MINUTE).toISOString());
    await upload([event('s', { 0: 'SessionEnd', 15: 'signal' }, NOW - 60 * MINUTE)], NOW - 50 * MINUTE);
    expect(await newest()).toEqual(arrival(60));
    await upload([event('s', { 0: 'SessionEnd', 15: 'user_quit' }, NOW - 40 * MINUTE)], NOW - 40 * MINUTE);
    expect(await newest()).toEqual(arrival(40));
    // Merging repeats a row of session_days.
    await new Merger({ store: clickHouse.store, quietMs: 0 }).run();
    expect(await newest()).toEqual(arrival(40));
  });

  test('sessions, and pages of them', async () => {
    const { json } = await get('sessions?limit=1');
    expect(json).toEqual({
      ...range,
      sessions: [
        {
          prompt_id: SESSION,
          external_prompt_id: null,
          title: `Please find ${SECRET}`,
          agent: 'claude',
          models: ['opus'],
          author: `${SECRET} <a@x>`,
          repo: `https://host/${SECRET}`,
          branch: SECRET,
          state: 'live',
          reason: null,
          heard_at: '2026-11-22T11:59:51.000Z',
          start: '2026-11-22T11:30:00.000Z',
          end: '2026-11-22T11:59:50.000Z',
          duration_ms: 30 * MINUTE - 10 * SECOND,
          active_ms: 150_000,
          turns: 2,
          tool_calls: 3,
          errors: 1,
          last_output: 'Done.',
        },
      ],
      next: null,
    });
  });

  test('a page names the next one only if there is one', async () => {
    const events = ['first', 'second'].map((session, n) => ({
      t: NOW / 1000 - 60 * n,
      e: 5,
      v: { 0: 'HumanMessage', 1: `${session}:0`, 7: NOW - n * MINUTE },
      a: { 20: 'claude', 22: session },
    }));
    const body = JSON.stringify({ v: 1, events });
    await clickHouse.insert(joinRows([encodePromptEventRows(body, { orgId: 'pages', receivedAtMs: NOW })]));
    const { json } = await get('sessions?limit=1', 'pages/view');
    expect(json).toMatchObject({ sessions: [{ prompt_id: 'first' }], next: expect.any(String) });
    const { json: rest } = await get(`sessions?limit=1&cursor=${json.next}`, 'pages/view');
    expect(rest).toMatchObject({ sessions: [{ prompt_id: 'second' }], next: null });
    expect((await get('sessions?limit=2', 'pages/view')).json).toMatchObject({ sessions: [{}, {}], next: null });
  });

  test.each([['as they came'], ['merged']])(
    'the user and the password of an address leave the server nowhere, and the address without them finds the session: %s',
    async (how) => {
      const org = `credentials ${how}`;
      const called = { 0: 'ToolCall', 4: 'Bash', 6: true };
      const values = [
        { 0: 'HumanMessage', 11: 'Hello' },
        called,
        called,
        called,
        { 0: 'HumanMessage', 11: 'no, stop' },
      ];
      const urls = [
        'https://user:hunter2@host/x',
        'https://hunter2@host/x',
        'HTTPS://a@b:hunter2@host/x?y=@',
        'ssh://host/x@1',
      ];
      const events = urls.flatMap((url, session) =>
        values.map((v, n) => ({
          t: Math.floor(NOW / 1000),
          e: 5,
          v: { 1: `s${session}:${n}`, 7: NOW - (10 - n) * SECOND, ...v },
          a: { 1: url, 20: 'claude', 22: `s${session}` },
        })),
      );
      const body = JSON.stringify({ v: 1, events });
      await clickHouse.insert(joinRows([encodePromptEventRows(body, { orgId: org, receivedAtMs: NOW })]));
      if (how === 'merged') await new Merger({ store: clickHouse.store, quietMs: 0 }).run();
      for (const route of [...ROUTES, 'sessions?order=longest', 'sessions/s0', 'sessions/s0/friction']) {
        const { status, text } = await get(route, `${org}/view`);
        expect([route, status, text.includes('hunter2')]).toEqual([route, 200, false]);
      }
      const { json } = await get('filters', `${org}/view`);
      expect(json).toMatchObject({
        filters: {
          repo: [
            { value: 'https://host/x', sessions: 2 },
            { value: 'HTTPS://host/x?y=@', sessions: 1 },
            { value: 'ssh://host/x@1', sessions: 1 },
          ],
        },
      });
      const found = async (query: string) => {
        const { sessions } = (await get(`sessions?${query}`, `${org}/view`)).json as {
          sessions: { prompt_id: string }[];
        };
        return sessions.map(({ prompt_id }) => prompt_id).sort();
      };
      expect(await found('repo=https://host/x')).toEqual(['s0', 's1']);
      expect(await found(`repo=${encodeURIComponent(urls[0] as string)}`)).toEqual(['s0', 's1']);
      expect(await found('not_repo=https://host/x')).toEqual(['s2', 's3']);
      const { failures } = (await get('tools', `${org}/view`)).json as { failures: object[] };
      expect(failures).toHaveLength(3);
      const { repos } = (await get('friction', `${org}/view`)).json as { repos: object[] };
      expect(repos).toMatchObject([{ repo: 'https://host/x', sessions: 2, all_sessions: 2 }, {}, {}]);
    },
  );

  test('sessions, longest first', async () => {
    const { sessions, next } = (await get('sessions?order=longest&limit=5')).json as { sessions: object[]; next: null };
    expect(sessions).toMatchObject([{ prompt_id: SESSION, duration_ms: 30 * MINUTE - 10 * SECOND }]);
    expect(next).toBeNull();
    expect((await get('sessions?order=longest', 'nobody/view')).json).toMatchObject({ sessions: [] });
    expect((await get('sessions?order=shortest')).status).toBe(400);
  });

  test('longest counts what a session shows, and says how many signs of friction there are', async () => {
    const said = { type: 'user', message: { content: 'no, stop' } };
    const result = { type: 'user', message: { content: [{ type: 'tool_result', tool_use_id: 'gone', content: '' }] } };
    const record = (sessionId: string, agoMs: number, content: object) =>
      wireEvent(
        { tool: 'claude', sessionId, records: [] },
        { ...content, uuid: `${sessionId}${agoMs}`, timestamp: new Date(NOW - agoMs).toISOString(), sessionId },
      );
    const events = [
      // The result of a call that never came is not shown.
      record('wide', 300 * MINUTE, said),
      record('wide', 10 * MINUTE, result),
      record('also wide', 300 * MINUTE, said),
      record('also wide', 11 * MINUTE, result),
      ...Array.from({ length: 30 }, (_, n) => record('longest', (60 - n) * MINUTE, said)),
    ];
    await clickHouse.upload(JSON.stringify({ v: 1, events }), { orgId: 'longest', receivedAtMs: NOW });
    const { json } = await get('sessions?order=longest&limit=1', 'longest/view');
    expect(json).toMatchObject({ sessions: [{ external_prompt_id: 'longest', duration_ms: 29 * MINUTE }] });
    const { sessions } = (await get('friction', 'longest/view')).json as { sessions: { prompt_id: string }[] };
    const { signals, signal_count } = (await get(`sessions/${sessions[0]?.prompt_id}/friction`, 'longest/view'))
      .json as {
      signals: object[];
      signal_count: number;
    };
    expect([signals.length, sessions]).toEqual([20, [expect.objectContaining({ signal_count })]]);
    expect(signal_count).toBeGreaterThanOrEqual(29);
  });

  test('one session: its events, gaps, parents, tools and skills, whole or in pages; and its friction', async () => {
    const { json } = await get(`sessions/${SESSION}`);
    const events = json.events as Record<string, unknown>[];
    expect(events.map(({ event_id, parent_known, gap_ms, at }) => [event_id, parent_known, gap_ms, at])).toEqual([
      [`${SESSION}:0`, null, null, '2026-11-22T11:30:00.000Z'],
      [`${SESSION}:1`, true, 60_000, '2026-11-22T11:31:00.000Z'],
      [`${SESSION}:2`, true, 30_000, '2026-11-22T11:31:30.000Z'],
      [`${SESSION}:3`, false, 510_000, '2026-11-22T11:40:00.000Z'],
      [`${SESSION}:4`, null, 60_000, '2026-11-22T11:41:00.000Z'],
      [`${SESSION}:5`, null, 1_130_000, '2026-11-22T11:59:50.000Z'],
    ]);
    expect(events[5]).toMatchObject({ error: null, observed_duration_ms: null, reported_duration_ms: null });
    expect(json).not.toHaveProperty('friction');
    expect((await get(`sessions/${SESSION}/friction`)).json).toMatchObject({
      version: defaultFriction.version,
      score: 5,
      signal_count: 3,
      signals: [
        { rule: 'message after a failed call', weight: 1, words: null },
        { rule: 'still in trouble', weight: 2, words: 'still fails', tool_before: SECRET },
        { rule: 'that is wrong', weight: 2, words: expect.stringMatching(/that is wrong/) },
      ],
    });
    expect(json).toMatchObject({
      session: { prompt_id: SESSION, state: 'live' },
      event_count: 6,
      next_offset: null,
      skills: [{ path: `/skills/${SECRET}/SKILL.md`, last_edited: '2026-11-22T12:00:00.000Z' }],
    });
    expect((json.tools as unknown[]).length).toBe(3);
    const page = (await get(`sessions/${SESSION}?limit=2&offset=2`)).json;
    expect(page).toMatchObject({ events: [events[2], events[3]], event_count: 6, next_offset: 4 });
    const behind = (await get(`sessions/${SESSION}?offset=6`)).json;
    expect(behind).toMatchObject({ events: [], event_count: null, next_offset: null });
  });

  test('tools, MCP servers, skills, models, friction, filters', async () => {
    expect((await get('tools')).json).toMatchObject({
      ...range,
      tools: expect.arrayContaining([
        expect.objectContaining({
          tool: 'mcp__github__search',
          mcp_server: 'github',
          error_rate: null,
          observed_p50_ms: null,
        }),
      ]),
      mcp_servers: [{ mcp_server: 'github', tools: 1, calls: 1, unknown_outcome: 1, error_rate: null }],
      failures: [],
    });
    expect((await get('skills')).json).toMatchObject({
      skills: [{ path: `/skills/${SECRET}/SKILL.md`, invocations: 1 }],
    });
    expect((await get('models')).json).toMatchObject({
      models: expect.arrayContaining([
        expect.objectContaining({ model: 'opus', turns: 2 }),
        expect.objectContaining({ model: null }),
      ]),
    });
    expect((await get('friction')).json).toMatchObject({
      version: defaultFriction.version,
      sessions: [{ prompt_id: SESSION, title: `Please find ${SECRET}`, score: 5, signal_count: 3 }],
      // One session is too few for a rate.
      repos: [{ repo: `https://host/${SECRET}`, sessions: 1, all_sessions: 1, rate: null }],
      tools: [{ tool_before: SECRET, score: 5 }],
      rules: expect.arrayContaining([
        { name: 'that is wrong', weight: 2, signals: 1, sessions: 1 },
        { name: 'message after a failed call', weight: 1, signals: 1, sessions: 1 },
        { name: 'anger', weight: 2, signals: 0, sessions: 0 },
      ]),
    });
    const signalsOf = async (query: string) => {
      const { sessions } = (await get(`friction?${query}`)).json as { sessions: { signals: { rule: string }[] }[] };
      return sessions.map(({ signals }) => signals.map(({ rule }) => rule));
    };
    expect(await signalsOf('rule=that+is+wrong')).toEqual([['that is wrong']]);
    expect(await signalsOf(`tool_before=${SECRET}&rule=anger`)).toEqual([]);
    expect((await get('filters')).json).toMatchObject({
      filters: {
        agent: [{ value: 'claude', sessions: 1 }],
        state: [{ value: 'live', sessions: 1 }],
        model: [{ value: 'opus' }],
      },
    });
  });

  test.each(ROUTES)('%s: the same filters on all', async (route) => {
    const all = (await get(route)).text;
    const own: Record<string, string> = { overview: '"sessions":1', models: 'opus', agents: '"agent":"claude"' };
    expect(all).toContain(own[route] ?? SECRET);
    const matching = [
      `repo=https://host/${SECRET}`,
      `repo=x&repo=https://host/${SECRET}`,
      'not_repo=x',
      `branch=${SECRET}`,
      'agent=claude&model=opus&state=live',
      `tool=${SECRET}`,
      `author=${encodeURIComponent(`${SECRET} <a@x>`)}`,
      'text=please+FIND',
      'not_state=ended&not_state=quiet',
      `failed=${SECRET}`,
      'failed=*',
      'unknown=*',
      'without_model=*',
      'unknown=mcp__github__search&unknown=x',
      `skill=x&skill=/skills/${SECRET}/SKILL.md`,
      'mcp_server=github',
      'from=2026-11-22T11:00:00Z&to=2026-11-22T13:00:00%2B00:00',
    ];
    const none = [
      'repo=x',
      `not_repo=https://host/${SECRET}`,
      'branch=',
      'agent=codex',
      'failed=Skill',
      'failed=',
      `unknown=${SECRET}`,
      'unknown=Skill',
      'unknown=',
      'skill=',
      'mcp_server=git',
      'model=haiku',
      'state=ended',
      'tool=Bash',
      'text=nowhere',
      'from=2026-11-01&to=2026-11-02',
      `to=${NOW - 86_400_000}`,
    ];
    const figures = ({ text }: { text: string }) => text.replace(/"(from|to)":"[^"]*",?/g, '');
    const empty = figures(await get(route, 'nobody/view'));
    // All of them on one route, a few on the others, which share the code.
    const few = route === 'sessions' ? 99 : 2;
    for (const query of matching.slice(-few))
      expect([query, figures(await get(`${route}?${query}`))]).toEqual([query, figures({ text: all })]);
    for (const query of none.slice(-few))
      expect([query, figures(await get(`${route}?${query}`))]).toEqual([query, empty]);
  });

  test.each([...ROUTES, `sessions/${SESSION}`])(
    '%s: another org sees nothing of it, by any parameter',
    async (route) => {
      const attempts = [
        '',
        '?org=acme',
        '?org_id=acme',
        '?filters[org_id]=acme',
        '?repo=%27)%20OR%20org_id=%27acme',
        "?text=')%20OR%201=1%20--",
        `?text=${SECRET}`,
        `?author=${SECRET}&org=acme`,
        '?limit=1%20UNION%20ALL%20SELECT%20*%20FROM%20prompt_events',
        '?cursor=eyJvcmdfaWQiOiJhY21lIn0',
        '?from=2020-01-01&to=2299-12-30',
        '?state=live&state=quiet&state=ended',
        '?%7Borg_id:String%7D=acme',
        '?repo={org_id:String}',
      ];
      for (const attempt of route === 'sessions' ? attempts : attempts.slice(0, 6)) {
        const { text, status } = await get(`${route}${attempt}`, 'evil/view');
        const echoed = decodeURIComponent(attempt);
        expect([attempt, echoed.includes(SECRET) ? false : text.includes(SECRET)]).toEqual([attempt, false]);
        expect([200, 400, 404]).toContain(status);
        if (status === 200 && route !== 'overview') expect(text).not.toContain('opus');
      }
      const answer = await ask(route, { 'x-api-key': 'evil/view', 'x-org-id': 'acme', 'x-distinct-id': 'acme' });
      expect(await answer.text()).not.toContain(SECRET);
    },
  );

  test.each([...ROUTES, `sessions/${SESSION}`, `sessions/${SESSION}/friction`])(
    '%s: a key that ingests doesn’t read, none doesn’t either',
    async (route) => {
      expect((await get(route, 'acme/ingest')).status).toBe(403);
      expect((await get(route, 'acme')).status).toBe(401);
      expect((await ask(route, { 'x-api-key': 'acme/view' }, 'POST')).status).toBe(404);
    },
  );

  test.each([
    ['sessions?limit=0', 'limit: expected a number from 1 to 200, found "0"'],
    ['sessions?limit=1e2', 'limit: expected a number from 1 to 200, found "1e2"'],
    ['sessions?limit=1&limit=2', 'expected limit once, found it 2 times'],
    ['sessions?cursor=x', 'cursor: expected the `next` of the page before'],
    ['sessions?cursor=WyIyMDI2LTEzLTQ1IDAwOjAwOjAwLjAwMCIsIiJd', 'cursor: expected the `next` of the page before'],
    ['sessions?order=longest&cursor=x', 'cursor: order=longest has no further pages, so it takes none'],
    ['sessions?nonsense=1', 'unknown parameter "nonsense"'],
    ['sessions?timezone=UTC', 'unknown parameter "timezone"'],
    ['sessions?state=dead', 'state: expected live, quiet, ended, found "dead"'],
    ['sessions?without_model=opus', 'without_model: expected *, found "opus"'],
    ['tools?from=yesterday', 'from: expected a time such as 2026-11-22T12:00:00Z, found "yesterday"'],
    [
      'tools?from=2026-02-31T99:00:00Z',
      'from: expected a time such as 2026-11-22T12:00:00Z, found "2026-02-31T99:00:00Z"',
    ],
    ['tools?from=2026-02-30', 'from: expected a time such as 2026-11-22T12:00:00Z, found "2026-02-30"'],
    ['tools?to=2027-02-29T12:00:00Z', 'to: expected a time such as 2026-11-22T12:00:00Z, found "2027-02-29T12:00:00Z"'],
    ['tools?from=1970-01-01', 'from: expected a time from 2020-01-01 to 2299-12-30, found "1970-01-01"'],
    ['tools?to=2300-01-01', 'to: expected a time from 2020-01-01 to 2299-12-30, found "2300-01-01"'],
    ['tools?from=2026-11-22&to=2026-11-22', 'expected from to be before to'],
    [`tools?repo=${'x'.repeat(1025)}`, '"repo": expected at most 1024 characters, found 1025'],
    [`tools?${'repo=x&'.repeat(51)}`, 'repo: expected at most 50 values, found 51'],
    ['overview?timezone=Mars', 'timezone: expected one such as Europe/Zurich, found "Mars"'],
  ])('%s is 400', async (path, message) => {
    expect(await get(path)).toMatchObject({ status: 400, json: { error: message } });
  });

  test.each(['__proto__', 'constructor', 'not_', 'not_text', 'toString'])(
    'a parameter named %s is unknown',
    async (name) => {
      expect((await get(`tools?${name}=x`)).status).toBe(400);
    },
  );

  test('values that are hostile to SQL, to formats and to regular expressions are values', async () => {
    const values = [
      "'",
      '\\',
      '\0',
      '\n\t',
      '{x:String}',
      '%',
      '\ud83d',
      '💥',
      "']) OR (1",
      '$$',
      '`',
      '"',
      '[(',
      '*+?',
    ];
    for (const value of values) {
      const encoded = encodeURIComponent(value === '\ud83d' ? '\ufffd' : value);
      for (const name of ['repo', 'text', 'not_author']) {
        expect([value, (await get(`sessions?${name}=${encoded}`)).status]).toEqual([value, 200]);
      }
      for (const path of [`sessions/${encoded}`, `sessions/${encoded}/friction`])
        expect([value, (await get(path)).status]).toEqual([value, 404]);
    }
  });

  describe('the rules of friction', () => {
    test('are taken by both engines', async () => {
      await checkFriction(clickHouse.store, defaultFriction);
    });

    const rule = (name: string, pattern: string): { version: string; rules: FrictionRule[] } => ({
      version: '1',
      rules: [...defaultFriction.rules, { name, weight: 2, pattern }],
    });
    test.each([
      ['does not close', '(', /friction rule "does not close": .*[Uu]nterminated group/],
      [
        'looks ahead',
        'no(?! thanks)',
        /friction rule "looks ahead": not a pattern that RE2 takes: invalid perl operator: \(\?!$/,
      ],
      ['looks behind', 'it (said|says), error: (?<=x. Look at https:)', /RE2 takes: invalid perl operator: \(\?<=$/],
      ['matches all', 'x*', /friction rule "matches all": its pattern matches the empty text/],
    ])('one that %s is named at start', async (name, pattern, message) => {
      const checked = checkFriction(clickHouse.store, rule(name, pattern));
      await expect(checked).rejects.toThrow(message);
      await expect(checked).rejects.toBeInstanceOf(BadFriction);
      await expect(checked).rejects.toMatchObject({ message: expect.not.stringContaining('\n') });
    });

    test.each([
      ['it is still broken', 'still in trouble'],
      ['the build is still failing on main', 'still in trouble'],
      ['still doesn’t do what it should', 'still in trouble'],
      ['I am still not sure', null],
      ["that's wrong", 'that is wrong'],
      ['this is not right', 'that is wrong'],
      ['not what I asked for', 'that is wrong'],
      ["it doesn't work", 'does not work'],
      ['the button stopped working', 'does not work'],
      ['a nice piece of work', null],
      ['why did you delete it', 'why did you'],
      ['no, revert that', 'take it back'],
      ['undo', 'take it back'],
      ['it is broken again', 'again'],
      ['run the tests again', null],
      ['for the third time', 'anger'],
      ['what???', 'anger'],
      ['no, use the other one', 'starts with no'],
      ['nope', 'starts with no'],
      ['no thanks', null],
      ['no problem', null],
      ['no need to', null],
      ['no rush', null],
      ['now do it', null],
      ['notify the user', null],
      ['sie läuft nicht, wtfé', null],
    ])('%s: %s', async (text, expected) => {
      const byJavaScript = defaultFriction.rules.filter(
        ({ name }) => matchedWords(defaultFriction, name, text) !== null,
      );
      const byRe2 = await clickHouse.rows(
        `SELECT arrayFilter((name, pattern) -> match({text:String}, concat('(?i)', pattern)), {names:Array(String)}, {patterns:Array(String)}) AS names`,
        {
          text,
          names: defaultFriction.rules.map(({ name }) => name),
          patterns: defaultFriction.rules.map(({ pattern }) => pattern),
        },
      );
      const names = byJavaScript.map(({ name }) => name);
      expect(byRe2).toEqual([{ names }]);
      if (expected === null) expect(names).toEqual([]);
      else expect(names).toContain(expected);
    });

    test.each([
      ['it is (still not working), wtf', 'does not work', 'not working'],
      ['ok, wtf, stop', 'anger', 'wtf'],
      ['what???', 'anger', '???'],
      ['no', 'anger', null],
    ])('%s: %s matches %j', (text, rule, expected) => {
      expect(matchedWords(defaultFriction, rule, text)).toBe(expected);
    });
  });
});
