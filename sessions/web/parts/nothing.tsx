/** Nothing to show: because nothing came, because of the time, or because of the filters. */
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Status } from '../../src/api/answers.ts';
import { dayAndTime } from '../format.ts';
import { here, isFiltered, place, withoutFilters } from '../place.ts';
import { Empty, Loading } from './bits.tsx';

export const status = signal<Status | undefined>(undefined);

export function Nothing({ what = 'session' }: { what?: string }): JSX.Element {
  const { query } = place.value;
  if (status.value === undefined) return <Loading />;
  const { newest_arrival: arrived, newest_event: newest } = status.value;
  if (arrived === null) return <HowToSend />;
  if (isFiltered(query)) {
    return (
      <Empty title={`No ${what} matches`}>
        <p>
          <a class="button" href={here(withoutFilters())}>
            Clear the filters
          </a>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title={`No ${what} in this time`}>
      {newest !== null && <p>The newest event is of {dayAndTime(Date.parse(newest))}.</p>}
      <p>
        <a class="button" href={here({ range: 'all', from: null, to: null })}>
          Show all time
        </a>
      </p>
    </Empty>
  );
}

function HowToSend(): JSX.Element {
  const { key_id: key } = status.value ?? {};
  return (
    <Empty title="Nothing received yet">
      <p>Point a git-ai client at this server. Its sessions show up here within seconds.</p>
      <pre>
        <code>
          git-ai config set api_base_url {location.origin}
          {'\n'}
          {key !== null && 'git-ai config set api_key <a key of role ingest>\n'}
          git-ai bg restart
        </code>
      </pre>
      {status.value?.demo && (
        <p>
          <a class="button" href={here({ org: 'demo' })}>
            Look at the sample sessions
          </a>
        </p>
      )}
    </Empty>
  );
}
