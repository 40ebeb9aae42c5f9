'use strict';

// Reads a transcript to its end and prints the peak memory of this process in bytes.

const { readFileSync } = require('node:fs');
const { ClaudeTranscriptReader } = require('..');

/**
 * Returns the peak memory in bytes. On Linux, `resourceUsage` of a child includes its parent's peak, so read /proc
 * there.
 */
function mostMemory() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

const before = mostMemory();
const reader = new ClaudeTranscriptReader(process.argv[2], { sessionId: 's' });
while (reader.read().length > 0);
console.log(JSON.stringify({ before, peak: mostMemory() }));
