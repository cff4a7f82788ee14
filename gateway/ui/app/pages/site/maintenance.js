// The maintenances that cover a site: planned, open and over.
import { html, useState } from '../../lib/html.js';
import { announce } from '../../lib/announce.js';
import { send } from '../../lib/api.js';
import { useGet } from '../../lib/query.js';
import { can } from '../../lib/session.js';
import { Field, others, useFormFocus, useReturn } from '../../parts/form.js';
import { Problem, Waiting } from '../../parts/say.js';
import { Status, Time } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { blank, body, covers, current, freshKey, repeats } from './plan.js';

const poll = 15_000; // ms

/** Maintenance lists them, ends the one that is open, and plans another. */
export function Maintenance({ id, changed }) {
  const { data, error, refresh } = useGet('/v1/maintenances', { params: { site_id: id, page_size: 100 }, every: poll });
  const [refused, setRefused] = useState(null);
  const [planning, setPlanning] = useState(false);
  const button = useReturn(planning);
  const after = (words) => { announce(words); refresh(); changed(); };
  const act = async (method, path, words) => {
    setRefused(null);
    try { await send(method, path); after(words); } catch (e) { setRefused(e); }
  };
  const columns = [
    { name: 'Name', cell: (m) => html`${m.name}${m.reason && html`<br /><small>${m.reason}</small>`}` },
    { name: 'State', cell: (m) => html`<${State} m=${m} />` },
    { name: 'From', cell: (m) => html`<${Time} at=${m.window?.start_time} />` },
    { name: 'To', cell: (m) => html`<${Time} at=${m.window?.end_time} />` },
    { name: 'Comes', cell: (m) => repeats.find(([rule]) => rule === m.recurrence)?.[1] ?? m.recurrence },
    { name: 'Covers', cell: covers },
    can('sites:write') && { name: 'Change', cell: (m) => m.window && html`
      ${m.active && html`<button type="button" class="small" onClick=${() => act('POST', `/v1/maintenances/${m.maintenance_id}:end`, 'The maintenance has ended.')}>End now<span class="hidden"> ${m.name}</span></button>`}
      ${!m.active && m.site_id === id && html`<button type="button" class="small" onClick=${() => act('DELETE', `/v1/maintenances/${m.maintenance_id}`, 'The maintenance is called off.')}>Call off<span class="hidden"> ${m.name}</span></button>`}` },
  ].filter(Boolean);
  const list = current(data?.maintenances ?? []);
  return html`
    <h2 id="maintenance">Maintenance</h2>
    <${Problem} error=${error} retry=${refresh} /><${Problem} error=${refused} />
    ${!data && !error && html`<${Waiting} />`}
    ${data && list.length === 0 && html`<p class="note">None is planned. Nobody is told that the site fails while it is in maintenance.</p>`}
    ${list.length > 0 && html`<${Table} class="cards" caption="Maintenances" rows=${list} id=${(m) => m.maintenance_id} columns=${columns} />`}
    ${can('sites:write') && !planning && html`<button type="button" ref=${button} onClick=${() => setPlanning(true)}>Plan a maintenance</button>`}
    ${planning && html`<${Plan} id=${id} done=${(made) => { setPlanning(false); if (made) after('The maintenance is planned.'); }} />`}`;
}

function State({ m }) {
  if (m.active) return html`<${Status} word="open" shape="■" tone="fair" />`;
  return m.window ? html`<${Status} word="planned" shape="□" tone="quiet" />` : html`<${Status} word="over" shape="✓" tone="quiet" />`;
}

const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

function Plan({ id, done }) {
  const [form, setForm] = useState(() => blank(Date.now()));
  const [key] = useState(freshKey);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const focus = useFormFocus(error);
  const set = (name, value) => setForm((last) => ({ ...last, [name]: value })); // several may come before the next drawing
  const of = (name, field = name) => ({ field, error, value: form[name], onInput: (e) => set(name, e.currentTarget.value) });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await send('POST', '/v1/maintenances', { body: body(id, form, zone()), key });
      done(true);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return html`
    <form class="edit" ref=${focus} onSubmit=${submit} aria-labelledby="maintenance" noValidate>
      <${Problem} error=${others(error, ['name', 'reason', 'start_time', 'duration', 'recurrence'])} />
      <div class="grid">
        <${Field} label="Name" hint="For people and calendars." ...${of('name')} />
        <${Field} label="From (${zone()})" type="datetime-local" ...${of('start', 'start_time')} />
        <${Field} label="For how many minutes" inputmode="numeric" ...${of('minutes', 'duration')} />
        <${Field} as="select" label="Comes" ...${of('recurrence')}>${repeats.map(([rule, words]) => html`<option value=${rule}>${words}</option>`)}<//>
        <${Field} label="Why" ...${of('reason')} />
      </div>
      <p class="buttons"><button class="main" disabled=${busy}>${busy ? 'Planning …' : 'Plan it'}</button> <button type="button" onClick=${() => done(false)}>Cancel</button></p>
    </form>`;
}
