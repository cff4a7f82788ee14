// What is still to be told, and what could not be, for those who may read notifications.
import { html } from '../../lib/html.js';
import { count } from '../../lib/numbers.js';
import { useGet } from '../../lib/query.js';
import { can } from '../../lib/session.js';
import { Ago, Figure, Figures } from '../../parts/show.js';
import { atLeast, oldest } from './sum.js';

const most = 1000; // notifications that are looked at
const poll = 15_000; // ms
const states = (...names) => names.map((n) => `NOTIFICATION_STATE_${n}`);

/** useNotifications reads, for Deliveries, those in some states, as "DEAD". */
export const useNotifications = (...names) => useGet(can('notifications:manage') ? '/v1/notifications' : null, {
  params: { states: states(...names), page_size: most }, every: poll,
});

/** Deliveries shows how many wait, since when, and how many are dead letters. */
export function Deliveries({ waiting: { data: waiting }, dead: { data: dead } }) {
  if (!waiting || !dead) return null;
  const first = oldest(waiting.notifications);
  return html`
    <h2>Deliveries</h2>
    <${Figures} label="Deliveries">
      <${Figure} name="Waiting" value=${atLeast(waiting, count)} note=${first ? html`the oldest ${waiting.next_page_token ? 'of them ' : ''}since <${Ago} at=${first} />` : 'nothing waits'} />
      <${Figure} name="Dead letters" value=${atLeast(dead, count)} note=${dead.notifications.length ? 'kept for 30 days, to be replayed: jetmon notifications replay' : 'there are none'} tone=${dead.notifications.length ? 'fair' : 'good'} />
    <//>`;
}
