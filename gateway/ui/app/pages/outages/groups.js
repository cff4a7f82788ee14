// The outages of a page as tables: one for each incident, and one for all others.
import { html, useState } from '../../lib/html.js';
import { count, plural } from '../../lib/numbers.js';
import { has } from '../../routes.js';
import { span } from '../../lib/time.js';
import { failure, sharedCause } from '../../lib/words.js';
import { Status, Time, useNow } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { group, lasted } from './query.js';

/** Groups shows them. */
export const Groups = ({ title, outages, incidents }) => group(outages, incidents).map(({ incident, outages: some }) => (incident
  ? html`<${Incident} key=${incident.incident_id} title=${title} incident=${incident} outages=${some} />`
  : html`<${Outages} key="single" caption="${title}, table" outages=${some} />`));

const Outages = ({ caption, outages }) => html`<${Table} class="cards" caption=${caption} rows=${outages} id=${(o) => o.outage_id} columns=${columns} />`;

// Incident says what its sites share. Thousands may fail at once: they are shown to who opens it.
function Incident({ title, incident, outages }) {
  const [opened, setOpened] = useState(false);
  const ended = incident.end_time;
  return html`
    <section class="incident" aria-label="Incident ${incident.incident_id}">
      <h3><button type="button" class="opens" data-row aria-expanded=${String(opened)} onClick=${() => setOpened(!opened)}>
        <span aria-hidden="true">${opened ? '▾' : '▸'}</span> Incident ${incident.incident_id}: ${plural(incident.members, 'site')} share the ${sharedCause(incident.cause)} ${incident.cause_value}
      </button></h3>
      <p class="note"><${Status} word=${ended ? 'over' : 'goes on'} shape=${ended ? '●' : '◆'} tone=${ended ? 'quiet' : 'bad'} /> since <${Time} at=${ended || incident.start_time} />;
        ${ended ? html` began <${Time} at=${incident.start_time} />.` : ` ${count(incident.members_down)} of its sites are down.`} ${plural(outages.length, 'outage')} of it ${outages.length === 1 ? 'is' : 'are'} on this page.</p>
      ${opened && html`<${Outages} caption="${title}, of incident ${incident.incident_id}" outages=${outages} />`}
    </section>`;
}

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
