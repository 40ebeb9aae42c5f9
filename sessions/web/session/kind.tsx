/** The kinds of events as words and icons. */
import type { JSX } from 'preact';

interface Kind {
  label: string;
  /** The path of a 16 × 16 icon, stroked. */
  icon: string;
}

const KINDS: Record<string, Kind> = {
  HumanMessage: {
    label: 'Human',
    icon: 'M8 8a2.7 2.7 0 1 0 0-5.4A2.7 2.7 0 0 0 8 8zM3 13.5c.6-2.6 2.6-4 5-4s4.4 1.4 5 4',
  },
  AiMessage: { label: 'Agent', icon: 'M8 2l1.5 4.5L14 8l-4.500 1.500L8 14l-1.500-4.500L2 8l4.500-1.500z' },
  ThinkingMessage: { label: 'Thinking', icon: 'M4 8h.01M8 8h.01M12 8h.01' },
  ToolCall: { label: 'Tool', icon: 'M3 4l4 4-4 4M8.500 12H13' },
  FileWrite: { label: 'File', icon: 'M3 13l.7-3L10.500 3.200l2.300 2.300L6 12.300z' },
  SkillInvocation: {
    label: 'Skill',
    icon: 'M8 2.500l1.700 3.500 3.800.5-2.800 2.700.7 3.800L8 11.200 4.600 13l.7-3.800L2.500 6.500 6.300 6z',
  },
  McpCall: { label: 'MCP', icon: 'M6 2.500v3M10 2.500v3M4 5.500h8V8a4 4 0 0 1-8 0zM8 12v2' },
  SessionEnd: { label: 'End', icon: 'M4 4h8v8H4z' },
};
const OTHER: Kind = { label: 'Event', icon: 'M8 4v5M8 12h.01' };

export const kindLabel = (kind: string | null): string => (KINDS[kind ?? ''] ?? OTHER).label;

export const KindIcon = ({ kind }: { kind: string | null }): JSX.Element => (
  <svg class={`kind ${kind ?? 'unknown'}`} viewBox="0 0 16 16" aria-hidden="true">
    <path d={(KINDS[kind ?? ''] ?? OTHER).icon} />
  </svg>
);
