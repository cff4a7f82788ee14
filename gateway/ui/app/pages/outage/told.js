// Who was told of an outage, and when that was accepted.
import { html } from '../../lib/html.js';
import { useAll } from '../../lib/history.js';
import { count } from '../../lib/numbers.js';
import { Problem, Waiting } from '../../parts/say.js';
import { Status, Time } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { delivery, told } from './story.js';

/** useNotices reads them: {list, error, refresh}; list is undefined until they are there. */
export function useNotices(id) {
  const { data, error, refresh } = useAll(`/v1/outages/${id}/notices`, { key: id, params: { page_size: 1000 }, name: 'notices', every: 10_000 });
  return { list: data?.items, error, refresh };
}

/** Told lists them. */
export function Told({ notices: { list, error, refresh } }) {
  if (!list) return error ? html`<${Problem} error=${error} retry=${refresh} />` : html`<${Waiting} />`;
  return html`
    <${Problem} error=${error} retry=${refresh} />
    ${list.length === 0 && html`<p class="note">Nobody, as far as it is kept: what was accepted is kept for 7 days, what never was for 30. Nobody is told either while a site is in maintenance, or Jetmon is muted.</p>`}
    ${list.length > 0 && html`<${Table} class="cards" caption="Who was told" rows=${list} id=${(n) => n.notification_id} columns=${columns} />`}`;
}

const columns = [
  { name: 'Who', cell: (n) => n.recipient },
  { name: 'Was told', cell: (n) => told(n.event_type) },
  { name: 'How far', cell: (n) => html`<${Status} ...${delivery(n.state)} />` },
  { name: 'Attempts', class: 'number', cell: (n) => count(n.attempt_count) },
  { name: 'Answer', cell: (n) => (n.http_status ? `HTTP ${n.http_status}` : '–') },
  { name: 'It happened', cell: (n) => html`<${Time} at=${n.create_time} />` },
  { name: 'Accepted', cell: (n) => html`<${Time} at=${n.accept_time} />` },
];
