/** Questions that the dashboard is for, each answered by clicking alone, from the first page on. */
import type { Locator, Page } from 'playwright-core';
import { describeInBrowser, Visit } from '../support/browser.ts';
import { ClickHouse } from '../support/clickhouse.ts';
import { type Dashboard, NOW, startDashboard } from '../support/dashboard.ts';
import { store } from '../support/scripts.ts';
import { team } from '../support/team.ts';

describeInBrowser('by clicking alone', (browser) => {
  let clickHouse: ClickHouse;
  let app: Dashboard;
  let visit: Visit;
  let page: Page;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    await store(clickHouse, 'team', team());
    app = await startDashboard(clickHouse, 'team');
  });
  afterAll(async () => {
    await app?.stop();
    await clickHouse?.stop();
  });
  beforeEach(async () => {
    visit = await Visit.start(browser(), { now: NOW });
    page = visit.page;
    await page.goto(app.url);
  });
  afterEach(async () => {
    await visit.close();
    expect(visit.complaints).toEqual([]);
  });

  const follow = (title: string) =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click();
  const table = (name: RegExp | string): Locator => page.getByRole('table', { name });
  /** The texts of a table's rows, by its visible cells. */
  const rowsOf = async (within: Locator): Promise<string[]> => {
    const rows = within.locator('tbody tr');
    await rows.first().waitFor();
    return (await rows.allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' ').trim());
  };
  const titles = (within: Locator) => within.locator('.session-title').allTextContents();

  test('which sessions run now?', async () => {
    const running = table('Sessions that run now');
    await running.waitFor();
    expect(await titles(running)).toEqual(['Make the parser accept trailing commas']);
    expect((await rowsOf(running))[0]).toMatch(/live .*Ann .*example\/parser/);
  });

  test('why did yesterday’s longest session take so long?', async () => {
    await page.getByText('The days as a table').click();
    await table('By day').getByRole('link', { name: 'Tue 24 Nov' }).click();
    const list = table(/^Sessions/);
    await list.getByRole('columnheader', { name: 'Duration' }).getByRole('button').click();
    await page.waitForURL((url) => url.searchParams.size > 2);
    await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });
    expect((await titles(list))[0]).toBe('Run the whole benchmark and explain the slow case');
    await list.locator('.session-title').first().click();
    const about = page.getByRole('complementary', { name: 'About this session' });
    await about.waitFor();
    const shares = await about.locator('.share-list').textContent();
    expect(shares).toMatch(/Calls2 h 8 min/);
    // The call that took most of it, and a click that leads there.
    const longest = about.locator('.longest li').first();
    expect(await longest.textContent()).toBe('2 h 5 min Bash');
    await longest.getByRole('button').click();
    await page.waitForFunction(() => document.activeElement?.classList.contains('revealed'));
    expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/Bash.*2 h 5 min.*failed/);
  });

  test('which tool fails most in one repository?', async () => {
    await follow('Tools');
    await page.getByRole('button', { name: 'Repository' }).click();
    await page.getByRole('checkbox', { name: 'example/site' }).click();
    await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });
    const tools = table(/^Tools\./);
    await tools.getByRole('button', { name: 'Errors' }).click();
    const rows = await rowsOf(tools);
    expect(rows[0]).toMatch(/^mcp__browser__click 5 3 60 % /);
    expect(rows.join('\n')).not.toContain('Bash');
    // And which sessions they were.
    await tools.locator('tbody tr').first().getByRole('link', { name: '3', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
    await page.locator('table.sessions tbody tr').nth(2).waitFor();
    expect(await titles(table(/^Sessions/))).toEqual(
      [0, 1, 2].map((n) => `Center the headline on page ${n} of the site`),
    );
  });

  test('in which sessions does nobody know how a call ended?', async () => {
    const note = page.locator('.card', { hasText: 'Tool calls' }).locator('.note');
    await page.locator('.card').first().waitFor();
    expect(await note.textContent()).toBe('2 of unknown outcome');
    await note.getByRole('link').click();
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
    expect(await page.getByRole('list', { name: 'Filters in force' }).textContent()).toContain('Outcome unknown');
    await page.locator('table.sessions tbody tr').nth(1).waitFor();
    const found = ['Make the parser accept trailing commas', 'Look into the flaky upload test'];
    expect(await titles(table(/^Sessions/))).toEqual(found);
    // Of one tool alone, they are the same ones.
    await follow('Tools');
    const bash = table(/^Tools\./).getByRole('row', { name: /^Bash/ });
    await bash.getByRole('link', { name: '2', exact: true }).first().click();
    await page.locator('table.sessions tbody tr').nth(1).waitFor();
    expect(await titles(table(/^Sessions/))).toEqual(found);
  });

  test('which skill changed last week, and who uses it?', async () => {
    await follow('Skills');
    const skills = table(/^Skills/);
    await skills.getByRole('button', { name: 'Last edited' }).click();
    const first = async () => (await rowsOf(skills))[0];
    // Dates that are read from the newest.
    if (!(await first())?.startsWith('review')) await skills.getByRole('button', { name: 'Last edited' }).click();
    expect(await first()).toMatch(/^review .* 3 d ago$/);
    const users = skills.locator('tbody tr').first().locator('td').nth(2);
    expect(await users.textContent()).toBe('2');
    await users.getByRole('link').click();
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
    const rows = await rowsOf(table(/^Sessions/));
    expect(rows).toHaveLength(3);
    expect(rows.map((row) => /Ann|Ben/.exec(row)?.[0])).toEqual(['Ann', 'Ben', 'Ann']);
  });

  test('where do people swear?', async () => {
    await follow('Friction');
    const anger = table(/^Rules/).getByRole('row', { name: /^anger/ });
    expect(await anger.textContent()).toMatch(/angerstrong2/);
    await anger.getByRole('link').first().click();
    await page.getByRole('heading', { name: /^2 sessions with friction/ }).waitFor();
    const found = await page.locator('.friction-list > li').allTextContents();
    expect(found).toHaveLength(2);
    for (const text of found)
      expect(text).toMatch(/Center the headline.*example\/site1 signal, weight \d in all.*anger: “wtf”.*after Write/);
  });
});
