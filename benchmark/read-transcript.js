'use strict';

// Reads the transcript that is given, piece by piece, and prints the most memory that this process has taken, in bytes.

const { readFileSync } = require('node:fs');
const { ClaudeTranscriptReader } = require('..');

/** Linux counts what the parent took to what `resourceUsage` tells of a child. */
function mostMemory() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(kilobytes) * 1024;
}

const before = mostMemory();
const reader = new ClaudeTranscriptReader(process.argv[2], { sessionId: 's' });
while (reader.read(250).length > 0);
console.log(JSON.stringify({ before, peak: mostMemory() }));
