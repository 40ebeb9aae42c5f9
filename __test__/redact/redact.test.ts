import fc from 'fast-check';
import { captureHook, parseClaudeTranscript } from '../../index.js';
import { thrown } from '../support';
import { NEGATIVES, POSITIVES } from './corpus';

const line = (text: string) =>
  JSON.stringify({ type: 'user', timestamp: '2026-05-01T12:00:00.000Z', message: { content: text } });

function events(texts: string[], redact?: boolean) {
  return parseClaudeTranscript(texts.map(line).join('\n'), { sessionId: 's', homeDir: '', redact });
}

/** The `inputText` of events with these texts. */
const shown = (texts: string[]) => events(texts, true).map(({ values }) => values.inputText as string);
const mask = (text: string) => shown([text])[0];

describe('the corpus', () => {
  const recall = shown(POSITIVES.map(({ text }) => text));
  const precision = shown(NEGATIVES);
  const missed = POSITIVES.filter(({ secret }, n) => recall[n].includes(secret));
  const wrong = NEGATIVES.flatMap((text, n) => (precision[n] === text ? [] : [[text, precision[n]]]));

  test('is large', () => {
    expect(POSITIVES.length).toBeGreaterThanOrEqual(150);
    expect(NEGATIVES.length).toBeGreaterThanOrEqual(150);
  });

  test(`every secret is masked: a recall of 1 over ${POSITIVES.length} texts`, () => expect(missed).toEqual([]));
  test(`nothing else is: a precision of 1 over ${NEGATIVES.length} more`, () => expect(wrong).toEqual([]));

  test('no nine characters in a row of a secret stay', () => {
    for (const [n, { secret }] of POSITIVES.entries()) {
      for (let at = 0; at + 9 <= secret.length; at++) expect(recall[n]).not.toContain(secret.slice(at, at + 9));
    }
  });
});

describe('the form', () => {
  test('first four characters, eight stars, last four', () => {
    expect(mask(`token=ab1${'X9'.repeat(10)}z7Qd`)).toBe('token=ab1X********z7Qd');
  });

  test('a short secret is masked completely', () => {
    expect(mask('password: "Tr0ub4dor&3"')).toBe('password: "********"');
  });

  test('a private key’s first and last lines stay', () => {
    const body = 'MIIEabcd\nefgh+/12\nwxyz';
    expect(mask(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\nok`)).toBe(
      '-----BEGIN PRIVATE KEY-----\nMIIE********wxyz\n-----END PRIVATE KEY-----\nok',
    );
  });

  test('one that was cut off is masked to its end', () => {
    expect(mask('-----BEGIN EC PRIVATE KEY-----\nMIIEabcdefgh0123456789')).toBe(
      '-----BEGIN EC PRIVATE KEY-----\nMIIE********6789',
    );
  });

  test('only the password of a URL is masked', () => {
    expect(mask('amqp://app:s3cr3t-Rabbit-2026@mq.internal:5672/vhost')).toBe(
      'amqp://app:s3cr********2026@mq.internal:5672/vhost',
    );
  });

  test('characters are never cut in half', () =>
    expect(mask('passwd="ŻółwŻółwŻółwŻółw1"')).toBe('passwd="Żółw********ółw1"'));
});

test('off unless asked for', () => {
  const text = 'password: "Tr0ub4dor&3"';
  expect(events([text])[0].values.inputText).toBe(text);
  expect(events([text], false)[0].values.inputText).toBe(text);
});

test('ids and hashes are of the text as it is', () => {
  const texts = POSITIVES.map(({ text }) => text);
  const identities = (redact: boolean) =>
    events(texts, redact).map(({ values: { eventId, inputHash } }) => [eventId, inputHash]);
  expect(identities(true)).toEqual(identities(false));
});

test('masked before it is cut: no secret that crosses the 1,024th byte shows its start', () => {
  const { secret } = POSITIVES[0];
  for (let before = 1000; before < 1024; before++) {
    const text = `${'word '.repeat(205).slice(0, before - 1)} ${secret} and more`;
    const found = mask(text);
    expect(Buffer.byteLength(found)).toBeLessThanOrEqual(1024);
    expect(found).not.toContain(secret.slice(0, 5));
  }
});

test('a hook’s prompt and the assistant’s last words are masked too', () => {
  const hook = (name: string, key: string) =>
    JSON.stringify({ session_id: 's', hook_event_name: name, [key]: 'password="Tr0ub4dor&3"' });
  for (const input of [hook('UserPromptSubmit', 'prompt'), hook('Stop', 'last_assistant_message')]) {
    expect(captureHook('cursor', input, { redact: true }).events[0].values.inputText).toBe('password="********"');
    expect(captureHook('cursor', input).events[0].values.inputText).toBe('password="Tr0ub4dor&3"');
  }
});

test('any text: everything else stays unchanged', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom(
      'password=',
      'token: ',
      '://',
      '@',
      '-----BEGIN ',
      'PRIVATE KEY',
      '-----',
      'Bearer ',
      '"',
      '\\n',
      '/',
      '=',
    ),
    fc.constantFrom(...POSITIVES.map(({ secret }) => secret)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const [plain] = events([text], false);
      if (plain === undefined) return;
      const found = mask(text);
      // The parts between masks occur in the text, in this order.
      let at = 0;
      const parts = found.split('********');
      const source = Buffer.from(text).toString();
      for (const [n, part] of parts.entries()) {
        const isLast = n === parts.length - 1;
        const word = isLast
          ? Buffer.from(part)
              .subarray(0, 900)
              .toString()
              .replace(/\ufffd+$/, '')
          : part;
        const place = source.indexOf(word, at);
        expect(place).toBeGreaterThanOrEqual(at);
        at = place;
      }
    }),
    { numRuns: 500 },
  );
});

test('an option that is no boolean is refused', () => {
  expect(thrown(() => parseClaudeTranscript('', { sessionId: 's', redact: 1 as never }))).toEqual({
    code: 'ERR_INVALID_ARGUMENT',
    message: 'options.redact: expected a boolean, found 1',
  });
  expect(thrown(() => captureHook('claude', '{}', { redact: 'yes' as never })).code).toBe('ERR_INVALID_ARGUMENT');
});
