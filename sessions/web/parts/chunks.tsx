/**
 * Long lists in chunks. Each frame draws a few, from where the reader is, so that the page answers in between. The browser
 * skips the layout of chunks that are out of sight, but finds their text.
 */
import { Component, type JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

interface Props<Item> {
  class: string;
  /** Equal items must be the same objects: a chunk is drawn again only if one of its items is another. */
  items: readonly Item[];
  /** What a chunk may weigh: little enough to lay out at once, enough that chunks are few. */
  size: number;
  weigh?: (item: Item) => number;
  /** The item to begin with. */
  first: number;
  children: (item: Item, index: number) => JSX.Element;
}

/** Chunks that are drawn in one frame. */
const AT_ONCE = 3;

export function Chunks<Item>({ class: className, items, size, weigh, first, children }: Props<Item>): JSX.Element {
  const starts = useMemo(() => startsOf(items, size, weigh), [items]);
  const drawn = useRef(new Set<number>()).current;
  const list = useRef<HTMLDivElement>(null);
  const [, setRound] = useState(0);
  const from = Math.max(
    0,
    starts.findLastIndex((start) => start <= first),
  );
  for (const near of [from - 1, from, from + 1]) drawn.add(near);
  useEffect(() => {
    if (starts.every((_, n) => drawn.has(n))) return;
    const frame = requestAnimationFrame((round) => {
      const near = inSight(list.current) ?? from;
      const left = starts.map((_, n) => n).filter((n) => !drawn.has(n));
      left.sort((a, b) => Math.abs(a - near) - Math.abs(b - near));
      for (const n of left.slice(0, AT_ONCE)) drawn.add(n);
      setRound(round);
    });
    return () => cancelAnimationFrame(frame);
  });
  return (
    <div class={className} ref={list}>
      {starts.map((start, n) => (
        <Chunk
          key={n}
          start={start}
          items={drawn.has(n) ? items.slice(start, starts[n + 1] ?? items.length) : NOT_DRAWN}
          draw={children}
        />
      ))}
    </div>
  );
}

const NOT_DRAWN: readonly never[] = [];

/** Where each chunk begins. Items that come behind the others don't move these. */
function startsOf<Item>(items: readonly Item[], size: number, weigh: (item: Item) => number = () => 1): number[] {
  const starts: number[] = [];
  let weight = size;
  for (const [n, item] of items.entries()) {
    if (weight >= size) {
      starts.push(n);
      weight = 0;
    }
    weight += weigh(item);
  }
  return starts;
}

/** The chunk in the middle of the window. */
function inSight(list: HTMLElement | null): number | null {
  if (list === null) return null;
  const { left, width } = list.getBoundingClientRect();
  const chunk = document.elementFromPoint(left + width / 2, innerHeight / 2)?.closest('.chunk');
  return chunk?.parentElement === list ? [...list.children].indexOf(chunk) : null;
}

interface ChunkProps<Item> {
  start: number;
  items: readonly Item[];
  draw: (item: Item, index: number) => JSX.Element;
}

class Chunk<Item> extends Component<ChunkProps<Item>> {
  override shouldComponentUpdate({ items }: ChunkProps<Item>): boolean {
    return items.length !== this.props.items.length || items.some((item, n) => item !== this.props.items[n]);
  }

  override render({ start, items, draw }: ChunkProps<Item>): JSX.Element {
    return (
      <ol class="chunk" start={start + 1}>
        {items.map((item, n) => draw(item, start + n))}
      </ol>
    );
  }
}
