/** Asks for a key. The server keeps it in a cookie that scripts can't read. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, type Failure, SIGNED_OUT, signedOut } from '../api.ts';
import { sentence } from '../format.ts';

export function SignIn(): JSX.Element {
  const [failure, setFailure] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = 'Sign in · Sessions';
    input.current?.focus();
  }, []);
  const submit = async (event: globalThis.Event) => {
    event.preventDefault();
    setFailure(null);
    try {
      const key = input.current?.value.trim() ?? '';
      await ask('/sign-in', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ key }),
      });
      signedOut.value = null;
    } catch (error) {
      setFailure(sentence((error as Failure).message));
    }
  };
  return (
    <main id="main" class="sign-in">
      <h1>Sign in</h1>
      {signedOut.value === SIGNED_OUT && <p>{SIGNED_OUT}</p>}
      <form onSubmit={submit}>
        <label for="key">A key of role view</label>
        <input
          ref={input}
          id="key"
          type="password"
          autocomplete="current-password"
          required
          // An empty field isn't sent, and what was wrong with another key says nothing about it.
          onInput={() => setFailure(null)}
          onInvalid={() => setFailure(null)}
          aria-describedby="key-help"
        />
        <p id="key-help" class="note">
          Whoever runs this server makes one with <code>git-ai-sessions keys add --org &lt;id&gt; --role view</code>.
        </p>
        {failure !== null && (
          <p class="problem" role="alert">
            {failure}
          </p>
        )}
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </main>
  );
}
