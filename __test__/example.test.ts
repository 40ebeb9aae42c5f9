import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeMetricsBatch,
  eventId,
  inputHash,
  type MetricEvent,
  type PromptEvent,
  parseMetricsBatch,
  promptId,
} from '../index.js';

const EXAMPLES = join(__dirname, '../examples');
const body = readFileSync(join(EXAMPLES, 'upload.json'));
const { events, errors } = parseMetricsBatch(body);

const isPrompt = (event: MetricEvent): event is PromptEvent => event.metric === 'prompt_event';

describe('the sample upload', () => {
  test('equals the output of its script', () => {
    const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-example-'));
    try {
      copyFileSync(join(EXAMPLES, 'make-upload.mjs'), join(folder, 'make-upload.mjs'));
      expect(spawnSync(process.execPath, [join(folder, 'make-upload.mjs')]).status).toBe(0);
      expect(readFileSync(join(folder, 'upload.json'), 'utf8')).toBe(body.toString('utf8'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('decodes without a fault and survives the round trip', () => {
    expect(errors).toEqual([]);
    expect(JSON.parse(encodeMetricsBatch(events).toString('utf8'))).toEqual(JSON.parse(body.toString('utf8')));
  });

  test('has every metric, kind and field, and unknown ones', () => {
    // Compare with the wire, so that a field that decoding forgot can't go unnoticed.
    const wire: { events: { e: number; v: object; a: object }[] } = JSON.parse(body.toString('utf8'));
    const positions = (metric: number) =>
      [...new Set(wire.events.filter(({ e }) => e === metric).flatMap(({ v }) => Object.keys(v).map(Number)))].sort(
        (a, b) => a - b,
      );
    const upTo = (last: number) => Array.from({ length: last + 1 }, (_, position) => position);
    expect(positions(1)).toEqual(upTo(12));
    expect(positions(2)).toEqual([]);
    expect(positions(3)).toEqual(upTo(2));
    expect(positions(4)).toEqual(upTo(6));
    expect(positions(5)).toEqual([...upTo(15), 40]);
    const attributes = new Set(wire.events.flatMap(({ a }) => Object.keys(a).map(Number)));
    expect([...attributes].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 20, 21, 22, 23, 30]);

    expect(new Set(events.map(({ metric }) => metric))).toEqual(
      new Set(['committed', 'agent_usage', 'install_hooks', 'checkpoint', 'prompt_event', 'unknown']),
    );
    expect(new Set(events.filter(isPrompt).map(({ values }) => values.kind))).toEqual(
      new Set([
        'HumanMessage',
        'AiMessage',
        'ThinkingMessage',
        'ToolCall',
        'FileWrite',
        'SkillInvocation',
        'McpCall',
        'SessionEnd',
      ]),
    );
    expect(events.flatMap(({ unknown }) => unknown ?? [])).toEqual([
      { section: 'values', position: '40', json: '{"hunks":2}' },
      { section: 'values', position: '0', json: '"diff_view"' },
      { section: 'values', position: '1', json: '12' },
    ]);
  });

  test('has the ids of its session', () => {
    const prompts = events.filter(isPrompt);
    const session = prompts[0]?.attributes.externalPromptId ?? '';
    const id = promptId('claude', session);
    let parent: string | null = null;
    for (const [index, { values, attributes }] of prompts.entries()) {
      expect(attributes.promptId).toBe(id);
      expect(values.parentId).toBe(parent);
      if (values.inputText) {
        expect(values.eventId).toBe(eventId(id, values.kind as 'HumanMessage', values.inputText, index));
        expect(values.inputHash).toBe(inputHash(values.inputText));
      }
      if (values.kind === 'SessionEnd')
        expect(values.eventId).toBe(eventId(id, 'SessionEnd', `user_quit:${parent}`, 0));
      parent = values.eventId ?? null;
    }
  });
});
