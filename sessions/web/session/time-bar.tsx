/** The whole session as a bar of time. Long waits are shortened, and marked. */
import type { JSX } from 'preact';
import { clock, day, duration, plural } from '../format.ts';
import type { Step, Timeline } from './steps.ts';

const WIDTH = 1000;
/** So many marks would cover what is behind them. */
const MANY = 60;
const LEGEND = { human: 'human', agent: 'agent', call: 'calls', error: 'errors', friction: 'friction' };
const x = (share: number): string => (share * WIDTH).toFixed(1);

interface Props {
  timeline: Timeline;
  /** Which events are loaded, if not all are. */
  extent: string | null;
  jump: (step: Step) => void;
}

export function TimeBar({ timeline, extent, jump }: Props): JSX.Element | null {
  const { counted: steps, waits, errors, frictions, at } = timeline;
  const first = steps[0];
  const last = steps.at(-1);
  if (first === undefined || last === undefined) return null;
  // One path for each kind of mark: thousands of elements would be slow.
  const mark = (kept: readonly Step[], top: number, height: number) =>
    kept.map(({ startMs }) => `M${x(at(startMs))} ${top}v${height}`).join('');
  const humans = steps.filter(({ event }) => event.kind === 'HumanMessage');
  const calls = steps.filter(({ isCall, failed }) => isCall && !failed);
  const block = (kept: readonly Step[]) =>
    kept
      .map(
        ({ startMs, endMs }) => `M${x(at(startMs))} 22h${Math.max(1.5, (at(endMs) - at(startMs)) * WIDTH).toFixed(1)}`,
      )
      .join('');
  const onClick = (event: MouseEvent) => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    const share = (event.clientX - left) / width;
    const nearest = steps.reduce((best, step) =>
      Math.abs(at(step.startMs) - share) < Math.abs(at(best.startMs) - share) ? step : best,
    );
    jump(nearest);
  };
  const sameDay = day(first.startMs) === day(last.startMs);
  return (
    <figure class="time-bar">
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: a shortcut; the events below are in reach of the keyboard */}
      <svg
        viewBox={`0 0 ${WIDTH} 32`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${plural(steps.length, 'event')} over ${duration(last.startMs - first.startMs)}, ${plural(errors.length, 'error')}, ${plural(frictions.length, 'sign')} of friction${extent === null ? '' : `, of ${extent}`}`}
        onClick={onClick}
      >
        <rect class="ground" width={WIDTH} height="32" />
        {waits.map(({ from, to, ms }) => (
          <rect key={from} class="wait" x={x(from)} width={x(to - from)} height="32">
            <title>{`nothing for ${duration(ms)}`}</title>
          </rect>
        ))}
        <path
          class="agent"
          d={mark(
            steps.filter(({ event }) => event.kind === 'AiMessage'),
            14,
            14,
          )}
        />
        <path class="call" d={block(calls)} />
        <path class="error" d={block(errors)} />
        <path class={humans.length > MANY ? 'human dense' : 'human'} d={mark(humans, 4, 24)} />
        <path class="friction" d={mark(frictions, 0, 6)} />
      </svg>
      <figcaption>
        <span>{sameDay ? clock(first.startMs) : `${day(first.startMs)} ${clock(first.startMs)}`}</span>
        <span class="legend">
          {extent !== null && <strong>{extent}</strong>}
          {Object.entries(LEGEND).map(([name, what]) => (
            <span key={name}>
              <i class={name} /> {what}
            </span>
          ))}
          {waits.length > 0 && (
            <span>
              <i class="wait" /> {plural(waits.length, 'long wait')}, shortened
            </span>
          )}
        </span>
        <span>{sameDay ? clock(last.startMs) : `${day(last.startMs)} ${clock(last.startMs)}`}</span>
      </figcaption>
    </figure>
  );
}
