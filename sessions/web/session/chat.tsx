/** A session as a conversation: messages, and between them what the agent did. */
import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { clock, day, duration, exact, plural, REASONS } from '../format.ts';
import { Name } from '../parts/bits.tsx';
import { Chunks } from '../parts/chunks.tsx';
import { Prose } from '../parts/prose.tsx';
import { sessionAt } from '../place.ts';
import { KindIcon, kindLabel } from './kind.tsx';
import { Outcome, Signals } from './marks.tsx';
import { LONG_GAP_MS, nameOf, type Step } from './steps.ts';

/** A message, or calls in a row. */
interface Block {
  steps: [Step, ...Step[]];
}

/** So many calls make a block at most, since a block is drawn in one go. */
const MOST_CALLS = 100;

/** Blocks that are as they were before are the same objects. */
function blocksOf(steps: readonly Step[], before: readonly Block[]): Block[] {
  const blocks: Block[] = [];
  for (const step of steps) {
    const last = blocks.at(-1);
    const together = last?.steps[0].isCall && last.steps[0].event.copied_from === step.event.copied_from;
    if (step.isCall && together && last.steps.length < MOST_CALLS) last.steps.push(step);
    else blocks.push({ steps: [step] });
  }
  return blocks.map((block, n) => {
    const old = before[n];
    const isSame = old?.steps.length === block.steps.length && block.steps.every((step, k) => step === old.steps[k]);
    return isSame ? old : block;
  });
}

interface Props {
  steps: readonly Step[];
  /** The step that the address names. */
  at: Step | null;
}

export function Chat({ steps, at }: Props): JSX.Element {
  const before = useRef<readonly Block[]>([]);
  const blocks = useMemo(() => blocksOf(steps, before.current), [steps]);
  before.current = blocks;
  const first = at === null ? 0 : blocks.findLastIndex(({ steps: [step] }) => step.index <= at.index);
  return (
    <Chunks class="chat" items={blocks} size={40} weigh={({ steps }) => steps.length} first={first}>
      {(block, n) => {
        const [first] = block.steps;
        return (
          <li key={first.key} class={first.isCall ? 'calls' : ''}>
            <Pause before={blocks[n - 1]?.steps.at(-1)} step={first} />
            {first.isCall ? <Calls steps={block.steps} /> : <Message step={first} />}
          </li>
        );
      }}
    </Chunks>
  );
}

/** A long wait, a new day, or the border of what was copied from another session. */
function Pause({ before, step }: { before: Step | undefined; step: Step }): JSX.Element | null {
  const gap = before === undefined ? 0 : step.startMs - Math.max(before.startMs, before.endMs);
  const newDay = before === undefined || day(before.startMs) !== day(step.startMs);
  const { copied_from: origin } = step.event;
  const border = origin !== (before?.event.copied_from ?? null);
  if (!newDay && !border && gap <= LONG_GAP_MS) return null;
  const words = [newDay && day(step.startMs), gap > LONG_GAP_MS && `${duration(gap)} later`].filter(
    (each) => each !== false,
  );
  return (
    <p class="pause">
      {words.join(', ')}
      {border && origin !== null && (
        <span>
          Copied from <a href={sessionAt(origin)}>another session</a>
        </span>
      )}
      {border && origin === null && <span>This session’s own</span>}
    </p>
  );
}

function Message({ step }: { step: Step }): JSX.Element {
  const { event, signals } = step;
  const { kind, input_text: text, end_reason: reason } = event;
  if (kind === 'SessionEnd') {
    return (
      <p class="pause end" id={`e-${step.index}`} tabIndex={-1}>
        <span>
          Ended{reason !== null && `: ${REASONS[reason] ?? reason}`}, <Clock step={step} />
        </span>
      </p>
    );
  }
  const body = text === null || text === '' ? <p class="unknown">The text was not reported.</p> : <Prose text={text} />;
  if (kind === 'ThinkingMessage') {
    return (
      <details class="thinking" id={`e-${step.index}`} tabIndex={-1}>
        <summary>
          Thinking <Clock step={step} />
        </summary>
        {body}
      </details>
    );
  }
  return (
    <article
      class={`message ${kind ?? 'unknown'} ${signals.length > 0 ? 'has-friction' : ''}`}
      id={`e-${step.index}`}
      tabIndex={-1}
      data-row
    >
      <header>
        <KindIcon kind={kind} />
        <strong>{kindLabel(kind)}</strong>
        <Clock step={step} />
        <Signals of={signals} />
      </header>
      {body}
    </article>
  );
}

/** Few calls are all in view. Of many, those that failed are, and the others are counted by tool. */
const FEW = 4;

function Calls({ steps }: { steps: readonly Step[] }): JSX.Element {
  if (steps.length <= FEW) return <CallList steps={steps} />;
  const failed = steps.filter((step) => step.failed || step.signals.length > 0);
  const names = new Map<string, number>();
  for (const { event } of steps) names.set(nameOf(event), (names.get(nameOf(event)) ?? 0) + 1);
  const first = steps[0] as Step;
  const end = Math.max(...steps.map(({ endMs }) => endMs));
  return (
    <>
      <details>
        <summary data-row>
          {plural(steps.length, 'call')} in {duration(end - first.startMs)}:{' '}
          {[...names]
            .sort(([, a], [, b]) => b - a)
            .slice(0, 8)
            .map(([name, count]) => (
              <span class="tally" key={name}>
                <Name of={name} /> {count > 1 && `× ${count}`}
              </span>
            ))}
        </summary>
        <CallList steps={steps.filter((step) => !failed.includes(step))} />
      </details>
      {failed.length > 0 && <CallList steps={failed} />}
    </>
  );
}

const CallList = ({ steps }: { steps: readonly Step[] }): JSX.Element => (
  <ul>
    {steps.map((step) => (
      <li key={step.key} id={`e-${step.index}`} tabIndex={-1} class={step.failed ? 'call failed' : 'call'}>
        <KindIcon kind={step.event.kind} />
        <Name of={nameOf(step.event)} />
        {step.endMs > step.startMs && <span class="took">{duration(step.endMs - step.startMs)}</span>}
        <Outcome step={step} />
        {step.beside.length > 0 && (
          <span class="beside" title={`at the same time as ${step.beside.join(', ')}`}>
            ∥<span class="hidden"> parallel</span>
          </span>
        )}
        <Signals of={step.signals} />
      </li>
    ))}
  </ul>
);

const Clock = ({ step: { startMs, event } }: { step: Step }): JSX.Element => (
  <time dateTime={event.at} title={exact(startMs)}>
    {clock(startMs)}
  </time>
);
