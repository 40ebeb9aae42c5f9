/** The states that every answer can be in: loading, failed, outdated, there. */
import type { ComponentChildren, JSX } from 'preact';
import type { Loaded } from '../api.ts';
import { Loading, Problem } from './bits.tsx';

interface Props<T> {
  of: Loaded<T>;
  children: (data: T) => ComponentChildren;
}

/** Shows an answer. Old data dims while the new one is on its way, and stays, marked, if it doesn't come. */
export function Answer<T>({ of: { data, failure, outdated, reload }, children }: Props<T>): JSX.Element {
  if (data === undefined) return failure === undefined ? <Loading /> : <Problem failure={failure} retry={reload} />;
  return (
    <>
      {failure !== undefined && <Problem failure={failure} retry={reload} />}
      <div class={outdated ? 'answer dim' : 'answer'} aria-busy={outdated}>
        {children(data)}
      </div>
    </>
  );
}
