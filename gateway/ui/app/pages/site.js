// One site: whether it is up and why, how it was, and how it is checked.
import { html, useEffect, useRef } from '../lib/html.js';
import { announce } from '../lib/announce.js';
import { useChanges } from '../lib/live.js';
import { seen } from '../lib/observation.js';
import { useGet } from '../lib/query.js';
import { can } from '../lib/session.js';
import { seconds, span } from '../lib/time.js';
import { useTitle } from '../lib/title.js';
import { siteState } from '../lib/words.js';
import { SiteOutages } from '../parts/outages.js';
import { Problem, Waiting } from '../parts/say.js';
import { Ago, Link, Status, Time, Words } from '../parts/show.js';
import { Actions } from './site/actions.js';
import { Bar } from './site/bar.js';
import { Maintenance } from './site/maintenance.js';
import { Marks } from './site/marks.js';
import { Response } from './site/response.js';
import { Settings } from './site/settings.js';

const poll = 5000; // ms

export default function Site({ id }) {
  return html`<${One} key=${id} id=${encodeURIComponent(id)} />`;
}

function One({ id }) {
  const { data, error, refresh } = useGet(`/v1/sites/${id}:explain`, { every: poll });
  useChanges((events) => { if (events.length === 0 || events.some((e) => e.site?.site_id === id)) refresh(); }, [id]);
  useTitle(data?.site.url || 'Site');
  const state = data && siteState(data.site.state).word;
  const before = useRef('');
  useEffect(() => {
    if (before.current && state && before.current !== state) announce(`The site is ${state}.`);
    before.current = state ?? '';
  }, [state]);
  if (!data) return html`<h1>Site</h1>${error ? html`<${Problem} error=${error} retry=${refresh} />` : html`<${Waiting} />`}`;
  const site = data.site;
  return html`
    <h1 class="url"><${Link} url=${site.url} /></h1>
    <${Problem} error=${error} retry=${refresh} />
    <${Now} why=${data} />
    <${Actions} site=${site} refresh=${refresh} />
    <div class="settle"><${Bar} id=${id} />
    <${Response} id=${id} />
    <${Marks} id=${id} />
    ${can('outages:read') && html`<h2>Outages</h2><${SiteOutages} id=${id} changes=${site.outage_id} />`}
    <${Maintenance} id=${id} changed=${refresh} />
    <${Settings} site=${site} changed=${refresh} /></div>`;
}

// Now is the state in a sentence, why it is believed, and what would change it.
function Now({ why }) {
  const { site } = why;
  return html`
    <p class="verdict"><${Status} ...${siteState(site.state)} /></p>
    <p><${Words} text=${why.summary} /></p>
    ${site.outage_id !== '0' && can('outages:read') && html`<p><a href="/ui/outages/${site.outage_id}">Outage ${site.outage_id}</a>: the whole story, with the votes.</p>`}
    ${why.withheld && html`<p class="fair"><span aria-hidden="true">◆</span> <${Words} text=${why.withheld} /></p>`}
    <dl class="facts">
      <div><dt>Last check</dt><dd>${site.last_observation ? `${seen(site.last_observation)}, ` : ''}<${Ago} at=${site.last_check_time} /></dd></div>
      <div><dt>Next check</dt><dd>set to every ${span(seconds(site.check_interval))}; ${site.paused ? 'not while it is paused' : html`<${Ago} at=${site.next_check_time} due />`}</dd></div>
      <div><dt>WordPress.com was told</dt><dd>${told(site.status_id)}${site.last_status_change_time && html`, <${Time} at=${site.last_status_change_time} />`}</dd></div>
      ${site.maintenance_id !== '0' && html`<div><dt>In maintenance</dt><dd>until <${Time} at=${site.maintenance_end_time} /></dd></div>`}
      ${site.regional_finding && html`<div><dt>By region</dt><dd>fails for ${site.regional_finding.down_regions.join(', ')}, works for ${site.regional_finding.up_regions.join(', ')}</dd></div>`}
      ${site.flapping && html`<div><dt>Comes and goes</dt><dd>${site.relapses} times; its outage ends when it was good for 10 minutes</dd></div>`}
    </dl>
    ${why.would_change.length > 0 && html`<details><summary>What would change this</summary><ul>${why.would_change.map((w) => html`<li><${Words} text=${w} /></li>`)}</ul></details>`}`;
}

const told = (status) => ({ 0: 'down', 1: 'running', 2: 'still down (confirmed)' })[status] ?? `status ${status}`;
