import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import * as api from '../index.js';
import * as model from './model';

export const ROOT = resolve(__dirname, '..');

/**
 * Returns code and message of the error that a call throws. It must be a package's error of this realm, which is
 * Jest's.
 */
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

/** For tests of features that Windows doesn't have, or has differently. */
export const onUnix = process.platform === 'win32' ? test.skip : test;

/** Runs it without root's rights, because root can read every file. */
export function asNobody<T>(run: () => T): T {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid?.(65534);
  try {
    return run();
  } finally {
    process.seteuid?.(0);
  }
}

/** Matches a number with or without separators: `1,000`, `1_000`, `1000`. */
export const withoutSeparators = (message: string): string => message.replace(/(\d)[,_](?=\d{3})/g, '$1');

/** Wraps each value as a row for `test.each`, which would spread a value that is a list. */
export function each(...values: string[]): [string][];
export function each(...values: unknown[]): [unknown][];
export function each(...values: unknown[]): [unknown][] {
  return values.map((value) => [value]);
}

type Outcome = { code: string } | model.ModelBatch;

/** The package's result for a body, without the texts of errors, which the model doesn't know. */
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

/** The model's result for a body. */
export function modelled(body: Uint8Array | string, options?: api.ParseOptions): Outcome {
  try {
    return model.decode(body, options);
  } catch (error) {
    if (error instanceof model.ModelError) return { code: error.code };
    throw error;
  }
}

/** Fails unless package and model agree exactly, including absent properties. */
export function expectAsModelled(body: Uint8Array | string, options?: api.ParseOptions): void {
  const found = decoded(body, options);
  expect(found).toEqual(modelled(body, options));
  expectNoUndefined(found);
}

/** `toEqual` ignores undefined properties, but here absent and undefined differ. */
export function expectNoUndefined(value: unknown, path = 'result'): void {
  if (value === undefined) throw new Error(`${path} is undefined`);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) expectNoUndefined(member, `${path}.${key}`);
}

export const encode = (events: unknown): Buffer => api.encodeMetricsBatch(events as api.MetricEvent[]);

/** A body with this text as its only event. */
export const bodyOf = (...events: string[]): string => `{"v":1,"events":[${events.join(',')}]}`;

/** The body of one prompt event with these members in `v` and `a`. */
export const promptBody = (values: string, attributes = ''): string =>
  bodyOf(`{"t":1,"e":5,"v":{${values}},"a":{${attributes}}}`);

/** The attributes that mark an event of this metric's dialect, on the wire and decoded. */
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
 * Runs a script in a process of its own, where `api` is the package, and returns the value that it passes to
 * `answer()`. Use it for code that could crash the process, or that needs a realm without Jest.
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
