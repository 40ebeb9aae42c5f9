/** What people see on each page of the dashboard, in each of its states, in Chromium. */
import type { Page } from 'playwright-core';
import { describeInBrowser, faultsOf, tooWide, Visit, type VisitOptions } from '../support/browser.ts';
import { ClickHouse } from '../support/clickhouse.ts';
import { DAY, type Dashboard, MINUTE, NOW, startDashboard } from '../support/dashboard.ts';
import { Script, store } from '../support/scripts.ts';
import { LONGEST, team } from '../support/team.ts';

/** The pages with the filter bar. */
const LISTS = [
  { path: '/', title: 'Overview' },
  { path: '/sessions', title: 'Sessions' },
  { path: '/tools', title: 'Tools' },
  { path: '/skills', title: 'Skills' },
  { path: '/models', title: 'Models' },
  { path: '/agents', title: 'Agents' },
  { path: '/friction', title: 'Friction' },
];
const SESSION = { path: `/sessions/${LONGEST}`, title: 'Run the whole benchmark and explain the slow case' };
const PAGES = [...LISTS, SESSION];

/** The rules of axe whose outcome depends on colours and sizes. */
const LOOKS = ['color-contrast', 'target-size', 'scrollable-region-focusable', 'link-in-text-block'];

/** Chromium's own words for an answer of the server that is no success, and for none. */
const FAILED =
  /Failed to load resource: (the server responded with a status of (503|404)|net::ERR_INTERNET_DISCONNECTED)/;

describeInBrowser('the pages', (browser) => {
  let clickHouse: ClickHouse;
  let full: Dashboard;
  let empty: Dashboard;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    await store(clickHouse, 'team', team());
    full = await startDashboard(clickHouse, 'team');
    empty = await startDashboard(clickHouse, 'nobody');
  });
  afterAll(async () => {
    await Promise.all([full?.stop(), empty?.stop()]);
    await clickHouse?.stop();
  });

  let visit: Visit;
  const open = async (url: string, options: VisitOptions = {}): Promise<Page> => {
    visit = await Visit.start(browser(), { now: NOW, ...options });
    await visit.page.goto(url);
    return visit.page;
  };
  afterEach(async () => {
    full.queries('answered');
    const { complaints } = visit;
    await visit.close();
    expect(complaints).toEqual([]);
  });

  const shown = (page: Page) => page.locator('main :is(table, .events li)').first();
  /** Goes to a page as people do, without loading the document again. */
  const follow = (page: Page, title: string) =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click();
  const heading = (page: Page) => page.locator('h1').textContent();

  test('long names and a duration of 285,000 years fit on a session’s page', async () => {
    const name = 'a-name-without-an-end_'.repeat(20);
    const extreme = new Script({ id: 'extreme000000001', repo: `https://github.com/example/${name}` }, NOW - MINUTE)
      .human(name)
      .call(`mcp__${name}__${name}`, { ms: 7_000, reportedMs: Number.MAX_SAFE_INTEGER })
      .agent(name);
    await store(clickHouse, 'extreme', [extreme]);
    const dashboard = await startDashboard(clickHouse, 'extreme');
    try {
      const page = await open(`${dashboard.url}/sessions/extreme000000001`);
      await shown(page).waitFor();
      for (const width of [1440, 1280, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        expect([width, await tooWide(page)]).toEqual([width, []]);
      }
      const longest = page.locator('.longest button').first();
      const [line, box] = [page.locator('.longest li').first(), await longest.boundingBox()];
      expect(await longest.textContent()).toBe('7 s');
      expect(box?.height).toBeLessThan(
        (await line.evaluate((li) => Number.parseFloat(getComputedStyle(li).lineHeight))) * 1.5,
      );
    } finally {
      await dashboard.stop();
    }
  });

  test.each(PAGES)('$path in both schemes, narrow, enlarged, in forced colours', async ({ path, title }) => {
    const page = await open(full.url + path, { reducedMotion: 'reduce' });
    await shown(page).waitFor();
    // What still loads appears only after a while, which is an animation too.
    await page.waitForFunction(() => document.querySelector('.loading') === null);
    expect([await page.title(), await heading(page)]).toEqual([`${title} · Sessions`, title]);
    expect(await faultsOf(page)).toEqual([]);
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    // 1440 pixels at 200 % are 720.
    await page.setViewportSize({ width: 720, height: 450 });
    expect(await tooWide(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await tooWide(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await background()).not.toBe(light);
    expect(await faultsOf(page, LOOKS)).toEqual([]);
    await page.emulateMedia({ forcedColors: 'active' });
    // A state is a shape and a word there, since its colour is gone.
    for (const state of await page.locator('main .state').filter({ visible: true }).all()) {
      expect([await state.locator('svg').isVisible(), await state.textContent()]).toEqual([
        true,
        expect.stringMatching(/live|quiet|ended/),
      ]);
    }
  });

  test('nothing received yet: every page says how to point a client here', async () => {
    const page = await open(empty.url);
    for (const { title } of LISTS) {
      await follow(page, title);
      await page.getByRole('heading', { name: 'Nothing received yet' }).waitFor();
      expect(await page.locator('main pre').textContent()).toContain(`git-ai config set api_base_url ${empty.url}`);
      expect(await heading(page)).toBe(title);
    }
    expect(await faultsOf(page)).toEqual([]);
  });

  test('nothing matches: every page offers to clear the filters', async () => {
    const filters = '?agent=nobody&not_branch=main';
    const page = await open(full.url + filters);
    for (const { path, title } of LISTS) {
      await follow(page, title);
      await page.getByRole('heading', { name: /^No .* matches$/ }).waitFor();
      expect(page.url()).toBe(full.url + path + filters);
      if (path === '/') expect(await faultsOf(page)).toEqual([]);
      await page.getByRole('link', { name: 'Clear the filters' }).click();
      await shown(page).waitFor();
      expect(page.url()).toBe(full.url + path);
      await page.goBack();
    }
  });

  test('every page loads, says what failed and in which request, and tries again', async () => {
    full.queries('waiting');
    const page = await open(full.url, { expected: FAILED });
    for (const { path, title } of PAGES) {
      if (title === SESSION.title) await page.goto(full.url + path);
      else await follow(page, title);
      await page.getByText('Loading …').first().waitFor();
      expect(await page.locator('h1').count()).toBe(1);

      full.queries('failing');
      const alert = page.getByRole('alert').last();
      await alert.waitFor();
      expect(await alert.textContent()).toMatch(
        /couldn’t be loaded\. The store does not answer\. Request [0-9a-f-]{36}/,
      );
      if (path === '/') expect(await faultsOf(page)).toEqual([]);

      full.queries('answered');
      for (const button of await page.getByRole('button', { name: 'Try again' }).all()) await button.click();
      await alert.waitFor({ state: 'detached' });
      await shown(page).waitFor();
      full.queries('waiting');
    }
  });

  test('old data dims while other data loads, and stays, marked, while there is none', async () => {
    const page = await open(full.url, { expected: FAILED });
    for (const [n, { title }] of LISTS.entries()) {
      await follow(page, title);
      await shown(page).waitFor();
      await page.locator('main .loading').first().waitFor({ state: 'detached' });
      full.queries('waiting');
      await page.getByLabel('Time range').selectOption(n % 2 === 0 ? '30d' : '90d');
      await page.locator('main .dim[aria-busy=true]').first().waitFor();
      full.queries('answered');
      await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });

      await page.context().setOffline(true);
      await page.clock.fastForward(MINUTE);
      await page.getByText('Server out of reach').waitFor();
      await page.getByRole('alert').first().waitFor();
      expect(await shown(page).isVisible()).toBe(true);
      if (n === 0) expect(await faultsOf(page)).toEqual([]);
      await page.context().setOffline(false);
      await page.clock.fastForward(MINUTE);
      await page.getByText(/^Newest arrival/).waitFor();
      await page.getByRole('alert').first().waitFor({ state: 'detached' });
    }
  });

  test('data that stopped coming is marked on every page', async () => {
    // It would end the sessions that are silent by then, and what it writes is an arrival.
    full.reaper.stop();
    full.clock.ms = NOW + 2 * DAY;
    const page = await open(full.url, { now: NOW + 2 * DAY });
    for (const { title } of LISTS) {
      await follow(page, title);
      await page.locator('.freshness.stale').getByText('Nothing new since 2 d ago').waitFor();
    }
    // What fades in has less contrast until it is there.
    await page.locator('main .loading').waitFor({ state: 'detached' });
    expect(await faultsOf(page, LOOKS)).toEqual([]);
    full.clock.ms = NOW;
  });

  test('an address that names no page, and an id that names no session', async () => {
    const page = await open(`${full.url}/nowhere`, { expected: FAILED });
    expect(await heading(page)).toBe('No such page');
    expect(await faultsOf(page)).toEqual([]);
    await page.goto(`${full.url}/sessions/none`);
    await page.getByRole('heading', { level: 1, name: 'No such session' }).waitFor();
    await page.getByRole('link', { name: 'To the sessions' }).click();
    await shown(page).waitFor();
  });
});
