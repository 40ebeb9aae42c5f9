/** What people see on each page of the dashboard, in each of its states, in Chromium. */
import type { Page } from 'playwright-core';
import { describeInBrowser, faultsOf, overflowOf, Visit, type VisitOptions } from '../support/browser.ts';
import { ClickHouse } from '../support/clickhouse.ts';
import { type Dashboard, NOW, startDashboard } from '../support/dashboard.ts';
import { store } from '../support/scripts.ts';
import { team } from '../support/team.ts';

const PAGES = [
  { path: '/', title: 'Overview' },
  { path: '/sessions', title: 'Sessions' },
];

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
  }, 60_000);
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

  const shown = (page: Page) => page.locator('main table').first();

  describe.each(PAGES)('$path', ({ path, title }) => {
    test('in both schemes, narrow, enlarged, in forced colours', async () => {
      const page = await open(full.url + path);
      await shown(page).waitFor();
      expect(await page.title()).toBe(`${title} · Sessions`);
      expect(await page.locator('h1').allInnerTexts()).toEqual([title]);
      expect(await page.getByRole('navigation', { name: 'Pages' }).locator('[aria-current=page]').textContent()).toBe(
        title,
      );
      expect(await faultsOf(page)).toEqual([]);
      const lightBackground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).not.toBe(
        lightBackground,
      );
      expect(await faultsOf(page, ['color-contrast'])).toEqual([]);

      await page.emulateMedia({ colorScheme: 'light', forcedColors: 'active' });
      // Links and buttons must be told from text without their colours.
      expect(await faultsOf(page, ['link-in-text-block', 'button-name', 'link-name'])).toEqual([]);
      expect(await page.locator('main .state svg').filter({ visible: true }).first().isVisible()).toBe(true);

      await page.emulateMedia({ forcedColors: 'none', reducedMotion: 'reduce' });
      expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);

      // 1440 pixels at 200 % are 720.
      await page.setViewportSize({ width: 720, height: 450 });
      expect(await overflowOf(page)).toBe(0);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await overflowOf(page)).toBe(0);
      expect(await faultsOf(page)).toEqual([]);
    });

    test('nothing received yet: how to point a client here', async () => {
      const page = await open(empty.url + path);
      await page.getByRole('heading', { name: 'Nothing received yet' }).waitFor();
      expect(await page.locator('main pre').textContent()).toContain(`git-ai config set api_base_url ${empty.url}`);
      expect(await faultsOf(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await faultsOf(page, ['color-contrast'])).toEqual([]);
    });

    test('nothing matches: clear the filters', async () => {
      const page = await open(`${full.url}${path}?agent=nobody&not_branch=main`);
      await page.getByRole('heading', { name: /^No .* matches$/ }).waitFor();
      expect(await faultsOf(page)).toEqual([]);
      await page.getByRole('link', { name: 'Clear the filters' }).click();
      await shown(page).waitFor();
      expect(page.url()).toBe(full.url + path);
    });

    test('loading, then an error with its request, then the data after another try', async () => {
      full.queries('waiting');
      const page = await open(full.url + path, { expected: FAILED });
      await page.getByText('Loading …').first().waitFor();
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(title);

      full.queries('failing');
      const alert = page.getByRole('alert').last();
      await alert.waitFor();
      expect(await alert.textContent()).toMatch(/couldn’t be loaded.*the store does not answer.*Request [0-9a-f-]{36}/);
      expect(await faultsOf(page)).toEqual([]);

      full.queries('answered');
      for (const button of await page.getByRole('button', { name: 'Try again' }).all()) await button.click();
      await alert.waitFor({ state: 'detached' });
      await shown(page).waitFor();
    });

    test('old data dims while other data loads, and stays, marked, while there is none', async () => {
      const page = await open(full.url + path, { expected: FAILED });
      await shown(page).waitFor();
      full.queries('waiting');
      await page.getByLabel('Time range').selectOption('30d');
      await page.locator('main .dim[aria-busy=true]').first().waitFor();
      full.queries('answered');
      await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });
      await shown(page).waitFor();

      await page.context().setOffline(true);
      await page.clock.runFor(15_000);
      await page.getByText('Server out of reach').waitFor();
      await page.getByRole('alert').first().waitFor();
      expect(await shown(page).isVisible()).toBe(true);
      expect(await faultsOf(page, ['color-contrast'])).toEqual([]);
      await page.context().setOffline(false);
      await page.clock.runFor(60_000);
      await page.getByText(/^Newest arrival/).waitFor();
      await page.getByRole('alert').first().waitFor({ state: 'detached' });
    });
  });
});
