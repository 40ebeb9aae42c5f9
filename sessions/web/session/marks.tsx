/** Marks of an event: failed, friction, estimated parent. */
import type { JSX } from 'preact';
import type { Signal } from '../../src/api/answers.ts';
import type { Step } from './steps.ts';

/** What failed, what succeeded, and what nobody knows. */
export function Outcome({ step: { event } }: { step: Step }): JSX.Element {
  if (event.error) return <span class="outcome failed">✕ failed</span>;
  if (event.error === false) {
    return (
      <span class="outcome" title="succeeded">
        <span aria-hidden="true">✓</span>
        <span class="hidden">succeeded</span>
      </span>
    );
  }
  return (
    <span class="outcome unknown" title="outcome not reported">
      <span aria-hidden="true">–</span>
      <span class="hidden">outcome not reported</span>
    </span>
  );
}

export const strength = (weight: number): string => (weight >= 2 ? 'strong' : 'medium');

/** The rule, its weight, and the words that matched. */
export const SignalMark = ({ signal: { rule, weight, words } }: { signal: Signal }): JSX.Element => (
  <span class="signal" title={`Sign of friction, ${strength(weight)} (weight ${weight})`}>
    {rule}
    {words !== null && (
      <>
        : <bdi class="words">“{words.slice(0, 120)}”</bdi>
      </>
    )}
  </span>
);

export const Signals = ({ of: signals }: { of: readonly Signal[] }): JSX.Element | null =>
  signals.length === 0 ? null : (
    <span class="signals">
      {signals.map((signal) => (
        <SignalMark key={signal.rule} signal={signal} />
      ))}
    </span>
  );
