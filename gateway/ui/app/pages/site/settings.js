// Editing a site: what is refused is said beside its field, and an edit of somebody else is not lost.
import { html, useState } from '../../lib/html.js';
import { announce } from '../../lib/announce.js';
import { send } from '../../lib/api.js';
import { can } from '../../lib/session.js';
import { Field, others, useFormFocus, useReturn } from '../../parts/form.js';
import { Problem } from '../../parts/say.js';
import { changes, choices, fields, names } from './form.js';

/** Settings shows how a site is checked, and offers to change it. site is the newest; changed tells of one. */
export function Settings({ site, changed }) {
  const [editing, setEditing] = useState(null); // the site as it was when the form was opened
  const [saved, setSaved] = useState(false);
  const button = useReturn(editing !== null);
  return html`
    <h2 id="settings">Settings</h2>
    ${!editing && html`<${Shown} site=${site} />`}
    ${!editing && saved && html`<p role="status"><span aria-hidden="true">✓</span> Saved.</p>`}
    ${!editing && can('sites:write') && html`<button type="button" ref=${button} onClick=${() => { setSaved(false); setEditing(site); }}>Edit</button>`}
    ${editing && html`<${Form} key=${editing.etag} site=${editing} newest=${site} reload=${setEditing}
      done=${(after) => { setEditing(null); if (after) { setSaved(true); announce('The settings are saved.'); changed(after); } }} />`}`;
}

const words = (name, value) => choices[name]?.find(([v]) => v === value)?.[1] ?? value;

function Shown({ site }) {
  const f = fields(site);
  const rows = [
    ['URL', f.url], ['Blog', f.blog_id || 'none'], ['Interval', `${f.check_interval} min`], ['Tags', f.tags || 'none'],
    ['Asked with', words('settings.method', f['settings.method'])], ['Redirects', words('settings.redirect_policy', f['settings.redirect_policy'])],
    ['The page is judged', words('settings.page_check', f['settings.page_check'])], ['Bad certificates', words('settings.tls_errors', f['settings.tls_errors'])],
    ['Slow after', f['settings.slow_after'] ? `${f['settings.slow_after']} s` : 'never'],
    ['Texts that must be there', f['settings.required_texts'] || 'none'], ['Texts that must not', f['settings.forbidden_texts'] || 'none'],
    ['Headers of the request', f['settings.headers'] || 'none'], ['Public badges', f.public_badges ? 'yes' : 'no'],
  ];
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd class="lines">${value}</dd></div>`)}</dl>`;
}

// useEdit holds the form: what is written, and what came of saving it.
function useEdit(site, done) {
  const before = fields(site);
  const [now, setNow] = useState(before);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const save = async (event) => {
    event.preventDefault();
    const body = changes(before, now);
    if (!body) { done(null); return; }
    setBusy(true);
    setError(null);
    try {
      done(await send('PATCH', `/v1/sites/${site.site_id}`, { body, etag: `"${site.etag}"` }));
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  // A browser that fills several fields at once does so before the next drawing: each change adds to the last.
  const set = (name, value) => setNow((last) => ({ ...last, [name]: value }));
  const of = (name) => ({ field: name, error, value: now[name], onInput: (e) => set(name, e.currentTarget.value) });
  return { now, error, busy, save, of, set };
}

function Form({ site, newest, reload, done }) {
  const { now, error, busy, save, of, set } = useEdit(site, done);
  const form = useFormFocus(error);
  const select = (label, name) => html`<${Field} as="select" label=${label} ...${of(name)}>${choices[name].map(([value, text]) => html`<option value=${value}>${text}</option>`)}<//>`;
  return html`
    <form class="edit" ref=${form} onSubmit=${save} aria-labelledby="settings" noValidate>
      ${error?.reason === 'ETAG_MISMATCH' ? html`<${Conflict} load=${() => reload(newest)} />` : html`<${Problem} error=${others(error, names)} />`}
      <div class="grid">
        <${Field} label="URL" type="url" ...${of('url')} />
        <${Field} label="Blog" inputmode="numeric" hint="Id of the blog at WordPress.com; empty for none." ...${of('blog_id')} />
        <${Field} label="Interval, in minutes" inputmode="decimal" hint="1 to 255; empty for 5." ...${of('check_interval')} />
        <${Field} label="Tags" hint="Up to 8, with commas between; of a-z 0-9 . _ : -" ...${of('tags')} />
        ${select('Asked with', 'settings.method')}
        ${select('Redirects', 'settings.redirect_policy')}
        ${select('The page is judged', 'settings.page_check')}
        ${select('Bad certificates', 'settings.tls_errors')}
        <${Field} label="Slow after, in seconds" inputmode="decimal" hint="A slower answer is remarked; empty for never." ...${of('settings.slow_after')} />
        <${Field} as="textarea" rows="3" label="Texts that must be there" hint="One a line." ...${of('settings.required_texts')} />
        <${Field} as="textarea" rows="3" label="Texts that must not" hint="One a line." ...${of('settings.forbidden_texts')} />
        <${Field} as="textarea" rows="3" label="Headers of the request" hint="One a line: Name: value." ...${of('settings.headers')} />
      </div>
      <p><label class="switch"><input type="checkbox" checked=${now.public_badges} onChange=${(e) => set('public_badges', e.currentTarget.checked)} /> Everybody may see the badges of this site</label></p>
      <p class="buttons"><button class="main" disabled=${busy}>${busy ? 'Saving …' : 'Save'}</button> <button type="button" onClick=${() => done(null)}>Cancel</button></p>
    </form>`;
}

const Conflict = ({ load }) => html`
  <div class="problem" role="alert">
    <p><strong>Somebody has edited this site meanwhile.</strong> Nothing of yours is saved. Load what it is now, then make your change again.</p>
    <button type="button" onClick=${load}>Load it</button>
  </div>`;
