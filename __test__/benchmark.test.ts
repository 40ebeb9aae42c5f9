import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// A benchmark whose rivals do different work measures nothing. Each compares answers before it measures; here that is all
// it does.

const { checkOnly, compare } = require('../benchmark/harness.js');
const RUN = join(__dirname, '..', 'benchmark', 'run.js');

test.each(['codec', 'rows', 'capture'])('all rivals of the benchmark %s give the same answers', (name) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, name, '--check'], { encoding: 'utf8' });
  expect({ status, stderr: stderr.slice(0, 2000) }).toEqual({ status: 0, stderr: '' });
  expect(stdout).not.toBe('');
});

test('different answers end a benchmark before it measures', async () => {
  checkOnly();
  const rivals = { one: () => [1], two: () => [1, 2] };
  await expect(compare('Lists', rivals)).rejects.toThrow('Lists: two and one give different answers');
  expect(await compare('Lists', rivals, { unchecked: ['two'] })).toEqual({ one: Number.NaN, two: Number.NaN });
});
