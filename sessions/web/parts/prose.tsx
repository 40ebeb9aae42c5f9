/** The text of a message: code in fences and in backquotes stands out, everything else is text as it is. */
import type { JSX } from 'preact';

/** Longer texts are cut at first: laying out a megabyte would hold up the page. */
const LONGEST = 6_000;

export function Prose({ text, whole = false }: { text: string; whole?: boolean }): JSX.Element {
  const shown = whole ? text : text.slice(0, LONGEST);
  return (
    <div class="prose" dir="auto">
      {shown.split(/```/).map((part, n) =>
        n % 2 === 1 ? (
          <pre key={n}>
            <code>{part.replace(/^[\w+#.-]*\r?\n/, '').replace(/\s+$/, '')}</code>
          </pre>
        ) : (
          <Plain key={n} text={part} />
        ),
      )}
      {shown.length < text.length && (
        <p class="note">… and {text.length - shown.length} characters more, in the details</p>
      )}
    </div>
  );
}

function Plain({ text }: { text: string }): JSX.Element | null {
  const trimmed = text.replace(/^\s*\n|\s+$/g, '');
  if (trimmed === '') return null;
  return <p>{trimmed.split(/`([^`\n]+)`/).map((part, n) => (n % 2 === 1 ? <code key={n}>{part}</code> : part))}</p>;
}
