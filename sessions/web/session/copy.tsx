import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

/** Copies a text, and says that it did. */
export function CopyButton({ text, what }: { text: string; what: string }): JSX.Element {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = async () => {
    setCopied(await write(text));
    setTimeout(() => setCopied(null), 2000);
  };
  return (
    <button type="button" class="copy" onClick={copy} title={`Copy ${what}`}>
      <span>{copied === null ? 'copy' : copied ? 'copied' : 'select it by hand'}</span>
      <span class="hidden"> {what}</span>
    </button>
  );
}

/** Browsers have a clipboard on localhost and behind TLS only. */
async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
