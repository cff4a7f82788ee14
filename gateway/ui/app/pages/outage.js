// One outage: what happened, told from its evidence. Its address alone says all: support can send it.
import { html, useEffect, useRef } from '../lib/html.js';
import { announce } from '../lib/announce.js';
import { useChanges } from '../lib/live.js';
import { useGet } from '../lib/query.js';
import { can } from '../lib/session.js';
import { useTitle } from '../lib/title.js';
import { plain } from '../lib/words.js';
import { SiteOutages } from '../parts/outages.js';
import { Problem, Waiting } from '../parts/say.js';
import { Link, Status, Time, useNow } from '../parts/show.js';
import { Checks } from './outage/checks.js';
import { Replay } from './outage/replay.js';
import { headline, story } from './outage/story.js';
import { Told, useNotices } from './outage/told.js';
import { Votes } from './outage/votes.js';

const poll = 10_000; // ms

export default function Outage({ id }) {
  return html`<${One} key=${id} id=${encodeURIComponent(id)} />`;
}

function One({ id }) {
  const { data: o, error, refresh } = useGet(`/v1/outages/${id}`, { every: poll });
  const notices = useNotices(id);
  useChanges((events) => { if (events.length === 0 || events.some((e) => e.status_change?.outage_id === id)) { refresh(); notices.refresh(); } }, [id]);
  useTitle(o ? `Outage ${o.outage_id} of ${o.url}` : 'Outage');
  const over = o && Boolean(o.end_time);
  const before = useRef(undefined);
  useEffect(() => {
    if (before.current === false && over) announce('The outage is over.');
    before.current = over;
  }, [over]);
  if (!o) return html`<h1>Outage</h1>${error ? html`<${Problem} error=${error} retry=${refresh} />` : html`<${Waiting} />`}`;
  return html`
    <h1>Outage ${o.outage_id}</h1>
    <p class="subject"><${Link} url=${o.url} />${can('sites:read') && html` <a href="/ui/sites/${o.site_id}">The site's page</a>`}</p>
    <${Problem} error=${error} retry=${refresh} />
    <${Headline} o=${o} />
    <div class="settle">
    <${Story} o=${o} id=${id} notices=${notices} />
    <h2>The votes</h2>
    <${Votes} votes=${o.votes} by=${o.rule} />
    ${o.votes.length > 0 && html`<${Replay} id=${id} votes=${o.votes} by=${o.rule} />`}
    <h2>The checks before</h2>
    <${Checks} checks=${o.checks} />
    <h2>Who was told</h2>
    <${Told} notices=${notices} />
    <h2>Other outages of this site</h2>
    <${SiteOutages} id=${o.site_id} but=${o.outage_id} changes=${o.end_time} /></div>`;
}

function Headline({ o }) {
  const now = useNow();
  return html`
    <p class="verdict"><${Status} ...${headline(o, now)} /></p>
    <dl class="facts">
      <div><dt>Since</dt><dd><${Time} at=${o.start_time} /></dd></div>
      <div><dt>Confirmed</dt><dd><${Time} at=${o.confirm_time} /></dd></div>
      <div><dt>Over</dt><dd>${o.end_time ? html`<${Time} at=${o.end_time} />` : 'not yet'}</dd></div>
      <div><dt>Reason</dt><dd>${o.reason ? plain(o.reason) : '–'}</dd></div>
      <div><dt>Blog</dt><dd>${o.blog_id === '0' ? 'none' : o.blog_id}</dd></div>
    </dl>`;
}

const shapes = { check: '◆', vote: '▼', told: '✉', pause: '‖', end: '●' };

function Story({ o, id, notices }) {
  const { data, error } = useGet(o.votes.length > 0 ? `/v1/outages/${id}:replay` : null);
  const whole = (data || error || o.votes.length === 0) && (notices.list || notices.error); // no step comes between others later
  if (!whole) return html`<h2>What happened</h2><${Waiting} />`;
  const steps = story(o, { ballot: data?.ballot, notices: notices.list ?? [] });
  return html`
    <h2>What happened</h2>
    <ol class="story">${steps.map((s, i) => html`
      <li key=${`${s.kind} ${s.at} ${s.title} ${i}`} class=${s.kind}>
        <span class="mark" aria-hidden="true">${shapes[s.kind]}</span>
        <div><strong>${s.title}</strong> ${s.at && html`<span class="note"><${Time} at=${s.at} /></span>`}
          ${s.text && html`<p>${s.text}</p>`}</div>
      </li>`)}</ol>`;
}
