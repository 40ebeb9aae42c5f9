'use strict';

// Reads the transcript that is given to its end, and prints the most memory that this process has taken, in bytes.

const { readFileSync } = require('node:fs');
const { ClaudeTranscriptReader } = require('..');

/** Linux counts what the parent took to what `resourceUsage` tells of a child. */
function mostMemory() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

const before = mostMemory();
const reader = new ClaudeTranscriptReader(process.argv[2], { sessionId: 's' });
while (reader.read().length > 0);
console.log(JSON.stringify({ before, peak: mostMemory() }));
