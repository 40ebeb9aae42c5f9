import { eventId, inputHash, type PromptEvent, type PromptEventKind, promptId } from '../../index.js';

// Lists of the events that a file must give, written down by hand. Keys are the agent's own.

/** Second n of the fixtures' clock, in unix milliseconds. */
export const second = (n: number): number => Date.UTC(2026, 0, 5, 9) + n * 1000;

type Rest = Partial<PromptEvent['values']>;
interface Expected {
  kind: PromptEventKind;
  key: string;
  text: string;
  at: number | undefined;
  rest: Rest;
}

/** What a human typed at second `at`. `key` is the agent's own. */
export const human = (at: number | undefined, key: string, text: string, rest: Rest = {}): Expected => {
  return { kind: 'HumanMessage', key, text, at, rest: { inputText: text, ...rest } };
};
export const ai = (at: number | undefined, key: string, text: string, rest: Rest = {}): Expected => {
  return { kind: 'AiMessage', key, text, at, rest: { inputText: text, ...rest } };
};
export const thinking = (at: number | undefined, key: string, text: string, rest: Rest = {}): Expected => {
  return { kind: 'ThinkingMessage', key, text, at, rest };
};
/** A call; `key` is `<tool>:<call id>`. */
export const call = (at: number | undefined, key: string, rest: Rest = {}, kind: PromptEventKind = 'ToolCall') => {
  return { kind, key, text: key, at, rest: { toolCallName: key.slice(0, key.indexOf(':')), ...rest } } as Expected;
};
/** The outcome of a call that took so many seconds from its start to its end. */
export const took = (seconds: number, rest: Rest = {}): Rest => ({
  error: false,
  observedDurationMs: seconds * 1000,
  ...rest,
});

/** The values of events that follow each other, the first of them `parent`. */
export function golden(agent: string, sessionId: string, expected: Expected[], parent: string | null = null): Rest[] {
  const prompt = promptId(agent, sessionId);
  let parentId = parent;
  return expected.map(({ kind, key, text, at, rest }) => {
    const id = eventId(prompt, kind, key, 0);
    const values: Rest = {
      kind,
      eventId: id,
      parentId,
      parentIdEstimated: false,
      inputHash: inputHash(text),
      ...(at === undefined ? {} : { startTs: second(at) }),
      ...rest,
    };
    parentId = id;
    return values;
  });
}
