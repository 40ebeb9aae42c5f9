/** A session's events of one sort: those behind a number on its page. */
import type { JSX } from 'preact';
import { skillName } from '../format.ts';
import { Figure, Name } from '../parts/bits.tsx';
import { here, type Patch } from '../place.ts';
import type { Step } from './steps.ts';

const SORTS = {
  turns: 'messages of a human',
  agent: 'messages of the agent',
  calls: 'calls',
  errors: 'failed calls',
  unknown: 'calls of unknown outcome',
  skills: 'uses of a skill',
  signals: 'events with a sign of friction',
} as const;
export type Sort = keyof typeof SORTS;

export interface Only {
  what: Sort;
  /** Of calls, only those of this tool; of skills, only that of this file. Empty: of one that nobody named. */
  name: string | null;
}

export const ALL_EVENTS: Patch = { only: null, name: null };

export function onlyIn(query: URLSearchParams): Only | null {
  const what = query.get('only') ?? '';
  return Object.hasOwn(SORTS, what) ? { what: what as Sort, name: query.get('name') } : null;
}

/** Copies of another session's events are counted there. */
export function isAmong({ event, isCall, failed, signals }: Step, { what, name }: Only): boolean {
  const called = name === null || (event.tool_call_name ?? '') === name;
  switch (what) {
    case 'signals':
      return signals.length > 0;
    case 'turns':
      return event.kind === 'HumanMessage' && event.copied_from === null;
    case 'agent':
      return ['AiMessage', 'ThinkingMessage'].includes(event.kind ?? '') && event.copied_from === null;
    case 'calls':
      return isCall && called && event.copied_from === null;
    case 'errors':
      return failed && called;
    case 'unknown':
      return isCall && called && event.error === null && event.copied_from === null;
    case 'skills':
      return (
        event.kind === 'SkillInvocation' &&
        event.copied_from === null &&
        (name === null || (event.skill_file_path ?? '') === name)
      );
  }
}

export function OnlyWords({ only: { what, name } }: { only: Only }): JSX.Element {
  return (
    <>
      {SORTS[what]}
      {name !== null && (
        <>
          {what === 'skills' ? ' ' : ' of '}
          <Name of={name === '' ? 'unknown' : what === 'skills' ? skillName(name) : name} title={name} />
        </>
      )}
    </>
  );
}

interface BehindProps {
  number: number | null;
  only: Sort;
  name?: string;
  as?: (number: number) => string;
}

/** A number that leads to the events behind it. */
export const Behind = ({ number, only, name, as }: BehindProps): JSX.Element => (
  <Figure
    of={number}
    href={here({ view: 'details', at: null, only, name: name ?? null })}
    label="Show these events"
    {...(as !== undefined && { as })}
  />
);
