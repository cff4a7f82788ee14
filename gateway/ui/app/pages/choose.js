// Which site is to be diagnosed.
import { html, useState } from '../lib/html.js';
import { get } from '../lib/api.js';
import { go } from '../lib/router.js';
import { can } from '../lib/session.js';
import { siteState } from '../lib/words.js';
import { Field, others } from '../parts/form.js';
import { Empty, Problem } from '../parts/say.js';
import { Status } from '../parts/show.js';
import { Table } from '../parts/table.js';
import { asked } from './diagnose/asked.js';

export default function Choose() {
  const [text, setText] = useState('');
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const find = async (event) => {
    event.preventDefault();
    setError(null);
    const by = asked(text, can('sites:read'));
    if (by.id) { go(`/ui/sites/${by.id}/diagnose`); return; }
    try {
      const { sites } = await get('/v1/sites', { params: { ...by.params, page_size: 20 } });
      if (sites.length === 1) go(`/ui/sites/${sites[0].site_id}/diagnose`);
      else setFound(sites);
    } catch (e) {
      setError(e);
    }
  };
  const list = can('sites:read');
  return html`
    <h1>Diagnose</h1>
    <p>Why does Jetpack not reach a site, or WordPress.com not hear of it? Some two dozen requests to the site tell, step by step. They change nothing there.</p>
    <form class="fields" onSubmit=${find}>
      <${Field} label=${list ? 'Site: its host, URL or number' : 'Number of the site'} type="search" field=${list ? 'host' : 'site_id'} error=${error} value=${text}
        onInput=${(e) => setText(e.target.value)} size="40" autocapitalize="none" spellcheck="false" placeholder=${list ? 'example.com' : '17'}
        pattern=${list ? undefined : '[0-9]+'} required />
      <div class="submit"><button class="main">Diagnose</button></div>
    </form>
    <${Problem} error=${others(error, ['host'])} />
    ${found?.length === 0 && html`<${Empty} title="No monitored site is like that"><p>Look for it on <a href="/ui/sites">Sites</a>, or look at its URL with <a href="/ui/try">Try it</a>. <code>jetmon diagnose URL</code> diagnoses any site.</p><//>`}
    ${found?.length > 1 && html`<h2>Which one?</h2><${Table} class="cards" caption="Sites found" rows=${found} id=${(s) => s.site_id} columns=${columns} />`}`;
}

const columns = [
  { name: 'URL', class: 'url', cell: (s) => html`<a href="/ui/sites/${s.site_id}/diagnose" data-row>${s.url || `site ${s.site_id}`}</a>` },
  { name: 'State', cell: (s) => html`<${Status} ...${siteState(s.state)} />` },
  { name: 'Blog', class: 'number', cell: (s) => (s.blog_id === '0' ? '–' : s.blog_id) },
];
