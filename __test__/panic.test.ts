import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');

/** Builds the addon with debug assertions and returns its path. Only such a build can provoke a panic. */
function buildDebugAddon(): string {
  const { status, stdout, stderr } = spawnSync(
    'cargo',
    ['build', '--lib', '--message-format=json-render-diagnostics'],
    {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    },
  );
  if (status !== 0) throw new Error(`cargo build failed:\n${stderr}`);
  const library = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'git_ai_metrics')
    .flatMap(({ filenames }): string[] => filenames)
    .find((path) => /\.(so|dylib|dll)$/.test(path));
  if (!library) throw new Error('cargo build made no dynamic library');
  // Node recognises an addon by its extension.
  const addon = join(ROOT, 'target', 'debug', 'addon', 'git-ai-metrics.node');
  mkdirSync(join(addon, '..'), { recursive: true });
  copyFileSync(library, addon);
  return addon;
}

const PROGRAM = `
  const binding = require('./lib/native.js');
  const { parseMetricsBatch } = require('./index.js');
  const caught = [];
  for (let i = 0; i < 3; i++) {
    try {
      binding.provokePanic();
    } catch ({ code, message }) {
      caught.push({ code, message });
    }
  }
  const { events } = parseMetricsBatch('{"v":1,"events":[{"t":1,"e":2,"v":{},"a":{}}]}');
  setImmediate(() => console.log(JSON.stringify({ caught, events })));
`;

test('a panic in Rust becomes ERR_INTERNAL, and the process continues', () => {
  const addon = buildDebugAddon();
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', PROGRAM], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: addon },
  });
  expect({ status, signal, failure: status === 0 ? '' : stderr }).toEqual({ status: 0, signal: null, failure: '' });
  const error = { code: 'ERR_INTERNAL', message: expect.stringContaining('provoked') };
  expect(JSON.parse(stdout)).toEqual({
    caught: [error, error, error],
    events: [{ metric: 'agent_usage', timestamp: 1, values: {}, attributes: {} }],
  });
});
