'use strict';

// Makes uploads like those of real clients, the same in every run: a few interleaved sessions, with kinds and sizes in
// realistic proportions. Half of the bytes are text of messages.

const { createHash } = require('node:crypto');

/** A small seeded generator (mulberry32), so that benchmarks see the same bytes in every run. */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000;
  };
}

const WORDS =
  'the parser crashes when a field is null so I added a check and a test that covers it let me look at file first'.split(
    ' ',
  );
const FOREIGN = ['“quoted”', 'naïve', '— really', 'größer', '日本語', '🙂'];
const TOOLS = ['Bash', 'Read', 'Grep', 'Edit', 'Write', 'Task', 'WebFetch', 'TodoWrite', 'mcp__github__get_issue'];
const CALLS = { Edit: 'FileWrite', Write: 'FileWrite', mcp__github__get_issue: 'McpCall' };

/**
 * @param {number} count events
 * @param {{ ascii?: boolean, unknown?: boolean, sessions?: number, seed?: number }} [options]
 * @returns {Buffer} the body
 */
function makeUpload(count, { ascii = true, unknown = false, sessions = 3, seed = 1 } = {}) {
  const random = randomFrom(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const hex = (length) => createHash('sha256').update(String(random())).digest('hex').slice(0, length);
  const text = (length) => {
    let out = ascii ? '' : `${pick(FOREIGN)} `;
    while (out.length < length) {
      out += pick(WORDS);
      const dice = random();
      out += dice < 0.05 ? '\n' : dice < 0.07 ? ' "x" ' : dice < 0.1 && !ascii ? ` ${pick(FOREIGN)} ` : ' ';
    }
    return out;
  };
  const open = Array.from({ length: sessions }, (_, i) => ({
    attributes: {
      0: '1.1.23',
      1: 'https://github.com/example/parser',
      2: `dev${i}@example.com`,
      5: 'main',
      20: 'claude',
      22: hex(16),
      23: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
    },
    parent: null,
    now: 1775587555123 + i * 1000,
  }));
  const events = [];
  for (let n = 0; n < count; n++) {
    const session = pick(open);
    session.now += Math.floor(random() * 9000);
    const eventId = `${session.attributes[22]}:${hex(12)}`;
    const values = { 0: 'ToolCall', 1: eventId, 2: session.parent, 3: false };
    const dice = random();
    if (dice < 0.08) {
      Object.assign(values, { 0: 'HumanMessage', 7: session.now, 10: hex(16), 11: text(random() * 700) });
    } else if (dice < 0.34) {
      Object.assign(values, { 0: 'AiMessage', 5: 'claude-opus-4-1-20250805', 7: session.now, 10: hex(16) });
      values[11] = text(900 + random() * 120).slice(0, 1000);
    } else if (dice < 0.42) {
      Object.assign(values, { 0: 'ThinkingMessage', 5: 'claude-opus-4-1-20250805', 7: session.now, 10: hex(16) });
    } else {
      const tool = pick(TOOLS);
      Object.assign(values, { 0: CALLS[tool] ?? 'ToolCall', 4: tool, 5: 'claude-opus-4-1-20250805', 7: session.now });
      values[10] = hex(16);
      if (random() < 0.8) Object.assign(values, { 6: random() < 0.05, 9: Math.floor(random() * 5000) });
    }
    if (unknown) Object.assign(values, { 40: Math.floor(random() * 1000), 41: { nested: [hex(8), null] } });
    session.parent = eventId;
    events.push({ t: Math.floor(session.now / 1000), e: 5, v: values, a: session.attributes });
  }
  return Buffer.from(JSON.stringify({ v: 1, events }));
}

/**
 * Session records as released clients send them: each event holds one record of a transcript, of 1 to 20 kB.
 *
 * @param {number} count events
 * @returns {Buffer} the body
 */
function makeSessionUpload(count, seed = 1) {
  const random = randomFrom(seed);
  const hex = (length) => createHash('sha256').update(String(random())).digest('hex').slice(0, length);
  const words = (length) => {
    let out = '';
    while (out.length < length) out += `${WORDS[Math.floor(random() * WORDS.length)]}${random() < 0.1 ? '\n' : ' '}`;
    return out;
  };
  const attributes = {
    0: '1.6.4',
    1: 'https://github.com/example/parser',
    5: 'main',
    20: 'claude',
    21: 'claude-opus-4-1-20250805',
    23: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
    24: `s_${hex(14)}`,
    25: `t_${hex(14)}`,
  };
  let parent = hex(32);
  const events = Array.from({ length: count }, (_, n) => {
    const uuid = hex(32);
    const content = [{ type: 'tool_result', tool_use_id: `toolu_${hex(24)}`, content: words(1000 * 20 ** random()) }];
    const record = {
      parentUuid: parent,
      sessionId: attributes[23],
      type: 'user',
      message: { role: 'user', content },
      uuid,
    };
    const values = { 0: record, 1: uuid, 2: parent, 3: content[0].tool_use_id };
    parent = uuid;
    return { t: 1775587555 + n, e: 5, v: values, a: attributes };
  });
  return Buffer.from(JSON.stringify({ v: 1, events }));
}

module.exports = { makeSessionUpload, makeUpload, randomFrom };
