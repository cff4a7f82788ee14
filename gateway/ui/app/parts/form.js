// Forms: each field has its name, and beside it what the API has refused about it.
import { html, useEffect, useId, useRef } from '../lib/html.js';

/**
 * Field is a field with its label. of is a component or "input", "select", "textarea"; error is the
 * APIError of the latest try, and field the API's name of this field in it. The other properties
 * are the element's own.
 */
export function Field({ label, field = '', hint = '', error = null, as = 'input', children, ...own }) {
  const id = useId();
  const refused = refusal(error, field);
  const about = [hint && `${id}-hint`, refused && `${id}-refused`].filter(Boolean).join(' ');
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <${as} id=${id} name=${field || undefined} aria-invalid=${refused ? 'true' : undefined} aria-describedby=${about || undefined} ...${own}>${children}<//>
      ${hint && html`<small id="${id}-hint" class="note">${hint}</small>`}
      ${refused && html`<small id="${id}-refused" class="refused">${refused}</small>`}
    </div>`;
}

/**
 * useFormFocus returns a ref for a form that opens within a page: its first field gets the focus, and after
 * a refusal the first field that is at fault.
 */
export function useFormFocus(error) {
  const form = useRef(null);
  useEffect(() => {
    const field = form.current?.querySelector(error ? '[aria-invalid="true"]' : 'input, select, textarea');
    field?.focus();
  }, [error]);
  return form;
}

/** useReturn gives the focus to its ref when a form is closed again: the button that opened it. */
export function useReturn(open) {
  const button = useRef(null);
  const was = useRef(open);
  useEffect(() => {
    if (was.current && !open) button.current?.focus();
    was.current = open;
  }, [open]);
  return button;
}

/** refusal returns what an APIError says of a field and of what is in it, as tags and tags[0]. */
export function refusal(error, field) {
  return field ? Object.entries(error?.fields ?? {}).filter(([name]) => within(name, field)).map(([, words]) => words).join('; ') : '';
}

const within = (name, field) => name === field || name.startsWith(`${field}[`) || name.startsWith(`${field}.`);

/** others returns the error when it is about something else than these fields, else null. */
export function others(error, fields) {
  const named = Object.keys(error?.fields ?? {});
  return error && !(named.length > 0 && named.every((name) => fields.some((f) => within(name, f)))) ? error : null;
}

/** Refused stands where a list would be, when what the API has refused is said beside the fields above. */
export const Refused = () => html`<p class="note">Nothing is listed before what is refused above is mended.</p>`;
