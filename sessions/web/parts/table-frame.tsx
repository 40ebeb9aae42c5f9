/** Where a table scrolls sideways if it must, also by keyboard. */
import type { ComponentChildren, JSX } from 'preact';

export const TableFrame = ({ label, children }: { label: string; children: ComponentChildren }): JSX.Element => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be in reach of the keyboard
  <section class="table-frame" aria-label={label} tabIndex={0}>
    {children}
  </section>
);
