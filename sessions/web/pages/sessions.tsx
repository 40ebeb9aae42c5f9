/** All sessions that match, newest first, loaded as the reader scrolls. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SessionPage as Answered, Session } from '../../src/api/answers.ts';
import { ask, Failure, keptAnswer, useAnswer } from '../api.ts';
import { plural } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Problem } from '../parts/bits.tsx';
import { Nothing } from '../parts/nothing.tsx';
import { type Order, SessionTable } from '../parts/session-table.tsx';
import { Page } from '../parts/shell.tsx';
import { here, place } from '../place.ts';
import { isLongestFirst, MOST, PAGE, sessionsOf } from '../questions.ts';

const EVERY_MS = 5_000;

interface List {
  sessions: Session[];
  next: string | null;
}

export function SessionsPage(): JSX.Element {
  const { query } = place.value;
  const order: Order = isLongestFirst(query) ? 'longest' : 'newest';
  const question = `sessions ${query}`;
  const list = useAnswer<List>(
    question,
    async (signal) => {
      if (order === 'longest') return ask<Answered>(sessionsOf(query), { signal });
      const before = keptAnswer<List>(question);
      // What is on the page is asked again, so that its states stay true.
      const limit = Math.min(MOST, Math.max(PAGE, before?.sessions.length ?? 0));
      const answer = await ask<Answered>(sessionsOf(query, limit), { signal });
      // Pages may have been added while the answer was on its way.
      return merged(keptAnswer<List>(question), answer);
    },
    EVERY_MS,
  );
  return (
    <Page title="Sessions">
      <Answer of={list}>
        {({ sessions, next }) =>
          sessions.length === 0 ? (
            <Nothing />
          ) : (
            <>
              <SessionTable
                caption={order === 'newest' ? 'Sessions, newest first' : `Sessions, longest first: the first ${MOST}`}
                sessions={sessions}
                order={order}
                inOrder={(wanted) => here({ order: wanted === 'newest' ? null : wanted })}
              />
              <More
                key={question}
                next={next}
                load={async (cursor) => {
                  const page = await ask<Answered>(sessionsOf(query, PAGE, cursor));
                  const { sessions: known } = keptAnswer<List>(question) ?? { sessions: [] };
                  const ids = new Set(known.map(({ prompt_id }) => prompt_id));
                  const fresh = page.sessions.filter(({ prompt_id }) => !ids.has(prompt_id));
                  list.extend({ sessions: [...known, ...fresh], next: page.next });
                }}
              />
              <p class="note" role="status">
                {plural(sessions.length, 'session')}
                {next === null ? '' : ', more as you scroll'}
              </p>
            </>
          )
        }
      </Answer>
    </Page>
  );
}

/** The newest sessions as they are now, and the older ones that were loaded before. */
function merged(before: List | undefined, { sessions, next }: Answered): List {
  if (before === undefined || next === null) return { sessions, next };
  const ids = new Set(sessions.map(({ prompt_id }) => prompt_id));
  const last = sessions.at(-1)?.start ?? '';
  const older = before.sessions.filter(({ prompt_id, start }) => !ids.has(prompt_id) && start <= last);
  return older.length === 0 ? { sessions, next } : { sessions: [...sessions, ...older], next: before.next };
}

interface MoreProps {
  next: string | null;
  load: (cursor: string) => Promise<void>;
}

/** Loads the next page when it comes into sight, or by its button. */
function More({ next, load }: MoreProps): JSX.Element | null {
  const [failure, setFailure] = useState<Failure | null>(null);
  const busy = useRef(false);
  const button = useRef<HTMLButtonElement>(null);
  const attempt = async () => {
    if (busy.current || next === null) return;
    busy.current = true;
    try {
      await load(next);
      setFailure(null);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    } finally {
      busy.current = false;
    }
  };
  const latest = useRef(attempt);
  latest.current = attempt;
  // A new page moves the button, which is observed anew.
  useEffect(() => {
    if (button.current === null || failure !== null) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && latest.current(), {
      rootMargin: '600px',
    });
    observer.observe(button.current);
    return () => observer.disconnect();
  }, [next, failure]);
  if (next === null) return null;
  if (failure !== null) return <Problem failure={failure} retry={attempt} />;
  return (
    <p class="more">
      <button type="button" ref={button} onClick={attempt}>
        Show more
      </button>
    </p>
  );
}
