import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

test('what bodies leave behind is freed before V8 would free it', () => {
  const module = join(__dirname, '..', 'dist', 'server', 'young-memory.js');
  // A process of its own: jest's heap is so large that V8 lets much more wait.
  const script = `
    const { YoungMemory } = require(${JSON.stringify(module)});
    const young = new YoungMemory();
    const most = (took) => {
      let most = 0;
      for (let n = 0; n < 64; n++) {
        Buffer.allocUnsafeSlow(2 ** 18);
        took(2 ** 18);
        most = Math.max(most, process.memoryUsage().arrayBuffers);
      }
      return Math.round(most / 2 ** 20);
    };
    const freed = most((bytes) => young.took(bytes));
    console.log(JSON.stringify([freed < 8, most(() => {}) >= 12, typeof gc]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['[true,true,"undefined"]\n', '']);
});
