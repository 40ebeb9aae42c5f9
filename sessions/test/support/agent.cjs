'use strict';

// A scripted agent: `node agent.cjs <script>`. Like Claude Code, it appends lines to its transcript and runs the hooks in its
// settings, each with the payload on standard input. If the script says so, it then waits until its standard input ends.

const { spawnSync } = require('node:child_process');
const { appendFileSync, existsSync, mkdirSync, readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const { steps, waits } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const settings = join(process.env.HOME, '.claude', 'settings.json');
const hooks = existsSync(settings) ? JSON.parse(readFileSync(settings, 'utf8')).hooks : {};

for (const { path, line, payload } of steps) {
  if (path !== undefined) {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, `${JSON.stringify(line)}\n`);
    continue;
  }
  for (const { command } of (hooks[payload.hook_event_name] ?? []).flatMap((group) => group.hooks)) {
    const { status, stdout, stderr } = spawnSync(command, {
      shell: true,
      input: JSON.stringify(payload),
      encoding: 'utf8',
    });
    if (status !== 0 || stdout !== '' || stderr !== '') throw new Error(`${command}: ${status} ${stdout} ${stderr}`);
  }
}
console.log('written');
if (waits) process.stdin.resume();
