import fc from 'fast-check';
import { FIXTURES, fixture } from './transcripts';

// Transcripts composed of the fixtures' lines at random. Lines come from any fixture in any order, and calls keep meeting
// results, progress and copies that were written for others, since a few names are shared by all.

const LINES = FIXTURES.flatMap((name) => fixture(name).split('\n'));

const line = fc.record({
  text: fc.constantFrom(...LINES),
  call: fc.nat(3),
  seconds: fc.nat(5000),
});

/** Ends a transcript in a way that leaves no prompt waiting: what becomes of one, a reader knows only later. */
export const CLOSING = [
  '{"type":"user","message":{"content":"Good night"},"timestamp":"2026-01-07T00:00:00.000Z"}',
  '{"type":"assistant","message":{"content":[{"type":"text","text":"Good night"}]},"timestamp":"2026-01-07T00:00:01.000Z"}',
];

/** Empties the queue. A prompt in it whose text isn't known can be the one of the next line, and then the others wait on. */
const EMPTYING =
  '{"type":"queue-operation","operation":"popAll","timestamp":"2026-01-06T23:00:00.000Z","sessionId":"0c1d"}';

/** The lines of a transcript, without their newlines. */
export const transcriptLines = (maxLength: number): fc.Arbitrary<string[]> =>
  fc.array(line, { maxLength, size: 'max' }).map((lines) => [
    ...lines.map(({ text, call, seconds }) => {
      const time = new Date(Date.UTC(2026, 0, 6) + seconds * 1000).toISOString();
      return text
        .replace(/"(toolu_|t)(\d+)"/g, `"$1$2_${call}"`)
        .replace(/("timestamp":)"2026-01-05T[\d:.]*Z"/g, `$1"${time}"`);
    }),
    EMPTYING,
    ...CLOSING,
  ]);
