// The alarms, each with what to do.
import { html } from '../../lib/html.js';
import { has } from '../../routes.js';
import { alarm } from '../../lib/words.js';
import { Ago, Words } from '../../parts/show.js';

/** Alarms lists them; without any it says so. */
export const Alarms = ({ alarms }) => html`
  <h2>Alarms</h2>
  ${alarms.length === 0 && html`<p class="note">There are none.</p>`}
  ${alarms.length > 0 && html`<ul class="alarms">${alarms.map((a) => html`<${Alarm} key=${`${a.kind} ${a.site_id} ${a.message}`} a=${a} />`)}</ul>`}`;

function Alarm({ a }) {
  const { title, advice } = alarm(a.kind);
  const page = `/ui/sites/${a.site_id}`;
  return html`
    <li class=${a.site_id === '0' ? 'bad' : 'fair'}>
      <p><span aria-hidden="true">${a.site_id === '0' ? '▼' : '◆'}</span> <strong>${title}</strong> <${Words} text=${a.message} />${' '}
        ${a.url && (has(page) ? html`<a href=${page}>${a.url}</a>` : a.url)} <span class="note">since <${Ago} at=${a.raise_time} /></span></p>
      ${advice && html`<p>${advice}</p>`}
    </li>`;
}
