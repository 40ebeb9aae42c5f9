/** The one filter bar of all pages. Each filter includes or excludes values; the address holds them. */
import type { JSX } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { withoutCredentials } from '../../src/api/addresses.ts';
import { CONTENT_FILTERS, type ContentFilter, FILTERS, type Filter, type Filters } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { authorName, count, repoName, skillName } from '../format.ts';
import { go, here, isFiltered, place, withoutFilters } from '../place.ts';
import { DEFAULT_RANGE, RANGES, valuesOf } from '../questions.ts';
import { Name, Problem } from './bits.tsx';

const LABELS: Record<Filter | ContentFilter | 'text', string> = {
  repo: 'Repository',
  branch: 'Branch',
  agent: 'Agent',
  author: 'Author',
  model: 'Model',
  tool: 'Tool',
  state: 'State',
  mcp_server: 'MCP server',
  failed: 'Failed tool',
  unknown: 'Outcome unknown',
  skill: 'Skill',
  without_model: 'Model unknown',
  text: 'Text',
};

export function FilterBar(): JSX.Element {
  const { query } = place.value;
  /** On a small screen only. */
  const [unfolded, setUnfolded] = useState(false);
  return (
    <search class="filters" aria-label="Filters">
      <div class={unfolded ? 'controls' : 'controls folded'}>
        <TimeRange />
        <TextSearch />
        <button type="button" class="fold" aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
          Filters
          <span class="caret" aria-hidden="true" />
        </button>
        {FILTERS.map((filter) => (
          <Menu key={filter} filter={filter} />
        ))}
      </div>
      {isFiltered(query) && <Chips />}
    </search>
  );
}

function TimeRange(): JSX.Element {
  const { query } = place.value;
  const custom = query.get('from') !== null || query.get('to') !== null;
  const change = (name: string) => {
    if (name === 'custom') {
      const today = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
      go(here({ range: null, from: today, to: today }));
    } else go(here({ range: name === DEFAULT_RANGE ? null : name, from: null, to: null }));
  };
  return (
    <div class="range">
      <label>
        <span class="hidden">Time range</span>
        <select
          value={custom ? 'custom' : (query.get('range') ?? DEFAULT_RANGE)}
          onChange={(event) => change(event.currentTarget.value)}
        >
          {RANGES.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
          <option value="custom">Days …</option>
        </select>
      </label>
      {custom &&
        (['from', 'to'] as const).map((name) => (
          <label key={name}>
            <span>{name}</span>
            <input
              type="date"
              value={query.get(name)?.slice(0, 10) ?? ''}
              onChange={(event) => go(here({ [name]: event.currentTarget.value || null }))}
            />
          </label>
        ))}
    </div>
  );
}

function TextSearch(): JSX.Element {
  const asked = place.value.query.get('text') ?? '';
  const [text, setText] = useState(asked);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const applied = useRef(asked);
  // Only what changed elsewhere, such as going back, replaces what is being typed.
  useEffect(() => {
    if (asked !== applied.current) setText(asked);
    applied.current = asked;
  }, [asked]);
  const apply = (value: string) => {
    clearTimeout(timer.current);
    applied.current = value.trim();
    go(here({ text: value.trim() || null }), { replace: asked !== '' && value.trim() !== '' });
  };
  return (
    <label class="text-search">
      <span class="hidden">Text in messages</span>
      <input
        id="search"
        type="search"
        placeholder="Text in messages"
        maxLength={1000}
        value={text}
        onInput={({ currentTarget: { value } }) => {
          setText(value);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => apply(value), 400);
        }}
        onKeyDown={({ key }) => {
          if (key === 'Enter') apply(text);
        }}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
    </label>
  );
}

export function labelOf(filter: string, value: string): string {
  if (filter === 'text') return `“${value}”`;
  if (['failed', 'unknown', 'without_model'].includes(filter) && value === '*') return 'any';
  if (filter === 'skill') return value === '' ? 'unresolved' : skillName(value);
  if (value === '') return 'not reported';
  if (filter === 'repo') return repoName(value);
  if (filter === 'author') return authorName(value);
  return value;
}

const titleOf = (filter: string, value: string): string => (filter === 'repo' ? withoutCredentials(value) : value);

function Menu({ filter }: { filter: Filter }): JSX.Element {
  const [open, setOpen] = useState(false);
  const id = useId();
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const chosen = place.value.query.getAll(filter).length + place.value.query.getAll(`not_${filter}`).length;
  useEffect(() => {
    if (!open) return;
    const outside = ({ target }: globalThis.Event) => {
      if (!frame.current?.contains(target as Node)) setOpen(false);
    };
    const onEscape = ({ key }: KeyboardEvent) => {
      if (key !== 'Escape') return;
      setOpen(false);
      button.current?.focus();
    };
    const own = frame.current;
    own?.addEventListener('keydown', onEscape);
    addEventListener('pointerdown', outside);
    addEventListener('focusin', outside);
    return () => {
      own?.removeEventListener('keydown', onEscape);
      removeEventListener('pointerdown', outside);
      removeEventListener('focusin', outside);
    };
  }, [open]);
  return (
    <div class="menu" ref={frame}>
      <button
        type="button"
        ref={button}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        class={chosen > 0 ? 'active' : ''}
        onClick={() => setOpen(!open)}
      >
        {LABELS[filter]}
        {chosen > 0 && <span class="badge">{chosen}</span>}
        <span class="caret" aria-hidden="true" />
      </button>
      {open && <Choices id={id} filter={filter} />}
    </div>
  );
}

function Choices({ id, filter }: { id: string; filter: Filter }): JSX.Element {
  const { query } = place.value;
  const others = new URLSearchParams([...query].filter(([name]) => name !== filter && name !== `not_${filter}`));
  const path = valuesOf(others);
  const { data, failure, reload } = useAnswer(
    `filters ${filter} ${others}`,
    (signal) => ask<Filters>(path, { signal }),
    60_000,
  );
  const [wanted, setWanted] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const frame = useRef<HTMLFieldSetElement>(null);
  // At the right edge of the window, the menu ends where its button does.
  useLayoutEffect(() => {
    const { right = 0 } = frame.current?.getBoundingClientRect() ?? {};
    if (right > document.documentElement.clientWidth) frame.current?.classList.add('from-end');
    input.current?.focus();
  }, []);

  const included = query.getAll(filter);
  const excluded = query.getAll(`not_${filter}`);
  const known = data?.filters[filter] ?? [];
  // A value stays choosable when no session of the range has it any more.
  const missing = [...included, ...excluded].filter((value) => !known.some((each) => each.value === value));
  const values = [...known, ...missing.map((value) => ({ value, sessions: 0 }))].filter(({ value }) =>
    labelOf(filter, value).toLowerCase().includes(wanted.toLowerCase()),
  );
  const set = (value: string, side: 'in' | 'out', on: boolean) => {
    const without = (list: string[]) => list.filter((each) => each !== value);
    go(
      here({
        [filter]: side === 'in' && on ? [...without(included), value] : without(included),
        [`not_${filter}`]: side === 'out' && on ? [...without(excluded), value] : without(excluded),
      }),
    );
  };
  return (
    <fieldset class="choices" id={id} ref={frame}>
      <legend class="hidden">{LABELS[filter]}</legend>
      <label>
        <span class="hidden">Find a value</span>
        <input
          ref={input}
          type="search"
          placeholder="Find"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      </label>
      {failure !== undefined && <Problem failure={failure} retry={reload} />}
      {data === undefined && failure === undefined && <p class="note">Loading …</p>}
      {data !== undefined && values.length === 0 && <p class="note">Nothing to choose from.</p>}
      <ul>
        {values.map(({ value, sessions }) => (
          <li key={value}>
            <label title={titleOf(filter, value)}>
              <input
                type="checkbox"
                checked={included.includes(value)}
                onChange={(event) => set(value, 'in', event.currentTarget.checked)}
              />
              <Name of={labelOf(filter, value)} title={titleOf(filter, value)} class={value === '' ? 'unknown' : ''} />
              {data !== undefined && <span class="sessions">{count(sessions)}</span>}
            </label>
            <button
              type="button"
              class="not"
              aria-pressed={excluded.includes(value)}
              title={`Hide sessions with ${labelOf(filter, value)}`}
              onClick={() => set(value, 'out', !excluded.includes(value))}
            >
              not<span class="hidden"> {labelOf(filter, value)}</span>
            </button>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

function Chips(): JSX.Element {
  const { query } = place.value;
  const names: readonly string[] = [...FILTERS, ...CONTENT_FILTERS, 'text'];
  const set = [...query].filter(([name]) => names.includes(name.replace(/^not_/, '')));
  return (
    <ul class="chips" aria-label="Filters in force">
      {set.map(([name, value]) => {
        const filter = name.replace(/^not_/, '');
        const label = labelOf(filter, value);
        return (
          <li key={`${name} ${value}`}>
            <span class="dimension">
              {name.startsWith('not_') && <strong>not </strong>}
              {LABELS[filter as keyof typeof LABELS]}
            </span>
            <Name of={label} title={titleOf(filter, value)} />
            <button
              type="button"
              title="Remove this filter"
              onClick={() => go(here({ [name]: query.getAll(name).filter((each) => each !== value) }))}
            >
              <span aria-hidden="true">×</span>
              <span class="hidden">Remove {label}</span>
            </button>
          </li>
        );
      })}
      <li class="clear">
        <a
          href={here({ ...withoutFilters(), range: query.get('range'), from: query.get('from'), to: query.get('to') })}
        >
          Clear filters
        </a>
      </li>
    </ul>
  );
}
