import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import * as api from '../index.js';
import * as model from './model';

export const ROOT = resolve(__dirname, '..');

/** Code and message of the error that a call throws. It must be one of the package's, and of this realm: Jest's. */
export function thrown(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(api.GitAiMetricsError);
    const { code, message } = error as api.GitAiMetricsError;
    return { code, message };
  }
  throw new Error('expected an error, and none was thrown');
}

/** Of what Windows hasn't, or has otherwise. */
export const onUnix = process.platform === 'win32' ? test.skip : test;

/** Runs it without the rights of root, who may read everything. */
export function asNobody<T>(run: () => T): T {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid?.(65534);
  try {
    return run();
  } finally {
    process.seteuid?.(0);
  }
}

/** `1,000`, `1_000` and `1000` are the same figure. */
export const withoutSeparators = (message: string): string => message.replace(/(\d)[,_](?=\d{3})/g, '$1');

/** Rows for `test.each` of one value each; it would take a value that is a list for a row of its own. */
export function each(...values: string[]): [string][];
export function each(...values: unknown[]): [unknown][];
export function each(...values: unknown[]): [unknown][] {
  return values.map((value) => [value]);
}

type Outcome = { code: string } | model.ModelBatch;

/** What the package makes of a body, without the texts of the errors, which the model does not know. */
export function decoded(body: Uint8Array | string, options?: api.ParseOptions): Outcome {
  let batch: api.MetricsBatch;
  try {
    batch = api.parseMetricsBatch(body, options);
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
  return {
    ...batch,
    events: batch.events as unknown as model.ModelEvent[],
    errors: batch.errors.map(({ index, code }) => ({ index, code })),
  };
}

/** What the model makes of the same body. */
export function modelled(body: Uint8Array | string, options?: api.ParseOptions): Outcome {
  try {
    return model.decode(body, options);
  } catch (error) {
    if (error instanceof model.ModelError) return { code: error.code };
    throw error;
  }
}

/** Fails unless package and model agree, to the last absent property. */
export function expectAsModelled(body: Uint8Array | string, options?: api.ParseOptions): void {
  const found = decoded(body, options);
  expect(found).toEqual(modelled(body, options));
  expectNoUndefined(found);
}

/** `toEqual` takes an undefined property for an absent one; the format does not. */
export function expectNoUndefined(value: unknown, path = 'result'): void {
  if (value === undefined) throw new Error(`${path} is undefined`);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) expectNoUndefined(member, `${path}.${key}`);
}

export const encode = (events: unknown): Buffer => api.encodeMetricsBatch(events as api.MetricEvent[]);

/** The body that holds this text as its only event. */
export const bodyOf = (...events: string[]): string => `{"v":1,"events":[${events.join(',')}]}`;

/** The body of one prompt event with these members in `v` and `a`. */
export const promptBody = (values: string, attributes = ''): string =>
  bodyOf(`{"t":1,"e":5,"v":{${values}},"a":{${attributes}}}`);

/** Attributes that an event of this metric needs to be one of its dialect: as they stand on the wire, and decoded. */
export const dialectAttributes = (metric: string): { wire: string; attributes: Record<string, string> } =>
  metric === 'session_event'
    ? { wire: '"24":"s_0123456789abcd"', attributes: { sessionId: 's_0123456789abcd' } }
    : { wire: '', attributes: {} };

/** The only event of a body that must decode. */
export function onlyEvent(body: Uint8Array | string): model.ModelEvent {
  const batch = api.parseMetricsBatch(body);
  expect(batch.errors).toEqual([]);
  expect(batch.events).toHaveLength(1);
  return batch.events[0] as unknown as model.ModelEvent;
}

/**
 * Runs a script in a process of its own, where `api` is the package, and gives back what it passes to `answer()`.
 * For whatever could take the process down with it, and for what only a realm without jest can show.
 */
export function inChild(script: string, flags: string[] = []): unknown {
  const prelude = `
    const api = require(${JSON.stringify(ROOT)});
    const answer = (value) => process.stdout.write('ANSWER ' + JSON.stringify(value) + '\\n');
  `;
  const child = spawnSync(process.execPath, [...flags, '-e', prelude + script], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const line = child.stdout.split('\n').find((each) => each.startsWith('ANSWER '));
  if (child.status !== 0 || line === undefined) {
    throw new Error(`the child ended with ${child.status ?? child.signal}: ${child.stdout}${child.stderr}`);
  }
  return JSON.parse(line.slice('ANSWER '.length));
}
