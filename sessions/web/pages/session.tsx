/** One session: to read like a conversation, or like a trace. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Session, SessionFriction, Signal } from '../../src/api/answers.ts';
import { ask, keptAnswer, type Loaded, useAnswer } from '../api.ts';
import { count, dayAndTime, plural } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Author, Duration, Empty, Name, RepoLink, StateBadge, Unknown, When } from '../parts/bits.tsx';
import { titleOf } from '../parts/session-table.tsx';
import { Page } from '../parts/shell.tsx';
import { go, here, place, sessionsOf } from '../place.ts';
import { frictionIn, PART, partAt, startIn } from '../questions.ts';
import { Aside } from '../session/aside.tsx';
import { Chat } from '../session/chat.tsx';
import { CopyButton } from '../session/copy.tsx';
import { countOf, extentOf, isLoaded, loadPart, type Part, rangeOf } from '../session/events.ts';
import { ALL_EVENTS, Behind, isAmong, OnlyWords, onlyIn } from '../session/only.tsx';
import { questionOf, Search } from '../session/search.tsx';
import { type Step, type Timeline, timelineOf } from '../session/steps.ts';
import { TimeBar } from '../session/time-bar.tsx';
import { Trace } from '../session/trace.tsx';

const EVERY_MS = { live: 5_000, quiet: 10_000, ended: 60_000 };

export function SessionPage({ id }: { id: string }): JSX.Element {
  const { query } = place.value;
  const start = startIn(query);
  const question = questionOf(id, start, query.get('org'));
  const known = keptAnswer<Part>(question);
  const answer = useAnswer<Part>(
    question,
    (signal, show) => loadPart(id, start, keptAnswer<Part>(question), signal, show),
    EVERY_MS[known?.session.state ?? 'live'],
  );
  const { data, failure } = answer;
  if (failure?.status === 404 || failure?.status === 400) {
    return (
      <Page title="No such session" filters={false}>
        <Empty title="There is no session with this id">
          <p>It may belong to another org, or nothing of it has arrived.</p>
          <p>
            <a class="button" href={sessionsOf()}>
              To the sessions
            </a>
          </p>
        </Empty>
      </Page>
    );
  }
  return (
    <Page title={data === undefined ? 'Session' : titleOf(data.session)} filters={false} before={<Back />}>
      <Answer of={answer}>{(part) => <Details key={part.start} part={part} />}</Answer>
    </Page>
  );
}

const Back = (): JSX.Element => (
  <a class="back" href={sessionsOf()}>
    <span aria-hidden="true">←</span> Sessions
  </a>
);

type View = 'chat' | 'details';

function Details({ part }: { part: Part }): JSX.Element {
  const { query } = place.value;
  const view: View = query.get('view') === 'details' ? 'details' : 'chat';
  const friction = useFriction(part.session);
  const signals = friction.data?.signals ?? NO_SIGNALS;
  const before = useRef<Timeline | undefined>(undefined);
  const timeline = useMemo(() => timelineOf(part, signals, before.current), [part, signals]);
  before.current = timeline;
  const only = onlyIn(query);
  const steps = useMemo(
    () => (only === null ? timeline.steps : timeline.steps.filter((step) => isAmong(step, only))),
    [timeline, only?.what, only?.name],
  );
  const asked = query.get('at');
  const at = atOf(timeline, part, asked);
  const revealed = useRef<string | null>(null);
  const jump = (step: Step) => {
    const only = onlyIn(place.value.query);
    // A step that is left out comes into view with all the others.
    go(here({ at: step.key, ...(only !== null && !isAmong(step, only) && ALL_EVENTS) }), { replace: true });
    revealed.current = step.key;
    reveal(step.index);
  };
  useKeys(timeline, at, jump);
  // Once for each address: what arrives later must not move the reader.
  useEffect(() => {
    if (asked === null || at === null || revealed.current === asked) return;
    revealed.current = asked;
    reveal(at.index);
  }, [asked, at]);
  const isBeyondTheEnd = part.start > 0 && part.events.length === 0;
  useEffect(() => {
    if (isBeyondTheEnd) go(toPart(0), { replace: true });
  }, [isBeyondTheEnd]);
  const extent = extentOf(part);
  const bar = useMemo(() => <TimeBar {...{ timeline, extent, jump }} />, [timeline, extent]);
  const list = { key: `${only?.what} ${only?.name}`, steps, at };
  return (
    <>
      <About session={part.session} />
      {bar}
      <div class="session-columns">
        <section class="events" aria-label="Events">
          <div class="toolbar">
            <nav aria-label="View">
              {(['chat', 'details'] as const).map((name) => (
                <a
                  key={name}
                  href={here({ view: name === 'chat' ? null : name })}
                  aria-current={view === name ? 'true' : undefined}
                >
                  {name === 'chat' ? 'Chat' : 'Details'}
                </a>
              ))}
            </nav>
            <Jumps what="error" steps={timeline.errors} of={part.session.errors} {...{ at, jump }} />
            <Jumps
              what="signal"
              steps={timeline.frictions}
              of={new Set(signals.map(({ event_id }) => event_id)).size}
              {...{ at, jump }}
            />
            <span class={only === null ? 'note' : 'only'} role="status">
              {only === null ? (
                (extent ?? plural(steps.length, 'event'))
              ) : (
                <>
                  {plural(steps.length, 'event')}: <OnlyWords only={only} />
                  {extent !== null && <> among {extent}</>} <a href={here(ALL_EVENTS)}>Show all</a>
                </>
              )}
            </span>
          </div>
          <Parts part={part} />
          {asked !== null && at === null && (
            <Search key={asked} part={part} at={asked} friction={friction.data} org={query.get('org')} />
          )}
          {view === 'chat' ? <Chat {...list} /> : <Trace {...list} jump={jump} />}
          <NextPart part={part} />
        </section>
        <Aside details={part} extent={extent} friction={friction} timeline={timeline} jump={jump} />
      </div>
    </>
  );
}

/** The address of another part, from its top. */
const toPart = (start: number): string => here({ part: partAt(start), at: null });

/** Where the reader is in a session of several parts. */
function Parts({ part }: { part: Part }): JSX.Element | null {
  const { start } = part;
  const all = countOf(part);
  if (all <= PART) return null;
  const starts = Array.from({ length: Math.ceil(all / PART) }, (_, n) => n * PART);
  return (
    <nav class="parts" aria-label="Parts of the session">
      {start > 0 && <a href={toPart(start - PART)}>← Before</a>}
      <label>
        Events{' '}
        <select value={start} onChange={({ currentTarget }) => go(toPart(Number(currentTarget.value)))}>
          {starts.map((each) => (
            <option key={each} value={each}>
              {rangeOf(each, all)}
            </option>
          ))}
        </select>{' '}
        of {count(all)}
      </label>
      {start + PART < all && <a href={toPart(start + PART)}>After →</a>}
    </nav>
  );
}

function NextPart({ part }: { part: Part }): JSX.Element | null {
  const next = part.start + PART;
  const all = countOf(part);
  if (!isLoaded(part) || next >= all) return null;
  return (
    <p class="more">
      <a class="button" href={toPart(next)}>
        Events {rangeOf(next, all)}
      </a>
    </p>
  );
}

const NO_SIGNALS: readonly Signal[] = [];

/** Signs of friction take longer to find than the events, so they come when they come; and again when there is news. */
function useFriction({ prompt_id: id, turns, errors, state }: Session): Loaded<SessionFriction> {
  return useAnswer(
    `friction of ${id} ${turns} ${errors} ${state} ${place.value.query.get('org')}`,
    (signal) => ask<SessionFriction>(frictionIn(id), { signal }),
    10 * 60_000,
  );
}

/** The step that an address asks for, if it is here. */
function atOf({ steps, errors, frictions }: Timeline, part: Part, at: string | null): Step | null {
  if (at === null) return null;
  if (at === 'error') return errors[0] ?? null;
  if (at === 'friction') return frictions[0] ?? null;
  if (at === 'last') return part.next_offset === null ? (steps.at(-1) ?? null) : null;
  return steps.find(({ key, event }) => key === at || event.event_id === at) ?? null;
}

/** Brings an event into view and gives it the focus. */
function reveal(index: number): void {
  const attempt = (left: number) => {
    const element = document.getElementById(`e-${index}`);
    if (element === null) {
      if (left > 0) requestAnimationFrame(() => attempt(left - 1));
      return;
    }
    // A call may be in a closed list.
    element.closest('details:not([open])')?.setAttribute('open', '');
    element.scrollIntoView({ block: 'center' });
    element.focus({ preventScroll: true });
    for (const marked of document.querySelectorAll('.revealed')) marked.classList.remove('revealed');
    element.classList.add('revealed');
    // What was out of view had an estimated height until now.
    if (left > 0) requestAnimationFrame(() => element.scrollIntoView({ block: 'center' }));
  };
  requestAnimationFrame(() => attempt(10));
}

interface JumpsProps {
  what: 'error' | 'signal';
  /** Those that are loaded. */
  steps: readonly Step[];
  /** How many the session has. */
  of: number;
  at: Step | null;
  jump: (step: Step) => void;
}

/** The one after the current event, or before it; at the end, the first again. */
function neighbour(steps: readonly Step[], at: Step | null, forward: boolean): Step | undefined {
  const index = at?.index ?? (forward ? -1 : Number.POSITIVE_INFINITY);
  return forward
    ? (steps.find((step) => step.index > index) ?? steps[0])
    : (steps.findLast((step) => step.index < index) ?? steps.at(-1));
}

function Jumps({ what, steps, of, at, jump }: JumpsProps): JSX.Element {
  const step = (forward: boolean) => {
    const found = neighbour(steps, at, forward);
    if (found !== undefined) jump(found);
  };
  const key = what === 'error' ? 'e' : 'f';
  const words = (number: number) => {
    const counted = number < of ? `${count(number)} of ` : '';
    return what === 'error'
      ? `${counted}${plural(Math.max(number, of), 'error')}`
      : `${counted}${count(Math.max(number, of))} with friction`;
  };
  return (
    <span class={`jumps to-${what}`}>
      <button
        type="button"
        disabled={steps.length === 0}
        title={`Previous ${what} (${key.toUpperCase()})`}
        onClick={() => step(false)}
      >
        <span aria-hidden="true">‹</span>
        <span class="hidden">Previous {what}</span>
      </button>
      <Behind number={steps.length} only={what === 'error' ? 'errors' : 'signals'} as={words} />
      <button type="button" disabled={steps.length === 0} title={`Next ${what} (${key})`} onClick={() => step(true)}>
        <span aria-hidden="true">›</span>
        <span class="hidden">Next {what}</span>
      </button>
    </span>
  );
}

function useKeys(timeline: Timeline, at: Step | null, jump: (step: Step) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if ((event.target as Element).closest('input, select, textarea, dialog')) return;
      const steps = { e: timeline.errors, f: timeline.frictions }[event.key.toLowerCase()];
      const found = steps && neighbour(steps, at, event.key === event.key.toLowerCase());
      if (found !== undefined) jump(found);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
}

function About({ session }: { session: Session }): JSX.Element {
  const { prompt_id: id, external_prompt_id: external, agent, models, author, repo, branch, state, reason } = session;
  return (
    <dl class="about">
      <Fact label="State">
        <StateBadge state={state} reason={reason} />
      </Fact>
      <Fact label="Started">
        <time dateTime={session.start} title={session.start}>
          {dayAndTime(Date.parse(session.start))}
        </time>
        <span class="second">
          <When at={session.start} />
        </span>
      </Fact>
      <Fact label="Duration">
        <Duration ms={session.duration_ms} />
        <span class="second">
          <Duration ms={session.active_ms} /> active
        </span>
      </Fact>
      <Fact label="Agent">
        {agent === null ? <Unknown /> : <Name of={agent} />}
        <span class="second">
          {models.length === 0 ? <Unknown why="no model reported" /> : <Name of={models.join(', ')} />}
        </span>
      </Fact>
      <Fact label="Author">
        <Author of={author} />
      </Fact>
      <Fact label="Repository">
        {repo === null ? <Unknown /> : <RepoLink url={repo} />}
        <span class="second">{branch === null ? <Unknown why="no branch reported" /> : <Name of={branch} />}</span>
      </Fact>
      <Fact label="Turns">
        <Behind number={session.turns} only="turns" />
      </Fact>
      <Fact label="Calls">
        <Behind number={session.tool_calls} only="calls" />
        <span class={session.errors > 0 ? 'second bad' : 'second'}>
          <Behind number={session.errors} only="errors" as={(number) => plural(number, 'error')} />
        </span>
      </Fact>
      <Fact label="Id">
        <code>{id.slice(0, 64)}</code> <CopyButton text={id} what="the session’s id" />
        {external !== null && (
          <span class="second">
            <code>{external.slice(0, 64)}</code> <CopyButton text={external} what="the agent’s own id of it" />
          </span>
        )}
      </Fact>
    </dl>
  );
}

const Fact = ({ label, children }: { label: string; children: ComponentChildren }): JSX.Element => (
  <div>
    <dt>{label}</dt>
    <dd>{children}</dd>
  </div>
);
