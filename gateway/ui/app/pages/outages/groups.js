// The outages of a page as tables: one for each incident, and one for all others.
import { html } from '../../lib/html.js';
import { count, plural } from '../../lib/numbers.js';
import { has } from '../../routes.js';
import { span } from '../../lib/time.js';
import { failure, sharedCause } from '../../lib/words.js';
import { Status, Time, useNow } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { group, lasted } from './query.js';

/** Groups shows them. */
export const Groups = ({ title, outages, incidents }) => group(outages, incidents).map(({ incident, outages: some }) => html`
  <div key=${incident?.incident_id ?? 'single'}>
    ${incident && html`<${Incident} incident=${incident} />`}
    <${Table} class="cards" caption=${incident ? `${title}, of incident ${incident.incident_id}` : `${title}, table`} rows=${some} id=${(o) => o.outage_id} columns=${columns} />
  </div>`);

const Incident = ({ incident }) => html`
  <h3 class="incident"><span aria-hidden="true">◆</span> Incident ${incident.incident_id}: ${plural(incident.members, 'site')} share the ${sharedCause(incident.cause)} ${incident.cause_value}</h3>
  <p class="note">${count(incident.members_down)} of them are down. Since <${Time} at=${incident.start_time} />${incident.end_time && html`, over since <${Time} at=${incident.end_time} />`}.</p>`;

const columns = [
  { name: 'State', cell: (o) => html`<${State} o=${o} />` },
  { name: 'Site', class: 'url', cell: (o) => html`<${Site} o=${o} />` },
  { name: 'Failure', cell: (o) => html`${failure(o.failure)}${o.http_status ? ` (${o.http_status})` : o.reason && html` <span class="note">${o.reason.replaceAll('_', ' ')}</span>`}` },
  { name: 'Began', cell: (o) => html`<${Time} at=${o.start_time} />` },
  { name: 'Lasted', class: 'number', cell: (o) => html`<${Lasted} o=${o} />` },
];

function State({ o }) {
  if (o.end_time) return html`<${Status} word="over" shape="●" tone="quiet" />`;
  if (o.suspend_time) return html`<${Status} word="paused" shape="‖" tone="quiet" />`;
  return html`<${Status} word="down" shape="▼" tone="bad" />`;
}

function Site({ o }) {
  const page = `/ui/outages/${o.outage_id}`;
  return has(page) ? html`<a href=${page} data-row>${o.url}</a>` : html`<span tabindex="-1" data-row>${o.url}</span>`;
}

function Lasted({ o }) {
  const now = useNow(o.end_time ? 3_600_000 : 1000);
  return span(lasted(o, now));
}
