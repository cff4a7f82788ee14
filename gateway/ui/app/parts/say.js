// What pages say when there is something to say: an error in the API's words, that a list is empty,
// that something is on its way.
import { html } from '../lib/html.js';

/** Problem shows an APIError, in the API's words, and offers to try again. */
export function Problem({ error, retry }) {
  if (!error) return null;
  return html`
    <div class="problem" role="alert">
      <p><strong>${error.status === 403 ? 'Not allowed' : 'That did not work'}.</strong> ${error.message}</p>
      ${error.requestId && html`<p class="note">Request <code>${error.requestId}</code>, as the logs call it.</p>`}
      ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
    </div>`;
}

/** Empty says that there is nothing, and what to do next. */
export const Empty = ({ title, children }) => html`<div class="empty"><p><strong>${title}</strong></p>${children}</div>`;

/** Waiting holds the place of what is on its way. */
export const Waiting = ({ what = 'Loading' }) => html`<p class="waiting" role="status">${what} …</p>`;
