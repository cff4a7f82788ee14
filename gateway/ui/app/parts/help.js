// The list of keys.
import { html, useEffect, useRef } from '../lib/html.js';
import { helpShown } from '../lib/keys.js';
import { session } from '../lib/session.js';
import { useStore } from '../lib/store.js';
import { offered } from '../routes.js';

const keys = [
  [['/'], 'search in the list'],
  [['j', 'k'], 'next and previous row of a list'],
  [['Enter'], 'open it'],
  [['Esc'], 'leave a field'],
  [['?'], 'this list'],
];

/** Help shows the keys as a dialog, when "?" was pressed. */
export function Help() {
  const shown = useStore(helpShown);
  const who = useStore(session);
  const dialog = useRef(null);
  useEffect(() => { if (shown) dialog.current?.showModal(); }, [shown]);
  if (!shown) return null;
  const pages = offered(who.caller).filter((r) => r.key).map((r) => [['g', r.key], r.nav]);
  return html`
    <dialog ref=${dialog} aria-labelledby="keys" onClose=${() => helpShown.set(false)}>
      <h2 id="keys">Keys</h2>
      <dl class="keys">${[...keys, ...pages].map(([names, what]) => html`
        <div><dt>${names.map((n) => html`<kbd>${n}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
      <form method="dialog" onSubmit=${(e) => { e.preventDefault(); dialog.current.close(); }}><button autofocus>Close</button></form>
    </dialog>`;
}
