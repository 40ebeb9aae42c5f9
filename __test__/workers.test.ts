import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { encodeMetricsBatch, parseMetricsBatch } from '../index.js';
import { decode, encode, type ModelEvent } from './model';
import { batchText, metricEvents } from './random';
import { encode as encodeEvents, ROOT } from './support';

interface Work {
  root: string;
  rounds: number;
  bodies: string[];
  /** The decoded bodies, without the texts of errors. */
  batches: string[];
  lists: ModelEvent[][];
  encoded: string[];
}

/** Other bodies and events for each thread, with what the model says of them. */
function work(seed: number, rounds: number): Work {
  const bodies = fc.sample(batchText(20), { seed, numRuns: 30 });
  const lists = fc.sample(metricEvents(20), { seed, numRuns: 30 });
  return {
    root: ROOT,
    rounds,
    bodies,
    batches: bodies.map((body) => JSON.stringify(decode(body))),
    lists,
    encoded: lists.map((events) => encode(events)),
  };
}

// Other tests run at the same time, so this tests the threads' results and not their speed.
jest.setTimeout(120_000);

const THREAD = `
  const { isDeepStrictEqual } = require('node:util');
  const { parentPort, workerData } = require('node:worker_threads');
  const { root, rounds, bodies, batches, lists, encoded } = workerData;
  const api = require(root);
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [index, body] of bodies.entries()) {
      const batch = api.parseMetricsBatch(round % 2 ? body : Buffer.from(body));
      for (const error of batch.errors) delete error.error;
      if (!isDeepStrictEqual(batch, JSON.parse(batches[index]))) wrong++;
    }
    for (const [index, events] of lists.entries()) {
      // Escapes may differ, so compare the parsed texts.
      const text = api.encodeMetricsBatch(events).toString();
      if (!isDeepStrictEqual(JSON.parse(text), JSON.parse(encoded[index]))) wrong++;
      try { api.parseMetricsBatch('{"v":' + round + ',"events":[x]}'); wrong++; } catch (error) {
        if (error.code !== 'ERR_INVALID_JSON') wrong++;
      }
    }
    if (round === 0) parentPort.postMessage('at work');
  }
  parentPort.postMessage(wrong);
`;

const start = (workerData: unknown) => new Worker(THREAD, { eval: true, workerData });

function finished(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message) => {
      if (typeof message === 'number') resolve(message);
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the worker ended without an answer')));
  });
}

test('several threads at once, each with its own batches, and the main thread too', async () => {
  const workers = [1, 2, 3, 4].map((seed) => finished(start(work(seed, 30))));
  const own = work(5, 30);
  let open = true;
  const all = Promise.all(workers).finally(() => {
    open = false;
  });
  for (let index = 0; open; index = (index + 1) % own.bodies.length) {
    const batch = parseMetricsBatch(Buffer.from(own.bodies[index]));
    expect(JSON.stringify(batch.events)).toHaveLength(JSON.stringify(JSON.parse(own.batches[index]).events).length);
    expect(JSON.parse(encodeEvents(own.lists[index]).toString())).toEqual(JSON.parse(own.encoded[index]));
    // Messages of the workers arrive in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await all).toEqual([0, 0, 0, 0]);
});

test('a result that was decoded in one thread is encoded in another', async () => {
  const body = '{"v":1,"events":[{"t":1,"e":5,"v":{"0":"é","5":null,"99":1.0},"a":{"20":"y"}}]}';
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const { encodeMetricsBatch } = require(workerData.root);
     parentPort.postMessage(encodeMetricsBatch(workerData.events));`,
    { eval: true, workerData: { root: ROOT, events: parseMetricsBatch(body).events } },
  );
  const bytes = await new Promise<Uint8Array>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  expect(Buffer.from(bytes).toString()).toBe(body);
  await worker.terminate();
});

test('terminating a thread during its work doesn’t affect others', async () => {
  const steady = finished(start(work(6, 20)));
  for (let round = 0; round < 6; round++) {
    const worker = start(work(7, 1_000_000));
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
    expect(encodeMetricsBatch(parseMetricsBatch('{"v":1,"events":[]}').events).toString()).toBe('{"v":1,"events":[]}');
  }
  expect(await steady).toBe(0);
});

test('one thread after another loads the addon', async () => {
  for (let round = 0; round < 8; round++) expect(await finished(start(work(round, 1)))).toBe(0);
});
