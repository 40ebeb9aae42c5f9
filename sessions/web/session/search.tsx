/** A link to an event leads to it, also if the event is in a part of the session that isn't loaded. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Event, SessionFriction } from '../../src/api/answers.ts';
import { Failure, keep } from '../api.ts';
import { count } from '../format.ts';
import { Problem } from '../parts/bits.tsx';
import { go, here } from '../place.ts';
import { PART, partAt } from '../questions.ts';
import { countOf, findPart, isLoaded, type Part } from './events.ts';
import { isFailed } from './steps.ts';

/** Under which name an answer about a part is kept. */
export const questionOf = (id: string, start: number, org: string | null): string => `session ${id} ${start} ${org}`;

type Wanted = (event: Event) => boolean;

/** Which event an address asks for, or null while that isn't known. */
function wantedBy(id: string, at: string, friction: SessionFriction | undefined): Wanted | null {
  if (at === 'error') return isFailed;
  if (at === 'friction') {
    const first = friction?.signals[0]?.event_id;
    return first === undefined ? null : ({ event_id }) => event_id === first;
  }
  return ({ event_id }) => event_id === at || event_id === `${id}:${at}`;
}

interface Props {
  part: Part;
  /** What the address asks for, and isn't among the events that are loaded. */
  at: string;
  friction: SessionFriction | undefined;
  org: string | null;
}

/** Goes to the part with the event. Meanwhile it says how far it got, and in the end, that there is no such event. */
export function Search({ part, at, friction, org }: Props): JSX.Element | null {
  const [state, setState] = useState<number | Failure | 'missing'>(0);
  const [attempts, setAttempts] = useState(0);
  const { prompt_id: id } = part.session;
  const { start } = part;
  const loaded = isLoaded(part);
  const all = countOf(part);
  const canSearch = loaded && (at !== 'friction' || friction !== undefined);
  useEffect(() => {
    const aborter = new AbortController();
    const lastStart = all - 1 - ((all - 1) % PART);
    const search = async () => {
      if (at === 'last') return lastStart;
      const isWanted = wantedBy(id, at, friction);
      if (isWanted === null) return null;
      const found = await findPart(id, part, isWanted, aborter.signal, setState);
      if (found !== null) keep(questionOf(id, found.start, org), found);
      return found?.start ?? null;
    };
    // The last event is in the last part, which may be asked for before this one is complete.
    if (!canSearch && !(at === 'last' && start !== lastStart)) return;
    search().then(
      (found) => {
        if (aborter.signal.aborted) return;
        if (found === null) setState('missing');
        else go(here({ part: partAt(found) }), { replace: true });
      },
      (error: unknown) => {
        if (aborter.signal.aborted) return;
        if (!(error instanceof Failure)) throw error;
        setState(error);
      },
    );
    return () => aborter.abort();
  }, [at, start, canSearch, attempts]);

  if (state instanceof Failure)
    return (
      <Problem
        what="The event of this link couldn’t be looked for."
        failure={state}
        retry={() => setAttempts(attempts + 1)}
      />
    );
  if (state === 'missing') {
    // What leads to an error or a sign of friction leads to none if there is none.
    return at === 'error' || at === 'friction' ? null : (
      <p class="note" role="status">
        The event of this link is not in this session.
      </p>
    );
  }
  return all <= PART && loaded ? null : (
    <p class="note" role="status">
      Looking for the event of this link: {count(Math.max(state, part.events.length))} of {count(all)} events searched …
    </p>
  );
}
