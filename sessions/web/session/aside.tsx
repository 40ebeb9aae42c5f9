/** Beside the events: where the time went, signs of friction, the tools and the skills of a session. */
import type { JSX } from 'preact';
import type { SessionDetails } from '../../src/api/answers.ts';
import { clock, count, duration, percent, plural, skillName } from '../format.ts';
import { Duration, Figure, Name, Rate, Unknown } from '../parts/bits.tsx';
import { only, sessionsOf } from '../place.ts';
import { SignalMark } from './marks.tsx';
import { nameOf, type Share, type Step, type Timeline } from './steps.ts';

const SHARES: Record<Share, string> = { calls: 'Calls', agent: 'Agent', human: 'Waiting for the human' };

/** Beside the events there is room. Above them, on a small screen, it would push them out of sight. */
const isWide = matchMedia('(min-width: 75rem)').matches;

/** The most that the server names of one session. */
const MOST_SIGNALS = 20;

interface Props {
  details: SessionDetails;
  timeline: Timeline;
  jump: (step: Step) => void;
}

export function Aside({ details, timeline, jump }: Props): JSX.Element {
  const { friction, tools, skills } = details;
  const byId = new Map(timeline.steps.map((step) => [step.event.event_id, step]));
  const total = timeline.shares.calls + timeline.shares.agent + timeline.shares.human;
  return (
    <aside aria-label="About this session">
      <details open={isWide}>
        <summary>Time, friction, tools, skills</summary>
        <div class="aside-sections">
          <section>
            <h2>Where the time went</h2>
            {total === 0 ? (
              <p class="note">All events have one time.</p>
            ) : (
              <>
                <div class="shares" aria-hidden="true">
                  {(Object.keys(SHARES) as Share[]).map((share) => (
                    <span
                      key={share}
                      class={`of-${share}`}
                      style={{ flexGrow: String(timeline.shares[share] / total) }}
                    />
                  ))}
                </div>
                <dl class="share-list">
                  {(Object.keys(SHARES) as Share[]).map((share) => (
                    <div key={share} class={`of-${share}`}>
                      <dt>{SHARES[share]}</dt>
                      <dd>
                        {duration(timeline.shares[share])} · {percent(timeline.shares[share] / total)}
                      </dd>
                    </div>
                  ))}
                </dl>
                <ul class="longest">
                  {timeline.longest.slice(0, 4).map(({ ms, step, what }) => (
                    <li key={`${what} ${step.key}`}>
                      <button type="button" class="link" onClick={() => jump(step)}>
                        {duration(ms)}
                      </button>{' '}
                      {what === 'call' ? <Name of={nameOf(step.event)} /> : `before ${clock(step.startMs)}`}
                    </li>
                  ))}
                </ul>
              </>
            )}
          </section>
          <section>
            <h2>Friction</h2>
            {friction.signals.length === 0 ? (
              <p class="note">No signals.</p>
            ) : (
              <>
                <p class="note">
                  {friction.signals.length < MOST_SIGNALS ? '' : 'The first '}
                  {plural(friction.signals.length, 'signal')}; all weigh {count(friction.score)}. Rules{' '}
                  {friction.version}.
                </p>
                <ul class="signal-list">
                  {friction.signals.map((signal) => {
                    const step = byId.get(signal.event_id);
                    return (
                      <li key={`${signal.event_id} ${signal.rule}`}>
                        <SignalMark signal={signal} />
                        {step !== undefined && (
                          <button type="button" class="link" onClick={() => jump(step)}>
                            {clock(step.startMs)}
                          </button>
                        )}
                      </li>
                    );
                  })}
                </ul>
              </>
            )}
          </section>
          {tools.length > 0 && (
            <section>
              <h2>Tools</h2>
              <table class="small">
                <caption class="hidden">The tools of this session</caption>
                <thead>
                  <tr>
                    <th scope="col">Tool</th>
                    <th scope="col" class="number">
                      Calls
                    </th>
                    <th scope="col" class="number">
                      Errors
                    </th>
                    <th scope="col" class="number" title="the middle one of the durations, observed; below: reported">
                      p50
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {tools.map((tool) => (
                    <tr key={tool.tool}>
                      <th scope="row">
                        {tool.tool === null ? (
                          <Unknown />
                        ) : (
                          <a href={sessionsOf(only('tool', tool.tool))}>
                            <Name of={tool.tool} />
                          </a>
                        )}
                      </th>
                      <td class="number">
                        <Figure of={tool.calls} />
                      </td>
                      <td class={tool.errors > 0 ? 'number bad' : 'number'}>
                        <Rate of={tool.error_rate} />
                      </td>
                      <td class="number two-lines">
                        <Duration ms={tool.observed_p50_ms} why="not observed" />
                        <span class="second">
                          <Duration ms={tool.reported_p50_ms} />
                        </span>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          )}
          {skills.length > 0 && (
            <section>
              <h2>Skills</h2>
              <ul class="skill-list">
                {skills.map(({ path, name, invocations }) => (
                  <li key={path}>
                    {path === null ? (
                      <>
                        <Name of={name ?? 'Skill'} /> <span class="note">no file was found</span>
                      </>
                    ) : (
                      <Name of={skillName(path)} title={path} />
                    )}{' '}
                    <span class="note">× {count(invocations)}</span>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      </details>
    </aside>
  );
}
