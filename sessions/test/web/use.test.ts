/** How people use the dashboard: by keyboard, back and forward, on hostile and on large sessions, as time goes by. */
import { type EncodableEvent, encodeMetricsBatch } from 'git-ai-metrics';
import type { Page } from 'playwright-core';
import { upload } from '../support/app.ts';
import { cutOff, describeInBrowser, faultsOf, tooWide, Visit, type VisitOptions } from '../support/browser.ts';
import { ClickHouse } from '../support/clickhouse.ts';
import { DAY, type Dashboard, HOUR, MINUTE, NOW, SECOND, startDashboard } from '../support/dashboard.ts';
import { Script, store } from '../support/scripts.ts';
import { LONGEST, REPOS, team } from '../support/team.ts';

const LISTS = ['/', '/sessions', '/tools', '/skills', '/models', '/agents', '/friction'];

describeInBrowser('the dashboard', (browser) => {
  let clickHouse: ClickHouse;
  let app: Dashboard;
  const others: Dashboard[] = [];
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    await store(clickHouse, 'team', team());
    app = await startDashboard(clickHouse, 'team');
  });
  afterAll(async () => {
    await Promise.all([app, ...others].map((each) => each?.stop()));
    await clickHouse?.stop();
  });
  const serverOf = async (org: string, scripts: readonly Script[], options: { keyless?: boolean } = {}) => {
    await store(clickHouse, org, scripts);
    const server = await startDashboard(clickHouse, org, options);
    others.push(server);
    return server;
  };

  let visit: Visit | undefined;
  const open = async (url: string, options: VisitOptions = {}): Promise<Page> => {
    visit = await Visit.start(browser(), { now: NOW, ...options });
    await visit.page.goto(url);
    return visit.page;
  };
  const visitOf = async (): Promise<Page> => {
    visit = await Visit.start(browser(), { now: NOW });
    return visit.page;
  };
  afterEach(async () => {
    await visit?.close();
    expect(visit?.complaints).toEqual([]);
  });

  const rows = (page: Page) => page.locator('table.sessions tbody tr');
  const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent);
  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();

  describe('by keyboard alone', () => {
    test('skip link, search, rows, help, filters', async () => {
      const page = await open(`${app.url}/sessions`);
      await rows(page).first().waitFor();
      const { keyboard } = page;
      await keyboard.press('Tab');
      expect(await focused(page)).toBe('Skip to the content');
      expect(await page.locator('.skip').boundingBox()).toMatchObject({
        x: expect.any(Number),
        height: expect.any(Number),
      });
      await keyboard.press('Enter');
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');

      await keyboard.press('/');
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('search');
      // In a field, keys are text.
      await keyboard.type('/jk?');
      expect(await page.locator('#search').inputValue()).toBe('/jk?');
      expect(await page.getByRole('dialog').count()).toBe(0);
      await keyboard.press('ControlOrMeta+a');
      await keyboard.type('trailing commas');
      await keyboard.press('Enter');
      await page.waitForURL('**/sessions?text=trailing+commas');
      await rows(page).nth(1).waitFor({ state: 'detached' });
      await rows(page).first().waitFor();
      expect(await rows(page).count()).toBe(1);
      await keyboard.press('ControlOrMeta+a');
      await keyboard.press('Delete');
      await keyboard.press('Enter');
      await rows(page).nth(2).waitFor();
      await page.locator('#main').focus();

      const titles = await page.locator('.session-title').allTextContents();
      await keyboard.press('j');
      expect(await focused(page)).toBe(titles[0]);
      await keyboard.press('j');
      await keyboard.press('j');
      await keyboard.press('k');
      expect(await focused(page)).toBe(titles[1]);

      await keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
      expect(await faultsOf(page)).toEqual([]);
      await keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await focused(page)).toBe(titles[1]);

      await keyboard.press('Enter');
      await heading(page, titles[1] as string);
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1');
    });

    test('a filter is chosen, and its menu closed, without a mouse', async () => {
      const page = await open(`${app.url}/sessions`);
      await rows(page).first().waitFor();
      const { keyboard } = page;
      await page.getByRole('button', { name: 'Repository' }).focus();
      await keyboard.press('Enter');
      await page.getByRole('checkbox', { name: 'example/site' }).waitFor();
      expect(await faultsOf(page)).toEqual([]);
      await keyboard.type('site');
      await page.getByRole('checkbox', { name: 'example/parser' }).waitFor({ state: 'detached' });
      await keyboard.press('Tab');
      await keyboard.press('Space');
      await page.waitForURL((url) => url.searchParams.get('repo') === REPOS.site);
      await keyboard.press('Escape');
      expect(await focused(page)).toMatch(/^Repository/);
      expect(await page.locator('fieldset').count()).toBe(0);
      const chip = page.getByRole('list', { name: 'Filters in force' });
      expect(await chip.textContent()).toContain('example/site');
      // Also at the right edge of the window, a menu is in view.
      await page.setViewportSize({ width: 1024, height: 740 });
      for (const name of ['Model', 'Tool', 'State']) {
        await page.getByRole('button', { name, exact: true }).click();
        await page.getByRole('group', { name }).waitFor();
        expect([name, await tooWide(page)]).toEqual([name, []]);
      }
    });

    test('errors and signs of friction of a session, one after the other', async () => {
      const page = await open(`${app.url}/sessions/${LONGEST}?view=details`);
      await page.locator('.trace li.has-friction').first().waitFor();
      const { keyboard } = page;
      const at = () => page.evaluate(() => document.activeElement?.textContent);
      // The keys work once the page has been painted.
      await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => setTimeout(painted, 200))));
      await keyboard.press('e');
      await page.waitForFunction(() => document.activeElement?.closest('.failed') !== null);
      expect(await at()).toContain('Bash');
      await keyboard.press('f');
      await page.waitForFunction(() => document.activeElement?.closest('.has-friction') !== null);
      expect(await at()).toContain('still failing');
      expect(new URL(page.url()).searchParams.get('at')).not.toBe(null);
    });
  });

  test('each number of a session leads to the events behind it', async () => {
    const page = await open(`${app.url}/sessions/${LONGEST}`);
    const events = page.locator('.trace li');
    const aside = page.getByRole('complementary', { name: 'About this session' });
    const facts = page.locator('.about');
    await page.getByText('No signals.').or(aside.locator('.signal-list li').first()).waitFor();
    /** What a number says, and the events that it leads to. */
    const behind = async (link: ReturnType<Page['locator']>): Promise<[string, string[]]> => {
      const number = (await link.textContent()) as string;
      await link.click();
      await page.locator('.only').waitFor();
      const found = await events.locator('.call-name, .kind-name').allTextContents();
      await page.locator('.only').getByRole('link', { name: 'Show all' }).click();
      await page.locator('.only').waitFor({ state: 'detached' });
      return [number, found];
    };
    const fact = (label: string) => facts.locator('div', { has: page.locator('dt', { hasText: label }) });
    expect(await behind(fact('Turns').getByRole('link'))).toEqual(['3', ['Human', 'Human', 'Human']]);
    expect(await behind(fact('Calls').getByRole('link').first())).toEqual(['3', ['Bash', 'Read', 'Bash']]);
    expect(await behind(fact('Calls').getByRole('link').last())).toEqual(['1 error', ['Bash']]);
    expect(await behind(page.locator('.toolbar').getByRole('link', { name: '1 error' }))).toEqual([
      '1 error',
      ['Bash'],
    ]);
    expect(await behind(page.locator('.toolbar').getByRole('link', { name: /friction/ }))).toEqual([
      '1 with friction',
      ['Human'],
    ]);
    const bash = aside.getByRole('row', { name: /^Bash/ });
    expect(await behind(bash.getByRole('link', { name: '2' }))).toEqual(['2', ['Bash', 'Bash']]);
    expect(await behind(bash.getByRole('link', { name: '50 %' }))).toEqual(['50 %', ['Bash']]);
    const share = aside.locator('.share-list .of-calls').getByRole('link');
    expect((await behind(share))[1]).toEqual(['Bash', 'Read', 'Bash']);

    // What is left out comes back when the reader jumps to it.
    await page.goto(`${app.url}/sessions/${LONGEST}?view=details&only=turns`);
    await events.nth(2).waitFor();
    await page.getByRole('button', { name: 'Next error' }).click();
    await page.waitForFunction(() => document.activeElement?.closest('.failed') != null);
    expect(await page.locator('.only').count()).toBe(0);
  });

  test('a session is there before its signs of friction are', async () => {
    const page = await visitOf();
    let answer = () => {};
    const answered = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/friction', async (route) => {
      await answered;
      await route.continue();
    });
    await page.goto(`${app.url}/sessions/${LONGEST}?at=friction`);
    await page.locator('.chat li').first().waitFor();
    expect(await page.locator('.has-friction').count()).toBe(0);
    answer();
    await page.waitForFunction(() => document.activeElement?.classList.contains('has-friction'));
  });

  test('a repository’s password is on no page', async () => {
    const secret = 'https://ann:hunter2@example.com/team/repo.git';
    const server = await serverOf('secrets', [
      new Script({ id: 'secret', repo: secret }, NOW - HOUR)
        .human('Please rotate the password')
        .call('Bash', { error: true })
        .call('Bash', { error: true })
        .human('wtf, it is still failing'),
    ]);
    const page = await open(server.url);
    const shown = () =>
      page.evaluate(
        () =>
          document.body.textContent +
          [...document.querySelectorAll('[title]')].map((each) => each.getAttribute('title')),
      );
    for (const path of [...LISTS, '/sessions/secret']) {
      await page.goto(`${server.url}${path}?repo=${encodeURIComponent(secret)}`);
      await page.locator('main :is(.cards, table, .empty, .events li)').filter({ visible: true }).first().waitFor();
      expect([path, await shown()]).toEqual([path, expect.not.stringContaining('hunter2')]);
    }
    const repo = page.locator('.about').getByRole('link', { name: 'team/repo' });
    expect(await repo.getAttribute('href')).toBe('https://example.com/team/repo.git');
    await page.goto(`${server.url}/sessions`);
    await page.getByRole('button', { name: 'Repository' }).click();
    await page.getByRole('checkbox', { name: 'team/repo' }).waitFor();
    expect(await shown()).not.toContain('hunter2');
  });

  test('a bar for several days says that it is their average', async () => {
    const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    const page = await open(`${app.url}/?from=${dayOf(NOW - 120 * DAY)}&to=${dayOf(NOW)}`);
    const card = page.locator('.card', { has: page.getByRole('heading', { name: 'Tool calls' }) });
    const top = await card.locator('.top').textContent();
    expect(top).toMatch(/^[\d.,]+ a day$/);
    const titles = await card
      .locator('.plot a')
      .evaluateAll((bars) => bars.map((bar) => bar.getAttribute('title') ?? ''));
    expect(titles.length).toBeLessThanOrEqual(62);
    expect(titles.filter((title) => / – .*: [\d.,]+ a day/.test(title)).length).toBeGreaterThan(30);
    expect(titles.some((title) => title.includes(`: ${top}`))).toBe(true);
    // An average that isn't a whole number isn't shown as one.
    expect(titles.some((title) => /: \d+\.\d a day/.test(title))).toBe(true);
  });

  describe('back and forward', () => {
    test('restore pages, filters, order and view; so does loading again', async () => {
      const page = await open(app.url);
      const { keyboard: _ } = page;
      await page.getByLabel('Time range').selectOption('30d');
      await page.getByRole('link', { name: 'Tools' }).click();
      await heading(page, 'Tools');
      const order = () => page.locator('main table').first().locator('th[aria-sort]').textContent();
      expect(await order()).toContain('Calls');
      // An order is a state of its own, from one to another and back.
      await page.locator('main table').first().getByRole('button', { name: 'Errors' }).click();
      expect(await order()).toContain('Errors');
      await page.getByRole('row', { name: /^Bash/ }).first().getByRole('link').first().click();
      await heading(page, 'Sessions');
      await page.waitForURL('**/sessions?range=30d&tool=Bash');
      await page.getByRole('link', { name: 'Run the whole benchmark' }).click();
      await page.getByRole('link', { name: 'Details' }).click();
      await page.locator('.trace li').first().waitFor();

      await page.goBack();
      await page.locator('.chat').waitFor();
      await page.goBack();
      await heading(page, 'Sessions');
      expect(await page.getByLabel('Time range').inputValue()).toBe('30d');
      expect(await page.getByRole('list', { name: 'Filters in force' }).textContent()).toContain('Bash');
      await page.goBack();
      await heading(page, 'Tools');
      await page.locator('main table').first().waitFor();
      expect(await order()).toContain('Errors');
      await page.goBack();
      await page.waitForURL((url) => !url.searchParams.has('sort'));
      expect(await order()).toContain('Calls');
      await page.goForward();
      await page.waitForURL((url) => url.searchParams.has('sort'));
      expect(await order()).toContain('Errors');
      await page.goBack();
      await page.goBack();
      await heading(page, 'Overview');
      expect(await page.getByLabel('Time range').inputValue()).toBe('30d');
      await page.goBack();
      expect(await page.getByLabel('Time range').inputValue()).toBe('7d');
      for (let n = 0; n < 6; n++) await page.goForward();
      await page.locator('.trace li').first().waitFor();
      const address = page.url();
      await page.reload();
      await page.locator('.trace li').first().waitFor();
      expect(page.url()).toBe(address);
    });

    test('to a long list, with as many rows and at the same place', async () => {
      const many = Array.from({ length: 130 }, (_, n) =>
        new Script({ id: `many${String(n).padStart(12, '0')}` }, NOW - HOUR - n * MINUTE).human(
          `Task number ${n} of many`,
        ),
      );
      const server = await serverOf('many', many);
      const page = await open(`${server.url}/sessions`);
      await rows(page).nth(49).waitFor();
      while ((await rows(page).count()) < 130) {
        await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
        await page.waitForTimeout(50);
      }
      const titles = await page.locator('.session-title').allTextContents();
      expect(titles).toEqual(many.map((_, n) => `Task number ${n} of many`));
      await page.getByText('Task number 90 of many').scrollIntoViewIfNeeded();
      const top = await page.evaluate(() => scrollY);
      expect(top).toBeGreaterThan(1000);
      await page.getByText('Task number 90 of many').click();
      await heading(page, 'Task number 90 of many');
      expect(await page.evaluate(() => scrollY)).toBe(0);
      await page.goBack();
      await rows(page).nth(129).waitFor();
      await page.waitForFunction((before) => Math.abs(scrollY - before) < 3, top);
    });
  });

  describe('hostile content', () => {
    const IMAGE = '<img src=x onerror="globalThis.pwned = 1">';
    const SCRIPT = '"><script>globalThis.pwned = 1</script>';
    const RTL = '\u202eevil \u2066right to left\u05d0\u05d1\u05d2';
    const ZERO_WIDTH = `a\u200b\u200d\u2060\ufeffb`.repeat(40);
    const LONG = 'x'.repeat(10_000);
    const texts = [
      IMAGE,
      SCRIPT,
      RTL,
      ZERO_WIDTH,
      LONG,
      '{{7*7}} <%= 7 %> %3Cb%3E &lt;b&gt;',
      `\0\u0001\ud800${IMAGE}`,
    ];
    const tell = (script: Script, text: string): Script =>
      script
        .human(`${text} is the task at hand`)
        .after(SECOND)
        .agent(`${text} \`${text.slice(0, 50)}\`\n\`\`\`html\n${text}\n\`\`\``)
        .call(text, { error: true })
        .call(`mcp__${text.slice(0, 100)}__x`, { error: true })
        .call(text, { error: true })
        .human(`wtf ${text} is still broken`)
        .skill(text, { path: `/skills/${text}/SKILL.md`, mtime: NOW, hash: text.slice(0, 16) });
    const scripts = () =>
      texts.map((text, n) => {
        const repo = n % 2 === 0 ? `javascript:globalThis.pwned = 1//${text.slice(0, 900)}` : text;
        const about = { id: `hostile${n}`, agent: text.slice(0, 60), model: text, author: text, repo, branch: text };
        return tell(new Script(about, NOW - HOUR - n * MINUTE), text);
      });

    /** What stands on a page that none of our own code puts there. */
    const foreign = (page: Page) =>
      page.evaluate(() => ({
        pwned: 'pwned' in globalThis,
        elements: [
          ...document.querySelectorAll(
            'img, script:not([src^="/assets/"]), iframe, object, embed, style, form[action]',
          ),
        ].map(({ outerHTML }) => outerHTML),
        handlers: [...document.querySelectorAll('*')].flatMap((element) =>
          element.getAttributeNames().filter((name) => name.startsWith('on')),
        ),
        links: [...document.querySelectorAll('a')]
          .filter(({ origin, protocol }) => origin !== location.origin && protocol !== 'https:')
          .map(({ href }) => href),
      }));
    const nothing = { pwned: false, elements: [], handlers: [], links: [] };

    test('is text on every page, and breaks no layout', async () => {
      const server = await serverOf('hostile', scripts());
      const page = await open(server.url);
      for (const path of LISTS) {
        await page.goto(server.url + path);
        await page.locator('main :is(.cards, table)').filter({ visible: true }).first().waitFor();
        await page.locator('main .loading').first().waitFor({ state: 'detached' });
        expect([path, await foreign(page)]).toEqual([path, nothing]);
        for (const width of [1440, 1280, 1024, 360]) {
          await page.setViewportSize({ width, height: 740 });
          expect([path, width, await tooWide(page), await cutOff(page)]).toEqual([path, width, [], []]);
        }
        await page.setViewportSize({ width: 1440, height: 900 });
      }
      await page.goto(`${server.url}/sessions`);
      await rows(page)
        .nth(texts.length - 1)
        .waitFor();
      const titles = await page.locator('.session-title').allTextContents();
      expect(titles[0]).toBe(`${IMAGE} is the task at hand`);
      expect(titles[1]).toBe(`${SCRIPT} is the task at hand`);
      // Each in a direction of its own: it turns nothing around it.
      const isolated = page.locator('.session-title bdi').nth(2);
      expect(await isolated.textContent()).toContain(RTL);
      expect(await isolated.evaluate((element) => getComputedStyle(element).unicodeBidi)).toMatch(/isolate/);
      // However long, a title takes one line.
      const heights = await page
        .locator('.session-title')
        .evaluateAll((all) => all.map(({ clientHeight }) => clientHeight));
      expect(new Set(heights).size).toBe(1);
      expect(await faultsOf(page)).toEqual([]);
    });

    test('is text in a session, as a conversation and as a trace', async () => {
      const all = new Script(
        { id: texts[1] as string, repo: 'javascript:globalThis.pwned = 1', author: IMAGE },
        NOW - HOUR,
      );
      for (const text of texts) tell(all, text);
      const server = await serverOf('hostile too', [all]);
      const address = `${server.url}/sessions/${encodeURIComponent(all.id)}`;
      const page = await open(`${address}?view=chat`);
      for (const view of ['Chat', 'Details']) {
        await page.getByRole('link', { name: view }).click();
        await page.locator('.events li').nth(3).waitFor();
        // A row shows all that it has when it is opened.
        for (const row of view === 'Details' ? await page.locator('.trace li > button').all() : []) await row.click();
        for (const width of [1440, 360]) {
          await page.setViewportSize({ width, height: 900 });
          expect([view, width, await foreign(page), await tooWide(page)]).toEqual([view, width, nothing, []]);
        }
        await page.setViewportSize({ width: 1440, height: 900 });
      }
      const shown = await page.locator('.trace').textContent();
      for (const text of [IMAGE, SCRIPT, RTL, ZERO_WIDTH, LONG]) expect(shown).toContain(text);
      expect(await page.getByText('javascript:globalThis.pwned = 1').count()).toBe(1);
    });

    test('in the address is text as well', async () => {
      const page = await open(
        `${app.url}/sessions?text=${encodeURIComponent(IMAGE)}&repo=javascript:alert(1)&not_agent=%00`,
        {
          expected: /status of 40[04]/,
        },
      );
      await page.getByRole('list', { name: 'Filters in force' }).waitFor();
      expect(await foreign(page)).toEqual(nothing);
      for (const path of [
        `/sessions/${encodeURIComponent(IMAGE)}`,
        '/sessions?from=x&to=y&sort=__proto__',
        '/tools?sort=constructor',
      ]) {
        await page.goto(app.url + path);
        await page.locator('h1').waitFor();
        expect([path, await foreign(page)]).toEqual([path, nothing]);
      }
    });
  });

  /** A session of ten events a turn, with an error in every twentieth one. It ends now, so its page asks for more every 5 s. */
  const longSession = (id: string, turns: number): Script => {
    const long = new Script({ id }, NOW - turns * (2 * MINUTE + 8 * SECOND));
    for (let n = 0; n < turns; n++) {
      long.human(`Step ${n} of the migration, please`).after(SECOND).thinks().agent(`Doing step ${n}. `.repeat(20));
      for (let call = 0; call < 7; call++)
        long.call(['Bash', 'Read', 'Edit'][call % 3] as string, { error: n % 20 === 3 && call === 5 });
      long.after(2 * MINUTE);
    }
    return long;
  };

  test('a session of 2,000 events comes in parts, and what is there stays', async () => {
    const server = await serverOf('long', [longSession('thousands', 200)]);
    for (const view of ['details', 'chat']) {
      const page = await open(`${server.url}/sessions/thousands?view=${view}`, { now: null });
      // How many events each frame that was painted had.
      const growth = await page.evaluate(
        () =>
          new Promise<number[]>((resolve) => {
            const counts: number[] = [];
            const look = () => {
              const count = document.querySelectorAll('[id^="e-"]').length;
              if (count !== counts.at(-1)) counts.push(count);
              if (count < 2000) requestAnimationFrame(look);
              else resolve(counts);
            };
            look();
          }),
      );
      const steps = growth.map((count, n) => count - (growth[n - 1] ?? 0));
      expect(Math.max(...steps)).toBeLessThanOrEqual(400);
      expect(growth.at(-1)).toBe(2000);
      expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(50_000);
      expect(await tooWide(page)).toEqual([]);

      const last = page.locator('#e-1990');
      await last.scrollIntoViewIfNeeded();
      await last.evaluate((element) => {
        (globalThis as Record<string, unknown>).seen = element;
        element.focus();
      });
      await page.waitForResponse('**/api/sessions/thousands?*');
      await page.waitForTimeout(100);
      expect(
        await last.evaluate((element) => ({
          same: element === (globalThis as Record<string, unknown>).seen,
          focused: element === document.activeElement,
          inView: Math.abs(element.getBoundingClientRect().top - innerHeight / 2) < innerHeight / 2,
        })),
      ).toEqual({ same: true, focused: true, inView: true });
      await visit?.close();
    }
  });

  describe('a session of more events than one answer has', () => {
    const toolbar = (page: Page) => page.locator('.toolbar');
    let server: Dashboard;
    beforeAll(async () => {
      server = await serverOf('longer', [longSession('three-thousand', 300), longSession('parts', 1040)]);
    });

    test('is loaded to its end, and every number is of all of it', async () => {
      const page = await open(`${server.url}/sessions/three-thousand?view=details`);
      await page.locator('#e-2999').waitFor({ state: 'attached' });
      await toolbar(page).getByText('3,000 events', { exact: true }).waitFor();
      expect(await page.getByText(/events loaded/).count()).toBe(0);
      // 15 turns with an error: in the head, in the bar, in the list of errors.
      await page.locator('.about').getByText('15 errors').waitFor();
      await toolbar(page).getByText('15 errors', { exact: true }).click();
      await toolbar(page)
        .getByText(/^15 events/)
        .waitFor();
    });

    test('a link to its end leads there', async () => {
      const page = await open(`${server.url}/sessions/three-thousand?view=details&at=last`);
      await page.locator('#e-2999:focus').waitFor();
      expect(await page.locator('#e-2999').evaluate((row) => row.getBoundingClientRect().bottom <= innerHeight)).toBe(
        true,
      );
    });

    test('has parts from 10,000 events on, and a link to any event leads to its part', async () => {
      const page = await open(`${server.url}/sessions/parts?view=details&at=last`);
      await page.locator('#e-10399:focus').waitFor();
      expect(new URL(page.url()).searchParams.get('part')).toBe('2');
      const parts = page.getByRole('navigation', { name: 'Parts of the session' });
      await parts.getByText('of 10,400').waitFor();
      await toolbar(page).getByText('2 of 52 errors', { exact: true }).waitFor();

      await parts.getByRole('link', { name: 'Before' }).click();
      await page.locator('#e-0').waitFor();
      await page.locator('#e-9999').waitFor({ state: 'attached' });
      expect(await page.locator('#e-10000').count()).toBe(0);
      await toolbar(page).getByText('events 1 – 10,000 of 10,400', { exact: true }).waitFor();

      const answer = await fetch(`${server.url}/api/sessions/parts?offset=10200&limit=1`);
      const { events } = (await answer.json()) as { events: { event_id: string }[] };
      await page.goto(`${server.url}/sessions/parts?at=${encodeURIComponent(String(events[0]?.event_id))}`);
      await page.locator('#e-10200:focus').waitFor();
      expect(new URL(page.url()).searchParams.get('part')).toBe('2');
      await page.goto(`${server.url}/sessions/parts?at=nothing`);
      await page.getByText('The event of this link is not in this session.').waitFor();
      // There are two parts.
      await page.goto(`${server.url}/sessions/parts?part=9999`);
      await page.locator('#e-0').waitFor();
      expect(new URL(page.url()).searchParams.has('part')).toBe(false);
    });
  });

  test('a session goes live, quiet and ended, and on again, before one’s eyes', async () => {
    const server = await serverOf('lively', [
      new Script({ id: 'old' }, NOW - DAY).human('Something of yesterday, done'),
    ]);
    const page = await open(server.url);
    await page.getByText('No session was heard of within the last minute.').waitFor();
    const pass = async (ms: number) => {
      server.clock.ms += ms;
      await page.clock.fastForward(ms);
    };
    const send = async (script: Script) => {
      const answer = await upload(server.url, encodeMetricsBatch(script.events as EncodableEvent[]).toString());
      expect(answer).toMatchObject({ status: 200, body: { errors: [] } });
    };
    // The clock of the reaper's silence begins at the server's start.
    const session = new Script({ id: 'new' }, NOW)
      .human('Watch this session come and go')
      .after(SECOND)
      .agent('I am here.');
    server.clock.ms = session.atMs;
    await send(session);
    await pass(10 * SECOND);
    const row = page.getByRole('row', { name: /Watch this session/ });
    await row.waitFor();
    expect(await row.locator('.state').filter({ visible: true }).textContent()).toBe('live');
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Sessions' }).click();
    await row.waitFor();
    await row.getByRole('link').first().focus();

    const state = (text: string) =>
      row
        .locator('.state')
        .filter({ visible: true, hasText: new RegExp(`^${text}$`) })
        .waitFor();
    await state('live');
    await pass(2 * MINUTE);
    await state('quiet');
    await pass(11 * MINUTE);
    // It ends the silent sessions of all orgs.
    expect(await server.reaper.run()).toBeGreaterThan(0);
    await pass(10 * SECOND);
    await state('ended silent for 10 min');
    session.after(server.clock.ms - session.atMs).human('Hello again');
    await send(session);
    await pass(10 * SECOND);
    await state('live');
    session.after(10 * SECOND).end('user_quit');
    await send(session);
    await pass(10 * SECOND);
    await state('ended user quit');
    // None of it took the focus away.
    expect(await focused(page)).toBe('Watch this session come and go');
  });

  test('an org sees only its own', async () => {
    const server = await serverOf('acme', [new Script({ id: 'ofacme' }, NOW - HOUR).human('A secret task of acme')], {
      keyless: false,
    });
    const own = server.keys.add('acme', 'view').key;
    const foreign = server.keys.add('team', 'view').key;
    const ingest = server.keys.add('acme', 'ingest').key;
    const page = await open(`${server.url}/sessions`, { expected: /status of 40[134]/ });
    const signIn = async (key: string) => {
      await page.getByLabel('A key of role view').fill(key);
      await page.getByRole('button', { name: 'Sign in' }).click();
    };
    await heading(page, 'Sign in');
    expect(await faultsOf(page)).toEqual([]);
    await signIn('gas_unknown');
    await page.getByRole('alert').getByText('the key is not known').waitFor();
    // What was wrong with that key is no answer to an empty field.
    await page.getByLabel('A key of role view').fill('');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await signIn(ingest);
    await page.getByRole('alert').getByText('expected a key of role view').waitFor();
    await signIn(own);
    await page.getByText('A secret task of acme').waitFor();
    expect(await rows(page).count()).toBe(1);
    expect(await page.evaluate(() => document.cookie)).toBe('');
    await page.goto(`${server.url}/sessions/${LONGEST}`);
    await heading(page, 'No such session');
    expect(await page.locator('body').textContent()).not.toContain('benchmark');

    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading(page, 'Sign in');
    await signIn(foreign);
    await page.goto(`${server.url}/sessions`);
    await rows(page).nth(3).waitFor();
    expect(await page.locator('body').textContent()).not.toContain('A secret task');
    await page.goto(`${server.url}/sessions/ofacme`);
    await heading(page, 'No such session');
    expect(await page.locator('body').textContent()).not.toContain('A secret task');
  });
});
