// The outages: open ones first, then the latest, those of an incident together.
import { html, useRef } from '../lib/html.js';
import { useChanges } from '../lib/live.js';
import { useParams } from '../lib/router.js';
import { can } from '../lib/session.js';
import { others, Refused } from '../parts/form.js';
import { usePages, Pager } from '../parts/table.js';
import { Empty, Problem, Waiting } from '../parts/say.js';
import { Filters } from './outages/filters.js';
import { Groups } from './outages/groups.js';
import { asked, fields, isFiltered, none } from './outages/query.js';
import { useIncidents } from './outages/incidents.js';

const poll = 15_000; // ms

export default function Outages() {
  const [filter, change] = useParams(none);
  const params = asked(filter);
  const open = usePages(filter.state === 'over' ? null : '/v1/outages', { params: { ...params, open: true }, every: poll });
  const all = usePages(filter.state === 'open' ? null : '/v1/outages', { params, every: poll });
  const [incidents, reread] = useIncidents();
  useChanges(() => {
    open.refresh();
    all.refresh();
    reread(); // a site that fails joins one, and says nothing of it
  });
  const filtered = isFiltered(filter);
  const first = useRef(false); // all of it is there: what is drawn first stays where it is
  first.current ||= Boolean(incidents && (filter.state === 'over' || open.data || open.error) && (filter.state === 'open' || all.data || all.error));
  const error = open.error ?? all.error;
  const refused = error && !open.data && !all.data && !others(error, fields);
  return html`
    <h1>Outages</h1>
    <${Filters} filter=${filter} change=${change} error=${error} />
    ${!first.current && html`<${Waiting} />`}
    ${first.current && refused && html`<${Refused} />`}
    ${first.current && !refused && html`<${Lists} ...${{ filter, open, all, incidents, filtered, change }} />`}`;
}

// Lists shows the open ones, and those that are over.
function Lists({ filter, open, all, incidents, filtered, change }) {
  return html`
    ${filter.state !== 'over' && html`<${List} title="Open" pages=${open} rows=${(d) => d.outages} incidents=${incidents}
      empty=${html`<${Empty} title=${filtered ? 'No open outage fits these filters' : 'No site is down'}>
        ${filtered ? html`<p><${Clear} change=${change} /></p>` : html`<p>When one goes down it appears here by itself.${can('sites:read') && html` <a href="/ui/sites?state=SITE_STATE_SUSPECT">Those that fail, and of which nobody is told yet</a>`}</p>`}<//>`} />`}
    ${filter.state !== 'open' && html`<${List} title="Over" pages=${all} rows=${(d) => d.outages.filter((o) => o.end_time)} incidents=${incidents}
      empty=${html`<${Empty} title=${filtered ? 'No earlier outage fits these filters' : 'There was no outage'}>
        ${filtered ? html`<p><${Clear} change=${change} /></p>` : html`<p>Outages appear here when they are over; they are kept.</p>`}<//>`} />`}`;
}

const Clear = ({ change }) => html`<button type="button" onClick=${() => change(none)}>Clear the filters</button>`;

function List({ title, pages, rows, incidents, empty }) {
  const shown = pages.data ? rows(pages.data) : [];
  // A page may have nothing that fits although another one follows.
  const onward = pages.data && shown.length === 0 && pages.next;
  return html`
    <section aria-label=${title}>
      <h2>${title}</h2>
      <${Problem} error=${pages.error} retry=${pages.refresh} />
      ${!pages.data && !pages.error && html`<${Waiting} />`}
      ${pages.data && shown.length === 0 && (onward ? html`<p class="note">None on this page.</p>` : empty)}
      ${shown.length > 0 && html`<${Groups} title=${title} outages=${shown} incidents=${incidents} />`}
      <${Pager} pages=${pages} />
    </section>`;
}
