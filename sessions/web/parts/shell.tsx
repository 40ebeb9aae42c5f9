/** What stands around every page: the bar with pages and freshness, the filters, sign-in, help. */
import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Status } from '../../src/api/answers.ts';
import { ask, askLater, type Failure, signOut as forget, SIGNED_OUT, useAnswer } from '../api.ts';
import { ago, exact, now } from '../format.ts';
import { arrival, go, here, place, to } from '../place.ts';
import { Problem } from './bits.tsx';
import { FilterBar } from './filter-bar.tsx';
import { status } from './nothing.tsx';

export const PAGES = [
  { path: '/', label: 'Overview' },
  { path: '/sessions', label: 'Sessions' },
  { path: '/tools', label: 'Tools' },
  { path: '/skills', label: 'Skills' },
  { path: '/models', label: 'Models' },
  { path: '/agents', label: 'Agents' },
  { path: '/friction', label: 'Friction' },
];

const helpIsOpen = signal(false);
const signOutFailure = signal<Failure | null>(null);

interface Props {
  title: string;
  /** Above the title. */
  before?: ComponentChildren;
  filters?: boolean;
  children: ComponentChildren;
}

/** A page: its title is the one h1, which gets the focus when the reader comes from another page. */
export function Page({ title, before, filters = true, children }: Props): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  const { path } = place.value;
  useEffect(() => {
    document.title = `${title} · Sessions`;
  }, [title]);
  // When the page changes, and only then.
  useEffect(() => {
    if (arrival.value.moved) heading.current?.focus({ preventScroll: true });
  }, [path]);
  return (
    <>
      {filters && <FilterBar />}
      <main id="main" tabIndex={-1}>
        <header class="page-header">
          {before}
          <h1 ref={heading} tabIndex={-1}>
            <bdi>{title}</bdi>
          </h1>
        </header>
        {children}
      </main>
    </>
  );
}

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  const { path, query } = place.value;
  const org = query.get('org');
  const answer = useAnswer(`status ${org}`, (signal) => askLater<Status>('/api/status', { signal }), 10_000);
  status.value = answer.data;
  // While the samples are shown, the reader waits for the first session of their own.
  const own = useAnswer(
    `own status ${org === 'demo'}`,
    (signal) =>
      org === 'demo'
        ? ask<Status>('/api/status', { signal, headers: { 'x-sessions-org': '' } })
        : Promise.resolve(null),
    10_000,
  );
  const ownHaveArrived = org === 'demo' && own.data != null && own.data.newest_arrival !== null;
  const nothingYet = answer.data?.newest_arrival === null && answer.data.demo;
  useEffect(() => {
    if (nothingYet && org === null) go(here({ org: 'demo' }), { replace: true });
  }, [nothingYet, org]);
  const pages = useRef<HTMLElement>(null);
  // On a phone not all of them fit: the current one is in view.
  useEffect(() => {
    const current = pages.current?.querySelector<HTMLElement>('[aria-current]');
    if (pages.current === null || current == null) return;
    const end = current.offsetLeft + current.offsetWidth - pages.current.offsetLeft;
    pages.current.scrollLeft = Math.max(0, end - pages.current.clientWidth);
  }, [path]);
  useEffect(() => {
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={to('/')}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M8 21v-4M13 24V11M18 20V8M23 22v-8" />
          </svg>
          Sessions
        </a>
        <nav aria-label="Pages" ref={pages}>
          {PAGES.map((page) => (
            <a
              key={page.path}
              href={to(page.path)}
              aria-current={
                path === page.path ? 'page' : page.path !== '/' && path.startsWith(`${page.path}/`) ? 'true' : undefined
              }
            >
              {page.label}
            </a>
          ))}
        </nav>
        <div class="bar-end">
          <Freshness failed={answer.failure !== undefined && answer.failure.status === 0} />
          {answer.data !== undefined && answer.data.key_id !== null && (
            <button type="button" class="quiet" onClick={signOut}>
              Sign out<span class="hidden"> of {answer.data.org}</span>
            </button>
          )}
          <button type="button" class="quiet" title="Keyboard shortcuts" onClick={() => (helpIsOpen.value = true)}>
            <span aria-hidden="true">?</span>
            <span class="hidden">Keyboard shortcuts</span>
          </button>
        </div>
      </header>
      {org === 'demo' && (
        <p class="banner">
          These are the sample sessions that come with the server.{' '}
          {ownHaveArrived && <strong>Your own have arrived. </strong>}
          <a href={`${path.startsWith('/sessions/') ? '/' : path}?org=local`}>Show my own</a>
        </p>
      )}
      {signOutFailure.value !== null && (
        <Problem what="You are not signed out." failure={signOutFailure.value} retry={signOut} />
      )}
      {children}
      {helpIsOpen.value && <Help />}
    </>
  );
}

/** After so long without an arrival, the figures may be of a pipeline that broke. */
const STALE_MS = 86_400_000;

/** When the newest event arrived, or that the server is out of reach. */
function Freshness({ failed }: { failed: boolean }): JSX.Element | null {
  const at = status.value?.newest_arrival;
  if (failed) return <span class="freshness failed">Server out of reach</span>;
  if (at === undefined || at === null) return null;
  const ms = Date.parse(at);
  const stale = now.value - ms > STALE_MS;
  return (
    <span
      class={stale ? 'freshness stale' : 'freshness'}
      title={`The newest event arrived ${exact(ms)}. This page updates itself.`}
    >
      {stale ? 'Nothing new since' : 'Newest arrival'} {ago(ms)}
    </span>
  );
}

async function signOut(): Promise<void> {
  try {
    await ask('/sign-out', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    signOutFailure.value = null;
    forget(SIGNED_OUT);
  } catch (error) {
    // The key is still in its cookie, and the page must not claim otherwise.
    signOutFailure.value = error as Failure;
  }
}

// ---- keyboard -------------------------------------------------------------------------------------------------------

const KEYS = [
  ['/', 'Search in messages'],
  ['j  k', 'Next and previous row'],
  ['Enter', 'Open the row'],
  ['e  E', 'Next and previous error of a session'],
  ['f  F', 'Next and previous sign of friction of a session'],
  ['?', 'This help'],
  ['Esc', 'Close a menu or this help'],
];

function onKey(event: KeyboardEvent): void {
  const target = event.target as Element;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (target.closest('input, select, textarea, dialog, [contenteditable]')) return;
  if (event.key === '/') {
    const search = document.getElementById('search');
    if (search === null) return;
    event.preventDefault();
    search.focus();
  } else if (event.key === '?') helpIsOpen.value = true;
  else if (event.key === 'j' || event.key === 'k') walk(event.key === 'j' ? 1 : -1);
}

/** Moves the focus along the rows of a list, whose links are marked. Enter then follows the link. */
function walk(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const next = rows[at === -1 ? 0 : Math.max(0, Math.min(rows.length - 1, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

function Help(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => (helpIsOpen.value = false)}>
      <h2 id="help-title">Keyboard shortcuts</h2>
      <dl>
        {KEYS.map(([key = '', what]) => (
          <div key={key}>
            <dt>
              {key.split(/\s+/).map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
