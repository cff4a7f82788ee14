// The outages of one site, the newest first.
import { html, useEffect } from '../lib/html.js';
import { span } from '../lib/time.js';
import { failure } from '../lib/words.js';
import { Status, Time } from './show.js';
import { List, usePages } from './table.js';

const size = 10;

/** SiteOutages lists them by pages. It reads anew when changes changes; but is the id of one to leave out. */
export function SiteOutages({ id, changes = '', but = '' }) {
  const pages = usePages('/v1/outages', { params: { site_id: id }, size, every: 60_000 });
  useEffect(() => pages.refresh(), [changes]);
  return html`
    <${List} pages=${pages} rows=${(data) => data.outages.filter((o) => o.outage_id !== but)} class="cards" caption="Outages of this site" id=${(o) => o.outage_id} columns=${columns}
      empty=${html`<p class="note">There ${but ? 'is no other' : 'was none'}.</p>`} />`;
}

const columns = [
  { name: 'Outage', cell: (o) => html`<a href="/ui/outages/${o.outage_id}" data-row>${o.outage_id}</a>` },
  { name: 'State', cell: (o) => (o.end_time ? html`<${Status} word="over" shape="✓" tone="quiet" />` : html`<${Status} word="open" shape="▼" tone="bad" />`) },
  { name: 'Why', cell: (o) => `${failure(o.failure)}${o.http_status ? `, HTTP ${o.http_status}` : ''}` },
  { name: 'From', cell: (o) => html`<${Time} at=${o.start_time} />` },
  { name: 'To', cell: (o) => html`<${Time} at=${o.end_time} />` },
  { name: 'Lasted', class: 'number', cell: (o) => (o.end_time ? span(new Date(o.end_time) - new Date(o.start_time)) : 'goes on') },
];
