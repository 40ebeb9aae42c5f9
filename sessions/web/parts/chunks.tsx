/** Long lists in chunks. The browser skips the layout of chunks that are out of sight, but finds their text. */
import { Component, type JSX } from 'preact';

interface Props<Item> {
  class: string;
  /** Equal items must be the same objects: a chunk is drawn again only if one of its items is another. */
  items: readonly Item[];
  /** Items of a chunk: few enough to lay out at once, many enough that chunks are few. */
  size: number;
  children: (item: Item, index: number) => JSX.Element;
}

export function Chunks<Item>({ class: className, items, size, children }: Props<Item>): JSX.Element {
  const chunks: JSX.Element[] = [];
  for (let start = 0; start < items.length; start += size) {
    chunks.push(<Chunk key={start} start={start} items={items.slice(start, start + size)} draw={children} />);
  }
  return <div class={className}>{chunks}</div>;
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
