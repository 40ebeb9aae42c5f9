/** A session as a trace: every event with its gap, its place in time, both durations, its parent. */
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Event } from '../../src/api/answers.ts';
import { clock, duration, exact, REASONS } from '../format.ts';
import { Duration, Name, Unknown, When } from '../parts/bits.tsx';
import { Chunks } from '../parts/chunks.tsx';
import { Prose } from '../parts/prose.tsx';
import { here, sessionAt } from '../place.ts';
import { CopyButton } from './copy.tsx';
import { KindIcon, kindLabel } from './kind.tsx';
import { Outcome, Signals } from './marks.tsx';
import { ALL_EVENTS } from './only.tsx';
import { LONG_GAP_MS, type Step } from './steps.ts';

interface Props {
  steps: readonly Step[];
  /** The step that the address names. */
  at: Step | null;
  jump: (step: Step) => void;
}

export const Trace = ({ steps, at, jump }: Props): JSX.Element => (
  <div class="trace">
    <div class="trace-row trace-head" aria-hidden="true">
      <span>Time</span>
      <span>Gap</span>
      <span>Event</span>
      <span title="from the human’s message to the last event before the next one">In its turn</span>
      <span class="number" title="as the agent reported it">
        Reported
      </span>
      <span class="number" title="from the call to its result, as seen in the transcript">
        Observed
      </span>
    </div>
    <Chunks class="trace-rows" items={steps} size={40} first={at === null ? 0 : steps.indexOf(at)}>
      {(step) => <Row key={step.key} step={step} jump={jump} />}
    </Chunks>
  </div>
);

interface RowProps {
  step: Step;
  jump: (step: Step) => void;
}

function Row({ step, jump }: RowProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const { event, startMs, endMs, isCall, failed, signals } = step;
  const { from, to } = step.turn;
  const share = (ms: number) => (to === from ? 0 : ((ms - from) / (to - from)) * 100);
  const left = share(startMs);
  return (
    <li class={`${failed ? 'failed' : ''} ${signals.length > 0 ? 'has-friction' : ''}`}>
      <button
        type="button"
        class="trace-row"
        id={`e-${step.index}`}
        data-row
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <time dateTime={event.at} title={exact(startMs)}>
          {clock(startMs)}
        </time>
        <Gap ms={event.gap_ms} />
        <span class="what">
          <KindIcon kind={event.kind} />
          <Label event={event} />
          {isCall && <Outcome step={step} />}
          {event.copied_from !== null && (
            <span class="tag" title="Copied from another session, when this one was resumed or forked. It counts there">
              copy
            </span>
          )}
          <ParentMark step={step} />
          {step.beside.length > 0 && (
            <span class="beside" title={`at the same time as ${step.beside.join(', ')}`}>
              ∥<span class="hidden"> parallel</span>
            </span>
          )}
          <Signals of={signals} />
        </span>
        <span class="lane" aria-hidden="true">
          <span
            class={`span ${failed ? 'error' : isCall ? 'call' : event.kind === 'HumanMessage' ? 'human' : 'agent'}`}
            style={{ left: `min(${left}%, 100% - 3px)`, width: `max(3px, ${share(endMs) - left}%)` }}
          />
        </span>
        <span class="number">
          {isCall ? <Duration ms={event.reported_duration_ms} why="no duration reported" /> : null}
        </span>
        <span class="number">
          {isCall ? <Duration ms={event.observed_duration_ms} why="no duration observed" /> : null}
        </span>
      </button>
      {open && <Details step={step} jump={jump} />}
    </li>
  );
}

function Label({
  event: { kind, tool_call_name, input_text, end_reason, skill_file_path },
}: {
  event: Event;
}): JSX.Element {
  if (tool_call_name !== null)
    return <Name of={tool_call_name} class="call-name" title={skill_file_path ?? tool_call_name} />;
  const text = kind === 'SessionEnd' ? (end_reason === null ? null : (REASONS[end_reason] ?? end_reason)) : input_text;
  return (
    <>
      <span class="kind-name">{kindLabel(kind)}</span>
      {text !== null && text !== '' ? (
        <Name of={text.replace(/\s+/g, ' ').trim()} class="preview" />
      ) : (
        <Unknown why="text not reported" />
      )}
    </>
  );
}

function Gap({ ms }: { ms: number | null }): JSX.Element {
  if (ms === null) return <span class="gap" />;
  return <span class={ms > LONG_GAP_MS ? 'gap long' : ms > 60_000 ? 'gap noticeable' : 'gap'}>+{duration(ms)}</span>;
}

/** Only a parent that isn't simply the event before is worth a mark. */
function ParentMark({ step: { event, parent, index } }: { step: Step }): JSX.Element | null {
  if (event.parent_id_estimated) {
    return (
      <span class="tag" title="The parent is a guess: the client couldn’t read the transcript">
        ≈ parent
      </span>
    );
  }
  if (event.parent_known === false) {
    return (
      <span class="tag" title="The parent was lost, or hasn’t arrived yet">
        parent missing
      </span>
    );
  }
  if (parent !== null && parent.index !== index - 1) return <span class="tag">after #{parent.index + 1}</span>;
  return null;
}

function Details({ step, jump }: { step: Step; jump: (step: Step) => void }): JSX.Element {
  const { event, parent, beside } = step;
  const model = event.model ?? event.attr_model;
  return (
    <div class="event-details">
      <dl>
        <Entry label="Event">
          #{step.index + 1} <code>{event.event_id}</code> <CopyButton text={event.event_id} what="the event’s id" />
        </Entry>
        <Entry label="Parent">
          {event.parent_id === null ? (
            'none: the first of its chain'
          ) : parent === null && event.parent_known ? (
            // It is in another part of the session.
            <a href={here({ at: event.parent_id, ...ALL_EVENTS })}>
              <code>{event.parent_id}</code>
            </a>
          ) : parent === null ? (
            <>
              <code>{event.parent_id}</code> is not among these events
            </>
          ) : (
            <button type="button" class="link" onClick={() => jump(parent)}>
              #{parent.index + 1} {kindLabel(parent.event.kind)}
            </button>
          )}
          {event.parent_id_estimated && ' (estimated)'}
        </Entry>
        {event.copied_from !== null && (
          <Entry label="Copied from">
            <a href={sessionAt(event.copied_from)}>
              <code>{event.copied_from}</code>
            </a>
          </Entry>
        )}
        <Entry label="Kind">{event.kind ?? <Unknown />}</Entry>
        <Entry label="Time">{exact(step.startMs)}</Entry>
        <Entry label="Arrived">
          <When at={event.received_at} absolute />
        </Entry>
        <Entry label="Model">{model === null ? <Unknown /> : <Name of={model} />}</Entry>
        {step.isCall && (
          <>
            <Entry label="Reported">
              <Duration ms={event.reported_duration_ms} />
            </Entry>
            <Entry label="Observed">
              <Duration ms={event.observed_duration_ms} why="not observed" />
            </Entry>
          </>
        )}
        {beside.length > 0 && <Entry label="Beside">{beside.join(', ')}</Entry>}
        {event.kind === 'SkillInvocation' && (
          <>
            <Entry label="Skill file">
              {event.skill_file_path === null ? (
                <Unknown why="no file was found" />
              ) : (
                <code>{event.skill_file_path}</code>
              )}
            </Entry>
            <Entry label="Version">
              {event.skill_file_hash === null ? <Unknown /> : <code>{event.skill_file_hash}</code>}
            </Entry>
          </>
        )}
        {event.input_hash !== null && (
          <Entry label="Input hash">
            <code>{event.input_hash}</code>
          </Entry>
        )}
        {event.commit_sha !== null && (
          <Entry label="Commit">
            <code>{event.commit_sha}</code>
          </Entry>
        )}
      </dl>
      {event.input_text !== null && event.input_text !== '' && <Prose text={event.input_text} whole />}
    </div>
  );
}

const Entry = ({ label, children }: { label: string; children: ComponentChildren }): JSX.Element => (
  <div>
    <dt>{label}</dt>
    <dd>{children}</dd>
  </div>
);
