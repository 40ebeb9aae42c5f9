#!/usr/bin/env node
// Checks before a release that every platform's package holds an addon and that none is a debug build.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDebugBuild, ROOT } from './addon.mjs';

for (const platform of readdirSync(join(ROOT, 'npm'))) {
  const folder = join(ROOT, 'npm', platform);
  const addons = readdirSync(folder).filter((name) => name.endsWith('.node'));
  if (addons.length !== 1) throw new Error(`expected one addon in ${folder}, found ${addons.length}`);
  if (isDebugBuild(join(folder, addons[0])))
    throw new Error(`${folder} holds a debug build: build it with npm run build`);
}
