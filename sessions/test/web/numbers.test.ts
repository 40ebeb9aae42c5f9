/**
 * The numbers on the pages, over random events with re-emits, against a computation of their own; and that each leads to
 * the sessions behind it.
 */
import type { Locator, Page } from 'playwright-core';
import { describeInBrowser, Visit } from '../support/browser.ts';
import { ClickHouse } from '../support/clickhouse.ts';
import { type Dashboard, NOW, startDashboard } from '../support/dashboard.ts';
import {
  attributed,
  dayOf,
  deliveriesOf,
  figuresOf,
  groupBy,
  isCall,
  percentile,
  type SessionFigures,
  serverOf,
  sessionsOf,
  storeDeliveries,
} from '../support/figures.ts';

const SESSIONS = 40;

/** What a table shows: the text of each cell, or the exact value that its title holds, by the heading of its column. */
async function tableOf(table: Locator): Promise<Record<string, string>[]> {
  await table.locator('tbody tr').first().waitFor({ state: 'attached' });
  return table.evaluate((element) => {
    const textOf = (cell: Element) => {
      const exact = cell.querySelector('[title$=" ms"]')?.getAttribute('title');
      const time = cell.querySelector('time')?.dateTime;
      return exact?.replaceAll(',', '') ?? time ?? cell.textContent.trim();
    };
    const names = [...element.querySelectorAll('thead th')].map((cell) => cell.textContent.replace(/[↓↑]/, '').trim());
    return [...element.querySelectorAll('tbody tr')].map((row) =>
      Object.fromEntries([...row.children].map((cell, n) => [names[n], textOf(cell)])),
    );
  });
}

const ms = (value: number | null): string => (value === null ? expect.stringMatching(/^–/) : `${value} ms`);
const count = (value: number): string => value.toLocaleString('en');

function percent(part: number, whole: number): string {
  if (whole === 0) return expect.stringMatching(/^–/);
  const value = (part / whole) * 100;
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} %`;
}

const by = (name: string) => (a: Record<string, string>, b: Record<string, string>) =>
  String(a[name]) < String(b[name]) ? -1 : 1;
const distinct = <T>(items: readonly T[]): number => new Set(items).size;

/** Of each table, the links of the first rows and of the last one, where what has no name stands. */
const LINKS = 'main :is(.card, tr:nth-child(-n + 3), tr:last-child) a.figure, main .states a';

const SEED = 1;

describeInBrowser('the numbers of random sessions', (browser) => {
  const delivered = deliveriesOf(SEED, SESSIONS);
  const sessions = sessionsOf(delivered);
  const events = sessions.flatMap((session) => session.events.map((event) => ({ ...event, of: session })));
  const calls = events.filter(isCall);
  let clickHouse: ClickHouse;
  let app: Dashboard;
  let visit: Visit;
  let page: Page;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    await storeDeliveries(clickHouse, 'random', delivered);
    app = await startDashboard(clickHouse, 'random');
    visit = await Visit.start(browser(), { now: NOW });
    page = visit.page;
  });
  afterAll(async () => {
    await visit?.close();
    await app?.stop();
    await clickHouse?.stop();
    expect(visit?.complaints).toEqual([]);
  });

  const open = async (path: string) => {
    await page.goto(`${app.url}${path}${path.includes('?') ? '&' : '?'}range=all`);
    await page.locator('main table').first().waitFor({ state: 'attached' });
    await page.locator('main .loading').first().waitFor({ state: 'detached' });
  };
  const table = (caption: RegExp) => page.locator('table', { has: page.locator('caption', { hasText: caption }) });

  test('overview: totals, states and days', async () => {
    await open('/');
    const totals = figuresOf(sessions);
    const cards = await page
      .locator('.card')
      .evaluateAll((all) =>
        Object.fromEntries(
          all.map((card) => [card.querySelector('h3')?.textContent, card.querySelector('.value')?.textContent]),
        ),
      );
    expect(cards).toMatchObject({
      Sessions: count(totals.sessions),
      Turns: count(totals.turns),
      'Tool calls': count(totals.calls),
      'Error rate': percent(totals.errors, totals.calls - totals.unknown),
    });
    const states = await page.locator('.card .states').textContent();
    const inState = (state: string) => sessions.filter((session) => session.state === state).length;
    for (const state of ['live', 'quiet', 'ended']) expect(states).toContain(`${inState(state)} ${state}`);

    const shown = await tableOf(table(/^By day/));
    const days = [...new Set(events.map((event) => dayOf(event.ms)))].sort().reverse();
    expect(shown.map(({ Day: _, ...row }) => row)).toEqual(
      days.map((day) => {
        const { sessions: count, activeMs, turns, calls, errors, unknown } = figuresOf(sessions, day);
        return {
          Sessions: `${count}`,
          Active: `${activeMs} ms`,
          Turns: `${turns}`,
          'Tool calls': `${calls}`,
          Errors: `${errors}`,
          'Error rate': percent(errors, calls - unknown),
        };
      }),
    );
    expect(shown.reduce((sum, { Active }) => sum + Number.parseInt(Active as string, 10), 0)).toBe(totals.activeMs);
  });

  test('sessions: each with its state, times, turns, calls and errors, newest first', async () => {
    await open('/sessions');
    const shown = await tableOf(table(/^Sessions, newest first/));
    const newest = [...sessions].sort((a, b) => (b.events[0]?.ms ?? 0) - (a.events[0]?.ms ?? 0));
    const ids = await page
      .locator('a.session-title')
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).pathname));
    expect(ids).toEqual(newest.map(({ id }) => `/sessions/${id}`));
    expect(shown).toMatchObject(
      newest.map((session) => {
        const { turns, calls, errors } = figuresOf([session]);
        const [first = 0, last = 0] = [session.events[0]?.ms, session.events.at(-1)?.ms];
        return {
          State: expect.stringMatching(`^${session.state}`),
          Start: new Date(first).toISOString(),
          Duration: `${last - first} ms`,
          Turns: `${turns}`,
          Calls: `${calls}`,
          Errors: `${errors}`,
        };
      }),
    );
  });

  const callFigures = (own: typeof calls) => ({
    Calls: count(own.length),
    Errors: count(own.filter(({ error }) => error === true).length),
    'Error rate': percent(
      own.filter(({ error }) => error === true).length,
      own.filter(({ error }) => error !== null).length,
    ),
    Unknown: count(own.filter(({ error }) => error === null).length),
    Sessions: count(distinct(own.map(({ session }) => session))),
    'Observed p50': ms(
      percentile(
        own.map(({ observed }) => observed),
        50,
      ),
    ),
    'Observed p95': ms(
      percentile(
        own.map(({ observed }) => observed),
        95,
      ),
    ),
    'Reported p50': ms(
      percentile(
        own.map(({ reported }) => reported),
        50,
      ),
    ),
    'Reported p95': ms(
      percentile(
        own.map(({ reported }) => reported),
        95,
      ),
    ),
  });
  const toolRows = (of: typeof calls) =>
    [...groupBy(of, ({ tool }) => tool)]
      .map(([tool, own]): Record<string, string> => ({ Tool: tool ?? 'unknown', ...callFigures(own) }))
      .sort(by('Tool'));

  test('tools, MCP servers and recurring failures', async () => {
    await open('/tools');
    expect((await tableOf(table(/^Tools\. /))).sort(by('Tool'))).toEqual(toolRows(calls));
    const servers = groupBy(
      calls.filter((call) => serverOf(call) !== undefined),
      (call) => serverOf(call) as string,
    );
    expect((await tableOf(table(/^MCP servers/))).sort(by('Server'))).toEqual(
      [...servers]
        .map(
          ([server, own]): Record<string, string> => ({
            Server: server,
            Tools: `${distinct(own.map(({ tool }) => tool))}`,
            ...callFigures(own),
          }),
        )
        .sort(by('Server')),
    );
    const failing = [...groupBy(calls, ({ tool, repo }) => `${tool} ${repo}`).values()].flatMap((own) => {
      const failed = own.filter(({ error }) => error === true);
      if (failed.length < 2) return [];
      return [
        {
          Errors: `${failed.length}`,
          'Error rate': percent(failed.length, own.filter(({ error }) => error !== null).length),
          Sessions: `${distinct(failed.map(({ session }) => session))}`,
          First: new Date(Math.min(...failed.map(({ ms }) => ms))).toISOString(),
          Last: new Date(Math.max(...failed.map(({ ms }) => ms))).toISOString(),
        },
      ];
    });
    const failures = (await tableOf(table(/^Tools that failed at least twice/))).map(
      ({ Tool: _, Repository: __, ...row }) => row,
    );
    expect(failures.sort(by('First'))).toEqual(failing.sort(by('First')));
  });

  test('tools of one repository', async () => {
    const repo = 'https://github.com/example/one';
    await open(`/tools?repo=${encodeURIComponent(repo)}`);
    expect((await tableOf(table(/^Tools\. /))).sort(by('Tool'))).toEqual(
      toolRows(calls.filter(({ of }) => of.repo === repo)),
    );
  });

  test('skills', async () => {
    await open('/skills');
    const uses = groupBy(
      events.filter(({ kind }) => kind === 'SkillInvocation'),
      ({ path }) => path,
    );
    const shown = (await tableOf(table(/^Skills/))).map(({ Skill, ...row }) => ({
      Skill: /Unresolved|review|deploy/.exec(Skill as string)?.[0] as string,
      ...row,
    }));
    expect(shown.sort(by('Skill'))).toEqual(
      [...uses]
        .map(([path, own]): Record<string, string> => {
          const edited = Math.max(...own.map(({ mtime }) => mtime ?? 0));
          return {
            Skill: path === null ? 'Unresolved' : (path.split('/')[2] as string),
            Uses: `${own.length}`,
            Sessions: `${distinct(own.map(({ session }) => session))}`,
            Users: `${distinct(own.flatMap(({ author }) => author ?? []))}`,
            Versions:
              path === null ? expect.stringMatching(/^–/) : `${distinct(own.flatMap(({ hash }) => hash ?? []))}`,
            'First seen': new Date(Math.min(...own.map(({ ms }) => ms))).toISOString(),
            'Last edited': edited === 0 ? expect.stringMatching(/^–/) : new Date(edited).toISOString(),
          };
        })
        .sort(by('Skill')),
    );
  });

  test('models, unknown as a row', async () => {
    await open('/models');
    const used = groupBy(sessions.flatMap(attributed), ({ model }) => model);
    expect((await tableOf(table(/^Models/))).sort(by('Model'))).toEqual(
      [...used]
        .map(([model, own]): Record<string, string> => {
          const calls = own.filter(({ event }) => isCall(event));
          return {
            Model: model ?? 'unknown',
            Turns: `${own.filter(({ event }) => event.kind === 'HumanMessage').length}`,
            'Tool calls': `${calls.length}`,
            Errors: `${calls.filter(({ event }) => event.error === true).length}`,
            Sessions: `${distinct(own.map(({ event }) => event.session))}`,
          };
        })
        .sort(by('Model')),
    );
  });

  test('agents: what each did, and what it can’t report', async () => {
    await open('/agents');
    const rows = [...groupBy(sessions, ({ agent }) => agent)].map(([agent, of]): Record<string, string> => {
      const own = calls.filter((call) => call.of.agent === agent);
      return {
        Agent: agent ?? 'unknown',
        Turns: `${figuresOf(of).turns}`,
        ...callFigures(own),
        Sessions: `${of.length}`,
      };
    });
    const shown = await tableOf(table(/^Agents/));
    expect(shown.sort(by('Agent'))).toMatchObject(rows.sort(by('Agent')));
    const can = Object.fromEntries((await tableOf(table(/no way to report/))).map((row) => [row.Agent, row.Reported]));
    expect(can).toEqual({
      'an agent of tomorrow': 'unknown',
      claude: 'some tools, hooks',
      gemini: '–can’t be reported',
    });
  });

  test('friction: by rule, by tool before, by repository', async () => {
    await open('/friction');
    const rough = sessions.filter(({ signals }) => signals.reduce((sum, { weight }) => sum + weight, 0) >= 2);
    const signals = rough.flatMap((of) => of.signals.map((signal) => ({ ...signal, of })));
    const figures = (own: typeof signals) => ({
      Signals: `${own.length}`,
      Sessions: `${distinct(own.map(({ of }) => of.id))}`,
    });
    const rules = groupBy(signals, ({ rule }) => rule);
    for (const row of await tableOf(table(/^Rules/))) {
      expect([row.Rule, row]).toMatchObject([row.Rule, figures(rules.get(row.Rule as string) ?? [])]);
      rules.delete(row.Rule as string);
    }
    expect([...rules.keys()]).toEqual([]);
    const weight = (own: typeof signals) => `${own.reduce((sum, { weight }) => sum + weight, 0)}`;
    expect((await tableOf(table(/^The tool/))).sort(by('Tool before'))).toEqual(
      [...groupBy(signals, ({ toolBefore }) => toolBefore)]
        .map(
          ([tool, own]): Record<string, string> => ({
            'Tool before': tool ?? 'no tool',
            ...figures(own),
            Weight: weight(own),
          }),
        )
        .sort(by('Tool before')),
    );
    expect((await tableOf(table(/^Repositories/))).sort(by('Weight'))).toEqual(
      [...groupBy(signals, ({ of }) => of.repo)]
        .map(([repo, own]): Record<string, string> => {
          const all = sessions.filter((session) => session.repo === repo).length;
          const rate = percent(distinct(own.map(({ of }) => of.id)), all);
          return {
            Repository: repo?.replace('https://github.com/', '') ?? '–not reported',
            ...figures(own),
            'Of its sessions': all < 5 ? expect.stringMatching(/^–/) : `${rate} of ${all}`,
            Weight: weight(own),
          };
        })
        .sort(by('Weight')),
    );
    expect(await page.locator('.friction-list > li').count()).toBe(rough.length);
  });

  test('each number is a link', async () => {
    for (const path of ['/', '/tools', '/skills', '/models', '/agents', '/friction']) {
      await open(path);
      const found = await page.locator('main :is(.card .value, td.number)').evaluateAll(
        (all, hasNameless) =>
          all
            // A row of a session leads to it as a whole. No filter finds calls whose tool has no name.
            .filter((of) => {
              const isNameless = hasNameless && of.closest('tr')?.cells[0]?.querySelector('.unknown') != null;
              return of.closest('table.sessions') === null && !isNameless;
            })
            .map((of) => ({ text: of.textContent, isLink: of.querySelector('a') !== null })),
        path === '/tools',
      );
      expect(found.length).toBeGreaterThan(3);
      expect([path, found.filter(({ text, isLink }) => /[1-9]/.test(text) && !isLink)]).toEqual([path, []]);
    }
  });

  test('each number leads to the sessions behind it', async () => {
    /** How many sessions each address stands for, where the page says so. */
    const targets = new Map<string, number | undefined>();
    for (const path of ['/', '/tools', '/skills', '/models', '/agents']) {
      await open(path);
      const links = await page.locator(LINKS).evaluateAll((all) =>
        all.map((link) => {
          const cell = link.closest('td');
          const heading = cell?.closest('table')?.querySelectorAll('thead th')[cell.cellIndex]?.textContent;
          const counts = heading === 'Sessions' || link.closest('.states') !== null;
          return {
            href: link.getAttribute('href') as string,
            ...(counts && { sessions: Number.parseInt(link.textContent, 10) }),
          };
        }),
      );
      expect(links.length).toBeGreaterThan(3);
      for (const { href, sessions } of links) {
        // One session's errors are on its own page.
        if (!href.startsWith('/sessions/')) targets.set(href, sessions ?? targets.get(href));
      }
    }
    for (const [href, count] of targets) {
      await page.evaluate((address) => {
        const link = document.createElement('a');
        link.href = address;
        document.body.append(link);
        link.click();
        link.remove();
      }, href);
      await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
      await page.locator('main .answer[aria-busy=false] table').waitFor();
      const shown = await page
        .locator('a.session-title')
        .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).pathname.replace('/sessions/', '')));
      expect([href, shown.sort()]).toEqual([href, behind(new URL(href, app.url).searchParams).sort()]);
      if (count !== undefined) expect([href, shown.length]).toEqual([href, count]);
    }
  });

  /** The ids of the sessions that an address stands for. */
  function behind(query: URLSearchParams): string[] {
    const has: Record<string, (session: SessionFigures, value: string) => boolean> = {
      range: () => true,
      state: ({ state }, value) => state === value,
      repo: ({ repo }, value) => (repo ?? '') === value,
      agent: ({ agent }, value) => (agent ?? '') === value,
      model: ({ models }, value) => (value === '' ? models.size === 0 : models.has(value)),
      tool: ({ events }, value) => events.some(({ tool }) => tool === value),
      failed: ({ events }, value) =>
        events.some(
          (event) => isCall(event) && event.error === true && (value === '*' || (event.tool ?? '') === value),
        ),
      unknown: ({ events }, value) =>
        events.some(
          (event) => isCall(event) && event.error === null && (value === '*' || (event.tool ?? '') === value),
        ),
      mcp_server: ({ events }, value) => events.some((event) => serverOf(event) === value),
      without_model: (session) => attributed(session).some(({ model }) => model === null),
      skill: ({ events }, value) =>
        events.some(({ kind, path }) => kind === 'SkillInvocation' && (path ?? '') === value),
      from: ({ events }, value) => events.some((event) => dayOf(event.ms) === value),
      to: () => true,
    };
    return sessions
      .filter((session) => [...query].every(([name, value]) => (has[name] as (typeof has)[string])(session, value)))
      .map(({ id }) => id);
  }
});
