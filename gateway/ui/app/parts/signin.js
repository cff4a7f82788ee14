// Signing in with a token.
import { html, useState } from '../lib/html.js';
import { signIn } from '../lib/session.js';
import { Field, others } from './form.js';
import { Problem } from './say.js';

/** SignIn asks for a token; why says why the one before is not taken any more. */
export function SignIn({ why }) {
  const [token, setToken] = useState('');
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signIn(token.trim());
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return html`
    <form class="signin" onSubmit=${submit}>
      <h1>Sign in</h1>
      ${why && !error && html`<p class="problem" role="alert">You were signed out: ${why}</p>`}
      <${Field} label="Token" field="token" type="password" autocomplete="current-password" required value=${token} error=${error}
        hint="jm_ and 52 characters, as jetmon tokens create prints it. It stays in a cookie that no script can read."
        onInput=${(e) => setToken(e.currentTarget.value)} />
      <${Problem} error=${others(error, ['token'])} />
      <button class="main" disabled=${busy}>${busy ? 'Signing in …' : 'Sign in'}</button>
    </form>`;
}
