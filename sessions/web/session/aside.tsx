/** Beside the events: where the time went, signs of friction, the tools and the skills of a session. */
import type { JSX } from 'preact';
import type { SessionDetails, SessionFriction } from '../../src/api/answers.ts';
import type { Loaded } from '../api.ts';
import { clock, count, duration, percent, plural, skillName } from '../format.ts';
import { Duration, Loading, Name, Problem, Unknown, UnknownName } from '../parts/bits.tsx';
import { here, only, sessionsOf } from '../place.ts';
import { SignalMark } from './marks.tsx';
import { ALL_EVENTS, Behind, type Sort } from './only.tsx';
import { nameOf, type Share, type Step, type Timeline } from './steps.ts';

const SHARES: Record<Share, { label: string; only: Sort }> = {
  calls: { label: 'Calls', only: 'calls' },
  agent: { label: 'Agent', only: 'agent' },
  human: { label: 'Waiting for the human', only: 'turns' },
};

/** Beside the events there is room. Above them, on a small screen, it would push them out of sight. */
const isWide = matchMedia('(min-width: 75rem)').matches;

interface Props {
  details: SessionDetails;
  /** Which events are loaded, if not all are. */
  extent: string | null;
  friction: Loaded<SessionFriction>;
  timeline: Timeline;
  jump: (step: Step) => void;
}

export function Aside({ details: { tools, skills }, extent, friction, timeline, jump }: Props): JSX.Element {
  const byId = new Map(timeline.steps.map((step) => [step.event.event_id, step]));
  // Time of calls that nobody measured is unknown, not none.
  const unmeasured =
    tools.length > 0 && tools.every((of) => of.observed_p50_ms === null && of.reported_p50_ms === null);
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
                      <dt>{SHARES[share].label}</dt>
                      <dd>
                        {share === 'calls' && unmeasured ? (
                          <Unknown why="no call’s duration is known" />
                        ) : (
                          <>
                            <Behind number={timeline.shares[share]} only={SHARES[share].only} as={duration} /> ·{' '}
                            {percent(timeline.shares[share] / total)}
                          </>
                        )}
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
                {extent !== null && <p class="note">Of {extent}.</p>}
              </>
            )}
          </section>
          <section>
            <h2>Friction</h2>
            {friction.data === undefined && friction.failure === undefined && <Loading />}
            {friction.failure !== undefined && <Problem failure={friction.failure} retry={friction.reload} />}
            {friction.data !== undefined && <Friction of={friction.data} byId={byId} jump={jump} />}
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
                        {tool.tool === null || tool.tool === '' ? (
                          <UnknownName why="the calls name no tool" />
                        ) : (
                          <a href={sessionsOf(only('tool', tool.tool))}>
                            <Name of={tool.tool} />
                          </a>
                        )}
                      </th>
                      <td class="number">
                        <Behind number={tool.calls} only="calls" name={tool.tool ?? ''} />
                      </td>
                      <td class={tool.errors > 0 ? 'number bad' : 'number'}>
                        {tool.error_rate === null ? (
                          <Unknown why="no outcome is known" />
                        ) : (
                          <Behind
                            number={tool.errors}
                            only="errors"
                            name={tool.tool ?? ''}
                            as={() => percent(tool.error_rate ?? 0)}
                          />
                        )}
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
                    <span class="note">
                      × <Behind number={invocations} only="skills" name={path ?? ''} />
                    </span>
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

interface FrictionProps {
  of: SessionFriction;
  byId: ReadonlyMap<string, Step>;
  jump: (step: Step) => void;
}

function Friction({ of: { signals, signal_count: all, score, version }, byId, jump }: FrictionProps): JSX.Element {
  if (signals.length === 0) return <p class="note">No signals.</p>;
  return (
    <>
      <p class="note">
        {signals.length < all && `The first ${count(signals.length)} of `}
        <Behind number={all} only="signals" as={(number) => plural(number, 'signal')} />; all weigh {count(score)}.
        Rules {version}.
      </p>
      <ul class="signal-list">
        {signals.map((signal) => {
          const step = byId.get(signal.event_id);
          return (
            <li key={`${signal.event_id} ${signal.rule}`}>
              <SignalMark signal={signal} />
              {step !== undefined ? (
                <button type="button" class="link" onClick={() => jump(step)}>
                  {clock(step.startMs)}
                </button>
              ) : (
                // It isn't loaded yet, or is in another part of the session.
                <a href={here({ at: signal.event_id, ...ALL_EVENTS })}>{clock(Date.parse(signal.at))}</a>
              )}
            </li>
          );
        })}
      </ul>
    </>
  );
}
