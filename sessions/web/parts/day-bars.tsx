/** One figure by day, as bars. The overview's table of days says the same in numbers. */
import type { JSX } from 'preact';
import { day as dayName } from '../format.ts';
import { sessionsOf } from '../place.ts';

export interface Bar {
  /** The first and the last day that it stands for, such as 2026-11-25. */
  from: string;
  to: string;
  /** Null: unknown. */
  value: number | null;
  /** The part of it that went wrong. */
  bad?: number;
}

interface Props {
  bars: readonly Bar[];
  as: (value: number) => string;
  /** What a full bar stands for, if not the largest value. */
  top?: number;
  bad?: boolean;
}

const nameOf = ({ from, to }: Bar): string => {
  const name = (text: string) => dayName(new Date(`${text}T12:00`).getTime());
  return from === to ? name(from) : `${name(from)} – ${name(to)}`;
};

/** Hidden from assistive technology and the tab order: the table of days has the same numbers and links. */
export function DayBars({ bars, as, top, bad = false }: Props): JSX.Element {
  const largest = top ?? Math.max(0, ...bars.map(({ value }) => value ?? 0));
  const share = (value: number) => (largest === 0 ? 0 : Math.min(1, value / largest));
  const first = bars[0];
  const last = bars.at(-1);
  // A bar for several days stands for their average; a rate has no day.
  const each = !bad && bars.some(({ from, to }) => from !== to) ? ' a day' : '';
  return (
    <div class={bad ? 'bars all-bad' : 'bars'} aria-hidden="true">
      <span class="top">{largest > 0 ? `${as(largest)}${each}` : ''}</span>
      <div class="plot">
        {bars.map((bar) => {
          const { from, to, value, bad: wrong = 0 } = bar;
          return (
            <a
              key={from}
              href={sessionsOf({ from, to, range: null, ...(bad && { failed: '*' }) })}
              tabIndex={-1}
              title={`${nameOf(bar)}: ${value === null ? 'not reported' : as(value)}${value === null ? '' : each}${wrong > 0 ? `, ${as(wrong)} failed` : ''}`}
            >
              {value !== null && value > 0 && (
                <span class="bar-of" style={{ height: `max(2px, ${share(value) * 100}%)` }}>
                  {wrong > 0 && <span class="wrong" style={{ height: `max(2px, ${(wrong / value) * 100}%)` }} />}
                </span>
              )}
              {value === null && <span class="no-value">–</span>}
            </a>
          );
        })}
      </div>
      <div class="axis">
        <span>{first && nameOf({ ...first, to: first.from })}</span>
        <span>{last && last !== first ? nameOf({ ...last, from: last.to }) : ''}</span>
      </div>
    </div>
  );
}
