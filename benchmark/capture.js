'use strict';

// Transcripts: reads one of 50 MB, against the code you would write in JavaScript, and measures the cost of following
// one.

const { spawnSync } = require('node:child_process');
const { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { ClaudeTranscriptReader, parseClaudeTranscript } = require('..');
const { compare, isCheckOnly } = require('./harness.js');
const { parseTranscript } = require('./transcript-rival.js');
const { shortLines, transcriptFile } = require('./transcripts.js');

const SESSION = '6d9a3c1e-58f0-4a55-9f7e-0d5a9ce41b11';
const MEGABYTE = 1 << 20;
const READ_TRANSCRIPT = join(__dirname, 'read-transcript.js');

/** @returns {Promise<import('./harness.js').Ratio[]>} */
async function capture() {
  if (isCheckOnly()) return benchWhole();
  return [...(await benchWhole()), ...(await benchPolls()), ...benchMemory()];
}

async function benchWhole() {
  const { path, bytes } = transcriptFile(isCheckOnly() ? 1 : 50);
  const jsonl = readFileSync(path);
  const times = await compare(`A transcript of ${(bytes / 1e6).toFixed(0)} MB`, {
    'split + JSON.parse': () => parseTranscript(jsonl, SESSION),
    parseClaudeTranscript: () => parseClaudeTranscript(jsonl, { sessionId: SESSION }),
  });
  const ratio = times['split + JSON.parse'] / times.parseClaudeTranscript;
  return [{ what: 'parseClaudeTranscript against split + JSON.parse', ratio, target: 6 }];
}

/** Measures a poll that finds one new line, for transcripts of different lengths. */
async function benchPolls() {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-bench-'));
  try {
    const polls = Object.fromEntries(
      [1, 50].map((megabytes) => {
        const path = join(folder, `${megabytes}.jsonl`);
        copyFileSync(transcriptFile(megabytes).path, path);
        const reader = new ClaudeTranscriptReader(path, { sessionId: SESSION });
        while (reader.read().length > 0);
        let n = 0;
        const poll = () => {
          appendFileSync(path, `{"type":"user","message":{"content":"line ${n++}"}}\n`);
          return reader.read().length;
        };
        return [`append and poll, ${megabytes} MB`, poll];
      }),
    );
    const [short, long] = Object.values(await compare('A poll with one new line', polls));
    return [{ what: 'a poll at 50 MB against one at 1 MB', ratio: long / short, atMost: 1.5 }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Measures the peak memory of a process that reads a transcript to its end, including Node's own. */
function benchMemory() {
  console.log('\nMemory of a process that reads a transcript');
  const memoryOf = (what, { path }) => {
    const { stdout } = spawnSync(process.execPath, [READ_TRANSCRIPT, path], { encoding: 'utf8' });
    const { before, peak } = JSON.parse(stdout);
    const inMegabytes = (bytes) => `${(bytes / MEGABYTE).toFixed(0)} MB`;
    console.log(`  ${what.padEnd(36)} ${inMegabytes(peak)}, ${inMegabytes(before)} before reading`);
    return { what: `most memory of a process that reads ${what}, in MB`, ratio: peak / MEGABYTE };
  };
  return [
    { ...memoryOf('50 MB', transcriptFile(50)), atMost: 64 },
    { ...memoryOf('500 MB', transcriptFile(500)), atMost: 64 },
    // Larger than any real session, so it has no target. The reader remembers 340,000 calls.
    memoryOf('100 MB of short calls', transcriptFile(100, shortLines)),
  ];
}

module.exports = capture;
