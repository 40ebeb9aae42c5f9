import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  encodeMetricsBatch,
  type PromptEvent,
  parseMetricsBatch,
  parseTranscript,
  TranscriptReader,
} from '../../index.js';
import { FOLDER, temporaryFolder } from './transcripts';

// What every agent's reader has to do, whatever its files look like.

const OPTIONS = { sessionId: '0c1d', cwd: '/nowhere', homeDir: '' };

/** The text of an agent's fixture. */
export const fixtureOf = (agent: string, name: string, extension = 'jsonl'): string => {
  return readFileSync(join(FOLDER, agent, `${name}.${extension}`), 'utf8');
};

/** The names of an agent's fixtures with lines. */
const namesOf = (agent: string) =>
  readdirSync(join(FOLDER, agent)).flatMap((name) =>
    name.endsWith('.jsonl') ? [name.slice(0, -'.jsonl'.length)] : [],
  );

/** An event in one line: kind, tool, model, outcome, observed and reported milliseconds, text. */
export function summary({ values }: PromptEvent): string {
  const { kind, toolCallName, model, error, observedDurationMs, reportedDurationMs, inputText } = values;
  const outcome = error === undefined ? undefined : error ? 'failed' : 'ok';
  const durations = [observedDurationMs, reportedDurationMs].map((ms) => ms ?? '-');
  const took = durations.every((ms) => ms === '-') ? undefined : durations.join('/');
  const said = inputText === undefined ? undefined : `“${inputText}”`;
  return [kind, toolCallName, model && `(${model})`, outcome, took, said].filter(Boolean).join(' ');
}

export const eventsOf = (agent: string, transcript: string): string[] =>
  parseTranscript(agent, transcript, OPTIONS).map(summary);

/** Numbers from 0 to 1, the same in each run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Each event as it was returned last. */
function merged(events: PromptEvent[]): Map<unknown, PromptEvent['values']> {
  return new Map(events.map(({ values }) => [values.eventId, values]));
}

/** Tests an agent's reader on its fixtures, whose events are given in their order. */
export function describeReader(agent: string, expected: Record<string, string[]>): void {
  test('each fixture has its events', () => {
    expect(namesOf(agent).sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(Object.entries(expected))('%s', (name, events) => {
    expect(eventsOf(agent, fixtureOf(agent, name))).toEqual(events);
  });

  describeProperties(agent);
}

/** Tests what holds for each agent's reader and each of its fixtures. */
export function describeProperties(agent: string): void {
  const folder = temporaryFolder();
  const names = namesOf(agent);

  test.each(names)('%s: events have ids of their own, each one’s parent is the one before it', (name) => {
    const events = parseTranscript(agent, fixtureOf(agent, name), OPTIONS);
    expect(new Set(events.map(({ values }) => values.eventId)).size).toBe(events.length);
    for (const [n, { values, attributes }] of events.entries()) {
      expect(values.parentId).toBe(events[n - 1]?.values.eventId ?? null);
      expect(values.parentIdEstimated).toBe(false);
      expect(attributes.tool).toBe(agent);
    }
    expect(parseMetricsBatch(encodeMetricsBatch(events)).events).toEqual(events);
  });

  test.each(names)(
    '%s: reading in any pieces, in any number of processes, gives what reading at once gives',
    (name) => {
      const bytes = readFileSync(join(FOLDER, agent, `${name}.jsonl`));
      const whole = merged(parseTranscript(agent, bytes, OPTIONS));
      const next = chance(name.length);
      for (let round = 0; round < 8; round += 1) {
        const path = join(folder.path, `${name}-${round}.jsonl`);
        writeFileSync(path, '');
        let reader = new TranscriptReader(agent, path, OPTIONS);
        const read: PromptEvent[] = [];
        for (let at = 0; at < bytes.length; ) {
          at = Math.min(bytes.length, at + 1 + Math.floor(next() * (round < 4 ? 200 : 2000)));
          writeFileSync(path, bytes.subarray(0, at));
          for (let events = reader.read(2); events.length > 0; events = reader.read(2)) read.push(...events);
          if (next() < 0.5) reader = TranscriptReader.resume(agent, path, OPTIONS, reader.state());
        }
        expect(merged(read)).toEqual(whole);
        // An event comes again only if it says more than before.
        const said = read.map(({ values }) => JSON.stringify(values));
        expect(new Set(said).size).toBe(said.length);
      }
    },
  );

  test('hostile bytes in any place neither fail nor make events that can’t be encoded', () => {
    const next = chance(7);
    const parts = [
      '"',
      '{',
      '}',
      '[',
      '\\',
      '\\ud83d',
      'null',
      '1e999',
      '-1',
      '\u0000',
      '\n',
      '"__proto__":',
      '\ufeff',
    ];
    for (const name of names) {
      const text = fixtureOf(agent, name);
      for (let round = 0; round < 20; round += 1) {
        let mutant = text;
        for (let n = 0; n < 4; n += 1) {
          const at = Math.floor(next() * mutant.length);
          const cut = next() < 0.5 ? Math.floor(next() * 40) : 0;
          mutant = mutant.slice(0, at) + parts[Math.floor(next() * parts.length)] + mutant.slice(at + cut);
        }
        const events = parseTranscript(agent, mutant, OPTIONS);
        expect(parseMetricsBatch(encodeMetricsBatch(events)).errors).toEqual([]);
      }
    }
  });

  test('ids depend on the session and on nothing else', () => {
    const [name] = names as [string];
    const transcript = fixtureOf(agent, name);
    const ids = (sessionId: string) =>
      parseTranscript(agent, transcript, { ...OPTIONS, sessionId }).map(({ values }) => values.eventId);
    expect(ids('a')).not.toEqual(ids('b'));
    expect(ids('a')).toEqual(ids('a'));
  });
}
