// Forms: each field has its name, and beside it what the API has refused about it.
import { html, useId } from '../lib/html.js';

/**
 * Field is a field with its label. of is a component or "input", "select", "textarea"; error is the
 * APIError of the latest try, and field the API's name of this field in it. The other properties
 * are the element's own.
 */
export function Field({ label, field = '', hint = '', error = null, as = 'input', children, ...own }) {
  const id = useId();
  const refused = error?.fields?.[field] ?? '';
  const about = [hint && `${id}-hint`, refused && `${id}-refused`].filter(Boolean).join(' ');
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <${as} id=${id} name=${field || undefined} aria-invalid=${refused ? 'true' : undefined} aria-describedby=${about || undefined} ...${own}>${children}<//>
      ${hint && html`<small id="${id}-hint" class="note">${hint}</small>`}
      ${refused && html`<small id="${id}-refused" class="refused">${refused}</small>`}
    </div>`;
}

/** others returns the error when it is about something else than these fields, else null. */
export function others(error, fields) {
  const named = Object.keys(error?.fields ?? {});
  return error && !(named.length > 0 && named.every((f) => fields.includes(f))) ? error : null;
}
