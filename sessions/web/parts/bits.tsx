/** Small pieces that all pages share. */
import type { ComponentChildren, JSX } from 'preact';
import { withoutCredentials } from '../../src/api/addresses.ts';
import type { Session, State } from '../../src/api/answers.ts';
import type { Failure } from '../api.ts';
import {
  ago,
  authorName,
  count,
  dayAndTime,
  duration,
  exact,
  httpsUrl,
  percent,
  REASONS,
  repoName,
  sentence,
} from '../format.ts';

/** What nobody reported. Never 0, and never an empty cell. */
export function Unknown({ why = 'not reported' }: { why?: string }): JSX.Element {
  return (
    <span class="unknown" title={why}>
      <span aria-hidden="true">–</span>
      <span class="hidden">{why}</span>
    </span>
  );
}

/** A row of what nobody named. */
export const UnknownName = ({ why }: { why: string }): JSX.Element => (
  <span class="unknown" title={why}>
    unknown
  </span>
);

interface NumberProps {
  of: number | null | undefined;
  /** The sessions behind it. */
  href?: string | undefined;
  as?: (number: number) => string;
  why?: string | undefined;
  /** What the number is, for the link's name. */
  label?: string;
}

/** A number that links to the sessions behind it. */
export function Figure({ of, href, as = count, why, label }: NumberProps): JSX.Element {
  if (of === null || of === undefined) return <Unknown {...(why !== undefined && { why })} />;
  if (href === undefined || of === 0) return <span class={of === 0 ? 'zero' : undefined}>{as(of)}</span>;
  return (
    <a href={href} class="figure" title={label}>
      {as(of)}
    </a>
  );
}

interface DurationProps {
  ms: number | null;
  href?: string | undefined;
  why?: string | undefined;
}

export function Duration({ ms, href, why }: DurationProps): JSX.Element {
  if (ms === null) return <Unknown {...(why !== undefined && { why })} />;
  const exactly = `${count(ms)} ms`;
  if (href === undefined) return <span title={exactly}>{duration(ms)}</span>;
  return (
    <a href={href} class="figure" title={exactly}>
      {duration(ms)}
    </a>
  );
}

interface RateProps {
  of: number | null;
  href?: string | undefined;
  why?: string | undefined;
}

export const Rate = ({ of, href, why = 'no outcome is known' }: RateProps): JSX.Element => (
  <Figure of={of} href={href} as={percent} why={why} />
);

/** A time, relative, with the exact one and its zone in the title. */
export function When({ at, absolute = false }: { at: string | null; absolute?: boolean }): JSX.Element {
  if (at === null) return <Unknown />;
  const ms = Date.parse(at);
  return (
    <time dateTime={at} title={exact(ms)}>
      {absolute ? dayAndTime(ms) : ago(ms)}
    </time>
  );
}

/** A text of unknown origin: one line that can't turn the direction of what stands around it. */
export function Name({ of, title, class: className }: { of: string; title?: string; class?: string }): JSX.Element {
  return (
    <bdi class={`name ${className ?? ''}`} title={title ?? of.slice(0, 1000)}>
      {of.slice(0, 300)}
    </bdi>
  );
}

export const Repo = ({ url }: { url: string | null }): JSX.Element =>
  url === null || url === '' ? <Unknown /> : <Name of={repoName(url)} title={withoutCredentials(url)} />;

export function RepoLink({ url }: { url: string }): JSX.Element {
  const shown = withoutCredentials(url);
  const href = httpsUrl(shown);
  if (href === null) return <Name of={repoName(url)} title={shown} />;
  return (
    <a href={href} rel="noreferrer noopener" target="_blank">
      <Name of={repoName(url)} title={href} />
    </a>
  );
}

export const Author = ({ of }: { of: string | null }): JSX.Element =>
  of === null || of === '' ? <Unknown /> : <Name of={authorName(of)} title={of} />;

const STATE_TITLES: Record<State, string> = {
  live: 'Heard of within the last minute',
  quiet: 'Nothing heard for over a minute; not known to have ended',
  ended: 'Ended',
};

/** The state as an icon, a word and a colour. */
export function StateBadge({ state, reason }: Pick<Session, 'state' | 'reason'>): JSX.Element {
  const why = state === 'ended' && reason !== null ? (REASONS[reason] ?? reason) : null;
  return (
    <span class={`state ${state}`} title={STATE_TITLES[state]}>
      <StateIcon state={state} />
      <span>
        {state}
        {why !== null && <span class="reason"> {why}</span>}
      </span>
    </span>
  );
}

export const StateIcon = ({ state }: { state: State }): JSX.Element => (
  <svg class="icon" viewBox="0 0 12 12" aria-hidden="true">
    {state === 'live' && <circle cx="6" cy="6" r="4.5" fill="currentColor" />}
    {state === 'quiet' && (
      <>
        <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.4" />
        <path d="M6 2v8a4 4 0 0 1 0-8z" fill="currentColor" />
      </>
    )}
    {state === 'ended' && (
      <rect x="2.5" y="2.5" width="7" height="7" rx="1" fill="none" stroke="currentColor" stroke-width="1.5" />
    )}
  </svg>
);

/** Why there is nothing to see, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

interface ProblemProps {
  what?: string;
  failure: Failure;
  retry: () => void;
}

/** What failed, and a way to try again. */
export function Problem({ what = 'This couldn’t be loaded.', failure, retry }: ProblemProps): JSX.Element {
  return (
    <div class="problem" role="alert">
      <strong>{what}</strong> {sentence(failure.message)}
      {failure.requestId !== null && (
        <>
          {' '}
          Request <code>{failure.requestId}</code>
        </>
      )}{' '}
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

export const Loading = (): JSX.Element => <p class="loading">Loading …</p>;
