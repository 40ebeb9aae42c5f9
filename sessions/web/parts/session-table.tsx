/** Sessions as rows: on their page, and among the running ones. */
import type { JSX } from 'preact';
import type { Session } from '../../src/api/answers.ts';
import { authorName } from '../format.ts';
import { go, only, sessionAt, to } from '../place.ts';
import type { Sort } from '../session/only.tsx';
import { Author, Duration, Figure, Name, Repo, StateBadge, Unknown, When } from './bits.tsx';
import { TableFrame } from './table-frame.tsx';

export const titleOf = ({ title, prompt_id }: Pick<Session, 'title' | 'prompt_id'>): string =>
  title ?? `Session ${prompt_id}`;

export type Order = 'newest' | 'longest';

interface Props {
  caption: string;
  /** Whether a heading above says the same. */
  captionHidden?: boolean;
  sessions: readonly Session[];
  order?: Order;
  /** Where the reader can choose the order: the address of a list in it. */
  inOrder?: (order: Order) => string;
}

export function SessionTable({
  caption,
  captionHidden = false,
  sessions,
  order = 'newest',
  inOrder,
}: Props): JSX.Element {
  return (
    <TableFrame label={caption}>
      <table class="sessions">
        <caption class={captionHidden ? 'hidden' : undefined}>{caption}</caption>
        <thead>
          <tr>
            <th scope="col" class="title-cell">
              Session
            </th>
            <th scope="col" class="from-narrow for-state">
              State
            </th>
            <th scope="col" class="from-medium for-agent">
              Agent
            </th>
            <th scope="col" class="from-narrow for-author">
              Author
            </th>
            <th scope="col" class="from-medium for-repo">
              Repository
            </th>
            <Ordered is="newest" {...{ order, inOrder }} class="from-narrow for-start">
              Start
            </Ordered>
            <Ordered
              is="longest"
              {...{ order, inOrder }}
              class="number for-duration"
              title="From the first event to the last; below: without gaps of over 5 minutes"
            >
              Duration
            </Ordered>
            <th scope="col" class="number from-wide for-count" title="Messages of a human">
              Turns
            </th>
            <th scope="col" class="number from-wide for-count">
              Calls
            </th>
            <th scope="col" class="number from-narrow for-count">
              Errors
            </th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <Row key={session.prompt_id} session={session} />
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

interface OrderedProps {
  is: Order;
  order: Order;
  inOrder: Props['inOrder'];
  class: string;
  title?: string;
  children: string;
}

/** A heading that orders the list. */
function Ordered({ is, order, inOrder, class: className, title, children }: OrderedProps): JSX.Element {
  return (
    <th scope="col" class={className} title={title} aria-sort={is === order ? 'descending' : undefined}>
      {inOrder === undefined ? (
        children
      ) : (
        <button type="button" onClick={() => go(inOrder(is))}>
          {children}
          <span class="arrow" aria-hidden="true">
            {is === order ? '↓' : ''}
          </span>
        </button>
      )}
    </th>
  );
}

function Row({ session }: { session: Session }): JSX.Element {
  const { prompt_id: id, state, reason, agent, models, author, repo, branch } = session;
  const events = (only: Sort) => sessionAt(id, { view: 'details', only });
  return (
    <tr>
      <th scope="row" class="title-cell">
        <a href={sessionAt(id)} data-row class="session-title">
          <Name of={titleOf(session)} class={session.title === null ? 'unknown' : ''} />
        </a>
        <p class="last-output">
          {session.last_output === null ? (
            <Unknown why="no output reported" />
          ) : (
            <Name of={session.last_output} title={`Last output: ${session.last_output}`} />
          )}
        </p>
        <p class="narrow-only meta">
          <StateBadge state={state} reason={null} /> ·{' '}
          {author === null ? <Unknown /> : <Name of={authorName(author)} />} · <When at={session.start} />
        </p>
      </th>
      <td class="from-narrow">
        <StateBadge state={state} reason={reason} />
      </td>
      <td class="from-medium two-lines">
        {agent === null ? <Unknown /> : <Name of={agent} />}
        <span class="second">
          {models.length === 0 ? <Unknown why="no model reported" /> : <Name of={models.join(', ')} />}
        </span>
      </td>
      <td class="from-narrow">
        {author === null ? (
          <Unknown />
        ) : (
          <a href={to('/sessions', only('author', author))}>
            <Author of={author} />
          </a>
        )}
      </td>
      <td class="from-medium two-lines">
        {repo === null ? (
          <Unknown />
        ) : (
          <a href={to('/sessions', only('repo', repo))}>
            <Repo url={repo} />
          </a>
        )}
        <span class="second">{branch === null ? <Unknown why="no branch reported" /> : <Name of={branch} />}</span>
      </td>
      <td class="from-narrow">
        <When at={session.start} />
      </td>
      <td class="number two-lines">
        <Duration ms={session.duration_ms} />
        <span class="second">
          <Duration ms={session.active_ms} /> active
        </span>
      </td>
      <td class="number from-wide">
        <Figure of={session.turns} href={events('turns')} label="The human’s messages" />
      </td>
      <td class="number from-wide">
        <Figure of={session.tool_calls} href={events('calls')} label="The calls" />
      </td>
      <td class={`number from-narrow ${session.errors > 0 ? 'bad' : ''}`}>
        <Figure of={session.errors} href={events('errors')} label="The failed calls" />
      </td>
    </tr>
  );
}
