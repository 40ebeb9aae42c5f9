import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as api from '../index.js';
import { ROOT } from './support';

// index.d.ts is written by hand, so the compiler compares it with index.js. A name that is in only one of them is an
// error.
test('index.d.ts declares the names that index.js exports, and no others', () => {
  mkdirSync(join(ROOT, 'target'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'target', 'exports-'));
  const names = Object.keys(api)
    .filter((name) => name !== 'default' && name !== 'module.exports')
    .map((name) => `'${name}'`);
  const file = join(folder, 'names.ts');
  writeFileSync(
    file,
    `import type * as api from '../../index.js';
     type Exported = ${names.join(' | ')};
     type Declared = keyof typeof api;
     export const declaredOnly: [Exclude<Declared, Exported>] extends [never] ? true : Exclude<Declared, Exported> = true;
     export const exportedOnly: [Exclude<Exported, Declared>] extends [never] ? true : Exclude<Exported, Declared> = true;
    `,
  );
  const options = '--noEmit --ignoreConfig --strict --skipLibCheck --module nodenext --target es2022 --types node';
  const { stdout, status } = spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), ...options.split(' '), file],
    { cwd: ROOT, encoding: 'utf8' },
  );
  rmSync(folder, { recursive: true });
  expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  expect(names.length).toBeGreaterThan(20);
});
