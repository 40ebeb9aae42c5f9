/** A Chromium for tests of the dashboard, driven by playwright-core. */
import { readFileSync } from 'node:fs';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findChromium } from '../../../scripts/chromium.cjs';
import { hasChdb } from './clickhouse.ts';

const executablePath = findChromium();

const missing = hasChdb
  ? executablePath === undefined && 'Chromium was not found: install it, or name one in CHROMIUM'
  : 'chDB has no build for this platform';

/**
 * `describe` for what needs a browser and ClickHouse. Where one is missing the tests are skipped, unless
 * REQUIRE_CHROMIUM says that it must be there.
 */
export function describeInBrowser(name: string, tests: (browser: () => Browser) => void): void {
  let browser: Browser;
  const own = () => {
    beforeAll(async () => {
      if (missing) throw new Error(missing);
      browser = await launch();
    });
    afterAll(() => browser?.close());
    tests(() => browser);
  };
  if (!missing || process.env.REQUIRE_CHROMIUM) describe(name, own);
  else describe.skip(`${name} (left out: ${missing})`, own);
}

export const launch = (): Promise<Browser> =>
  chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    args: [
      // Root has no sandbox, nor have many containers.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

/** A zone with an offset, so that a time in UTC is noticed. */
export const ZONE = 'Europe/Zurich';

export interface VisitOptions extends BrowserContextOptions {
  /** What the page's clock says at first. It goes on from there. Null: the time. */
  now?: number | null;
  /** Complaints that the test provokes. */
  expected?: RegExp;
}

/** A fresh profile with one page, and all that Chromium complains about on it. */
export class Visit {
  /** Errors on the console, uncaught ones, and violations of the content security policy. */
  readonly complaints: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
    private readonly expected: RegExp | undefined,
  ) {}

  static async start(browser: Browser, { now, expected, ...options }: VisitOptions = {}): Promise<Visit> {
    const context = await browser.newContext({
      locale: 'en-GB',
      timezoneId: ZONE,
      viewport: { width: 1440, height: 900 },
      // Without a graphics card, a dot that pulses keeps a core busy.
      reducedMotion: 'reduce',
      ...options,
    });
    context.setDefaultTimeout(60_000);
    await context.addInitScript(() =>
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
        console.error(`content security policy: ${violatedDirective} ${blockedURI} ${sample}`),
      ),
    );
    const page = await context.newPage();
    if (now != null) await page.clock.install({ time: now });
    const visit = new Visit(page, context, expected);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) visit.complain(message.text());
    });
    page.on('pageerror', (error) => visit.complain(String(error)));
    return visit;
  }

  private complain(text: string): void {
    if (this.expected?.test(text) !== true) this.complaints.push(text);
  }

  close(): Promise<void> {
    return this.context.close();
  }
}

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResults {
  passes: unknown[];
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe has against a page, one line for each kind of fault. `rules`: only these. */
export async function faultsOf(page: Page, rules?: readonly string[]): Promise<string[]> {
  await page.evaluate(axe);
  const { passes, violations } = await page.evaluate(
    (only) => (globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } }).axe.run(only),
    { resultTypes: ['violations'], ...(rules !== undefined && { runOnly: { type: 'rule', values: rules } }) },
  );
  if (passes.length === 0) throw new Error('axe found nothing to check');
  return violations.map(({ id, nodes }) =>
    [id, ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`.replaceAll(/\s+/g, ' '))].join('\n'),
  );
}

/** Tables that are wider than their frames, so that readers would have to scroll them sideways. */
export const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('.table-frame')]
      .filter((frame) => frame.checkVisibility() && frame.scrollWidth > frame.clientWidth)
      .map((frame) => `${frame.getAttribute('aria-label')}: ${frame.scrollWidth} of ${frame.clientWidth}`),
  );

/** What makes a page wider than its window, for which readers would have to scroll sideways. */
export const tooWide = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll('body *')].filter(
      (element) => element.getBoundingClientRect().right > width && element.closest('.table-frame') === null,
    );
    return [
      `${document.documentElement.scrollWidth} of ${width}`,
      ...wide.map(({ outerHTML }) => outerHTML.slice(0, 200)),
    ];
  });
