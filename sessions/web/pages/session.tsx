/** One session: to read like a conversation, or like a trace. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Session, SessionDetails, SessionFriction, Signal } from '../../src/api/answers.ts';
import { ask, Failure, keptAnswer, type Loaded, useAnswer } from '../api.ts';
import { count, dayAndTime, plural } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Author, Duration, Empty, Name, Problem, RepoLink, StateBadge, Unknown, When } from '../parts/bits.tsx';
import { titleOf } from '../parts/session-table.tsx';
import { Page } from '../parts/shell.tsx';
import { go, here, place, sessionsOf } from '../place.ts';
import { EVENTS, frictionIn, sessionOf } from '../questions.ts';
import { Aside } from '../session/aside.tsx';
import { Chat } from '../session/chat.tsx';
import { CopyButton } from '../session/copy.tsx';
import { ALL_EVENTS, Behind, isAmong, OnlyWords, onlyIn } from '../session/only.tsx';
import { type Step, type Timeline, timelineOf } from '../session/steps.ts';
import { TimeBar } from '../session/time-bar.tsx';
import { Trace } from '../session/trace.tsx';

const EVERY_MS = { live: 5_000, quiet: 10_000, ended: 60_000 };

export function SessionPage({ id }: { id: string }): JSX.Element {
  const question = `session ${id} ${place.value.query.get('org')}`;
  const known = keptAnswer<SessionDetails>(question);
  const answer = useAnswer<SessionDetails>(
    question,
    async (signal) => {
      const before = keptAnswer<SessionDetails>(question);
      const limit = Math.min(10_000, Math.max(EVENTS, before?.events.length ?? 0));
      const details = await ask<SessionDetails>(sessionOf(id, limit), { signal });
      // The same answer is the same object, so nothing is drawn again.
      return before !== undefined && JSON.stringify(before) === JSON.stringify(details) ? before : details;
    },
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
      <Answer of={answer}>
        {(details) => (
          <Details
            details={details}
            more={async () => {
              const rest = await ask<SessionDetails>(sessionOf(id, EVENTS, details.next_offset ?? 0));
              answer.extend({ ...details, events: [...details.events, ...rest.events], next_offset: rest.next_offset });
            }}
          />
        )}
      </Answer>
    </Page>
  );
}

const Back = (): JSX.Element => (
  <a class="back" href={sessionsOf()}>
    <span aria-hidden="true">←</span> Sessions
  </a>
);

type View = 'chat' | 'details';

function Details({ details, more }: { details: SessionDetails; more: () => Promise<void> }): JSX.Element {
  const { query } = place.value;
  const view: View = query.get('view') === 'details' ? 'details' : 'chat';
  const friction = useFriction(details.session);
  const signals = friction.data?.signals ?? NO_SIGNALS;
  const timeline = useMemo(() => timelineOf(details, signals), [details, signals]);
  const only = onlyIn(query);
  const steps = useMemo(
    () => (only === null ? timeline.steps : timeline.steps.filter((step) => isAmong(step, only))),
    [timeline, only?.what, only?.name],
  );
  const at = atOf(timeline, query.get('at'));
  const shown = useShown(steps, at);
  const jump = (step: Step) => {
    // A step that is left out comes into view with all the others.
    go(here({ at: step.key, ...(!steps.includes(step) && ALL_EVENTS) }), { replace: true });
    reveal(step.index);
  };
  useKeys(timeline, at, jump);
  // Only the first time: what arrives later must not move the reader.
  const revealed = useRef(false);
  useEffect(() => {
    if (revealed.current || at === null) return;
    revealed.current = true;
    reveal(at.index);
  }, [at]);
  return (
    <>
      <About session={details.session} />
      <TimeBar timeline={timeline} jump={jump} />
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
            <Jumps what="error" steps={timeline.errors} at={at} jump={jump} />
            <Jumps what="signal" steps={timeline.frictions} at={at} jump={jump} />
            {only === null ? (
              <span class="note">{plural(steps.length, 'event')}</span>
            ) : (
              <span class="only" role="status">
                {plural(steps.length, 'event')}: <OnlyWords only={only} /> <a href={here(ALL_EVENTS)}>Show all</a>
              </span>
            )}
          </div>
          {view === 'chat' ? (
            <Chat steps={steps} shown={shown} />
          ) : (
            <Trace steps={steps.filter(({ index }) => index < shown)} jump={jump} />
          )}
          {details.next_offset !== null && <MoreEvents load={more} />}
        </section>
        <Aside details={details} friction={friction} timeline={timeline} jump={jump} />
      </div>
    </>
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

function MoreEvents({ load }: { load: () => Promise<void> }): JSX.Element {
  const [failure, setFailure] = useState<Failure | null>(null);
  const attempt = async () => {
    try {
      await load();
      setFailure(null);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    }
  };
  if (failure !== null) return <Problem failure={failure} retry={attempt} />;
  return (
    <p class="more">
      <button type="button" onClick={attempt}>
        Show more events
      </button>
    </p>
  );
}

function atOf({ steps, errors, frictions }: Timeline, at: string | null): Step | null {
  if (at === null) return null;
  if (at === 'error') return errors[0] ?? null;
  if (at === 'friction') return frictions[0] ?? null;
  return steps.find(({ key, event }) => key === at || event.event_id === at) ?? null;
}

/** Events that are drawn in one go. */
const BATCH = 120;

/**
 * The first events at once, the others batch by batch, so that the page answers in between. Returns the index that the drawn
 * ones are below.
 */
function useShown(steps: readonly Step[], at: Step | null): number {
  const [shown, setShown] = useState(BATCH);
  useEffect(() => {
    if (shown >= steps.length) return;
    const timer = setTimeout(() => setShown(shown + BATCH));
    return () => clearTimeout(timer);
  }, [shown, steps.length]);
  const next = steps[shown]?.index ?? Number.POSITIVE_INFINITY;
  return Math.max(next, at === null ? 0 : at.index + BATCH);
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
  steps: readonly Step[];
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

function Jumps({ what, steps, at, jump }: JumpsProps): JSX.Element {
  const step = (forward: boolean) => {
    const found = neighbour(steps, at, forward);
    if (found !== undefined) jump(found);
  };
  const key = what === 'error' ? 'e' : 'f';
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
      <Behind
        number={steps.length}
        only={what === 'error' ? 'errors' : 'signals'}
        as={(number) => (what === 'error' ? plural(number, 'error') : `${count(number)} with friction`)}
      />
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
