import { inChild, ROOT } from './support';

describe('nesting five million deep', () => {
  const DEPTH = 5_000_000;
  // Each in a child process, which a stack overflow would kill.
  const run = (script: string) =>
    inChild(`
      const depth = ${DEPTH};
      const code = (run) => { try { run(); return 'taken'; } catch (error) { return error.code; } };
      const maxBytes = 256 * 1024 * 1024;
      ${script}
    `);
  const CLOSED = `
    const nested = '['.repeat(depth) + ']'.repeat(depth);
    const objects = '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
  `;

  test('at an unknown position it is kept, and comes back', () => {
    const found = run(`${CLOSED}
      answer([nested, objects].map((json) => {
        const body = '{"v":1,"events":[{"t":1,"e":5,"v":{"99":' + json + '},"a":{}}]}';
        const { events, errors } = api.parseMetricsBatch(Buffer.from(body), { maxBytes });
        const again = api.encodeMetricsBatch(events);
        return [errors.length, events[0].unknown[0].json === json, again.equals(Buffer.from(body))];
      }));
    `);
    expect(found).toEqual([
      [0, true, true],
      [0, true, true],
    ]);
  });

  test('within the limit of 16 MiB no option is needed', () => {
    const found = run(`${CLOSED}
      const { events } = api.parseMetricsBatch('{"v":1,"events":[{"t":1,"e":5,"v":{"99":' + nested + '},"a":{}}]}');
      answer(events[0].unknown[0].json.length);
    `);
    expect(found).toBe(2 * DEPTH);
  });

  test('everywhere else in a body', () => {
    const found = run(`${CLOSED}
      const bodies = [
        ['whole', (json) => json],
        ['skipped', (json) => '{"v":1,"events":[],"x":' + json + '}'],
        ['version', (json) => '{"v":' + json + ',"events":[]}'],
        ['events', (json) => '{"v":1,"events":' + json + '}'],
        ['event', (json) => '{"v":1,"events":[' + json + ']}'],
        ['time', (json) => '{"v":1,"events":[{"t":' + json + ',"e":5,"v":{},"a":{}}]}'],
        ['values', (json) => '{"v":1,"events":[{"t":1,"e":5,"v":' + json + ',"a":{}}]}'],
        ['known', (json) => '{"v":1,"events":[{"t":1,"e":5,"v":{"0":' + json + '},"a":{}}]}'],
        ['list', (json) => '{"v":1,"events":[{"t":1,"e":1,"v":{"4":[' + json + ']},"a":{}}]}'],
        ['early', (json) => '{"v":1,"events":[{"v":{"0":' + json + '},"t":1,"e":1,"a":{}}]}'],
        ['attribute', (json) => '{"v":1,"events":[{"t":1,"e":1,"v":{},"a":{"0":' + json + '}}]}'],
      ];
      const results = {};
      for (const [name, make] of bodies) {
        results[name] = [nested, objects].map((json) => {
          const body = Buffer.from(make(json));
          return code(() => {
            const { errors } = api.parseMetricsBatch(body, { maxBytes });
            if (errors.length > 0) throw errors[0];
          });
        });
      }
      answer(results);
    `);
    expect(found).toEqual({
      whole: ['ERR_INVALID_BATCH', 'ERR_INVALID_BATCH'],
      skipped: ['taken', 'taken'],
      version: ['ERR_INVALID_BATCH', 'ERR_INVALID_BATCH'],
      // A list in the list of events is an invalid event.
      events: ['ERR_WRONG_TYPE', 'ERR_INVALID_BATCH'],
      event: ['ERR_WRONG_TYPE', 'ERR_MISSING_KEY'],
      time: ['ERR_WRONG_TYPE', 'ERR_WRONG_TYPE'],
      values: ['ERR_WRONG_TYPE', 'taken'],
      known: ['taken', 'taken'],
      list: ['taken', 'taken'],
      early: ['taken', 'taken'],
      attribute: ['taken', 'taken'],
    });
  });

  test('that never closes, or closes wrongly, is no JSON', () => {
    const found = run(`
      const nests = [
        '['.repeat(depth),
        '{"a":'.repeat(depth),
        '['.repeat(depth) + ']'.repeat(depth - 1),
        '['.repeat(depth) + ']'.repeat(depth + 1),
        '['.repeat(depth) + '}'.repeat(depth),
        '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2 - 1) + ']}',
      ];
      answer(nests.flatMap((json) => [json, '{"v":1,"events":[{"t":1,"e":5,"v":{"99":' + json + '},"a":{}}]}'].map((body) =>
        code(() => api.parseMetricsBatch(Buffer.from(body), { maxBytes })))));
    `);
    expect(found).toEqual(Array(12).fill('ERR_INVALID_JSON'));
  });

  test('encoding: accepts one value, refuses anything else', () => {
    const found = run(`${CLOSED}
      const encode = (json) => code(() => {
        const unknown = [{ section: 'values', position: '99', json }];
        const body = api.encodeMetricsBatch([{ metric: 'agent_usage', timestamp: 1, values: {}, attributes: {}, unknown }]);
        if (!body.includes(json)) throw new Error('lost');
      });
      answer([nested, objects, '['.repeat(depth), nested + ']', '['.repeat(depth) + '}'.repeat(depth)].map(encode));
    `);
    expect(found).toEqual(['taken', 'taken', ...Array(3).fill('ERR_INVALID_ARGUMENT')]);
  });

  test('on the small stack of a worker', () => {
    const found = run(`${CLOSED}
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(\`
        const { parentPort, workerData } = require('node:worker_threads');
        const api = require(workerData.root);
        const { events } = api.parseMetricsBatch(workerData.body, { maxBytes: 1e9 });
        parentPort.postMessage([events[0].unknown[0].json.length, api.encodeMetricsBatch(events).length]);
      \`, {
        eval: true,
        resourceLimits: { stackSizeMb: 1 },
        workerData: {
          root: ${JSON.stringify(ROOT)},
          body: '{"v":1,"events":[{"t":1,"e":5,"v":{"99":' + objects + '},"a":{}}]}',
        },
      });
      worker.once('message', (lengths) => answer([lengths[0] === objects.length, lengths[1] - lengths[0]]));
    `);
    expect(found).toEqual([true, '{"v":1,"events":[{"t":1,"e":5,"v":{"99":},"a":{}}]}'.length]);
  });
});
