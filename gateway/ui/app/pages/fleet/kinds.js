// What the sites that are down fail with.
import { html } from '../../lib/html.js';
import { count } from '../../lib/numbers.js';
import { useGet } from '../../lib/query.js';
import { can } from '../../lib/session.js';
import { failure } from '../../lib/words.js';
import { Table } from '../../parts/table.js';
import { byKind } from './sum.js';

const most = 1000; // open outages that are looked at
const poll = 30_000; // ms

/** useOpenOutages reads the open outages for Kinds. */
export const useOpenOutages = () => useGet(can('outages:read') ? '/v1/outages' : null, { params: { open: true, page_size: most }, every: poll });

/** Kinds counts the open outages by their failure. */
export function Kinds({ open: { data } }) {
  if (!data || data.outages.length === 0) return null;
  const columns = [
    { name: 'Failure', cell: (k) => html`<a href="/ui/outages?state=open&kind=${k.kind}">${failure(k.kind)}</a>` },
    { name: 'Sites', class: 'number', cell: (k) => count(k.outages) },
    { name: 'Share', cell: (k) => html`<meter min="0" max=${data.outages.length} value=${k.outages} aria-label="Share"></meter>` },
  ];
  return html`
    <h2>Down, by failure</h2>
    <div class="narrow"><${Table} caption="Open outages by failure" columns=${columns} rows=${byKind(data.outages)} id=${(k) => k.kind} /></div>
    ${data.next_page_token && html`<p class="note">Of the ${count(most)} newest.</p>`}`;
}
