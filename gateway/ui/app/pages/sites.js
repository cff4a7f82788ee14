// The sites, found by host, URL, blog, tag and state; one page of the API at a time.
import { html, useEffect, useState } from '../lib/html.js';
import { useChanges } from '../lib/live.js';
import { useParams } from '../lib/router.js';
import { seconds, span } from '../lib/time.js';
import { siteState, siteStates } from '../lib/words.js';
import { Field, others, Refused } from '../parts/form.js';
import { Empty } from '../parts/say.js';
import { Ago, Status } from '../parts/show.js';
import { List, usePages } from '../parts/table.js';
import { asked, nothing, touches } from './sites/filter.js';

const poll = 10_000; // ms

export default function Sites() {
  const [filter, change] = useParams(nothing);
  const pages = usePages('/v1/sites', { params: asked(filter), every: poll });
  useChanges((events) => { if (touches(events, pages.data?.sites)) pages.refresh(); }, [pages.data]);
  const narrowed = Object.values(asked(filter)).some(Boolean);
  const { error } = pages;
  const other = others(error, ['host', 'url', 'blog_id', 'tag']);
  return html`
    <h1>Sites</h1>
    <${Filters} filter=${filter} change=${change} error=${error} />
    ${error && !other && !pages.data ? html`<${Refused} />` : html`<${List} pages=${{ ...pages, error: other }} rows=${(data) => data.sites} class="cards" caption="Sites" columns=${columns} id=${(s) => s.site_id}
      empty=${html`<${None} narrowed=${narrowed} more=${pages.next} clear=${() => change(nothing)} />`} />`}`;
}

const columns = [
  { name: 'State', cell: (s) => html`<${Status} ...${siteState(s.state)} />` },
  { name: 'URL', class: 'url', cell: (s) => html`<a href="/ui/sites/${s.site_id}" data-row>${s.url || `site ${s.site_id}`}</a>` },
  { name: 'Blog', class: 'number', cell: (s) => (s.blog_id === '0' ? '–' : s.blog_id) },
  { name: 'Tags', cell: (s) => s.tags.join(', ') || '–' },
  { name: 'Interval', class: 'number', cell: (s) => span(seconds(s.check_interval)) },
  { name: 'Last check', cell: (s) => html`<${Ago} at=${s.last_check_time} />` },
];

// Filters apply when a field is left, or with Enter.
function Filters({ filter, change, error }) {
  const [draft, setDraft] = useState(filter);
  const key = JSON.stringify(filter);
  useEffect(() => setDraft(filter), [key]);
  const put = (name, value) => setDraft((last) => ({ ...last, [name]: value }));
  const set = (name) => (e) => put(name, e.currentTarget.value);
  const now = (name) => (e) => change({ [name]: e.currentTarget.value.trim() });
  const text = (name) => ({ value: draft[name], onInput: set(name), onChange: now(name) });
  return html`
    <form class="fields" role="search" aria-label="Find sites" onSubmit=${(e) => { e.preventDefault(); change(draft); }}>
      <${Field} label="Host or URL" type="search" field=${asked(filter).url ? 'url' : 'host'} placeholder="example.com" error=${error} ...${text('find')} />
      <${Field} label="Blog" field="blog_id" inputmode="numeric" size="12" error=${error} ...${text('blog')} />
      <${Field} label="Tag" field="tag" size="14" error=${error} ...${text('tag')} />
      <${Field} as="select" label="State" value=${draft.state} onChange=${now('state')}>
        <option value="">any</option>
        ${siteStates.map(([value, words]) => html`<option value=${value}>${words}</option>`)}
      <//>
      <${Field} as="select" label="Order" value=${draft.order} onChange=${now('order')}>
        <option value="">oldest first</option><option value="site_id desc">newest first</option>
      <//>
    </form>`;
}

function None({ narrowed, more, clear }) {
  if (more) return html`<${Empty} title="None of the sites looked through so far fits"><p>There are more: go on with Next.</p><//>`;
  if (narrowed) return html`<${Empty} title="No site fits"><p>Hosts and URLs are compared whole: <code>www.example.com</code> is another host than <code>example.com</code>.</p><p><button type="button" onClick=${clear}>Show all sites</button></p><//>`;
  return html`<${Empty} title="Nothing is monitored yet"><p>Add a site: <code>jetmon sites add https://example.com/</code>, or <code>POST /v1/sites</code>.</p><//>`;
}
