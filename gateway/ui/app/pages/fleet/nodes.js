// The checkers and the verifliers, as the coordinator that answers sees them.
import { html } from '../../lib/html.js';
import { count, plural, share } from '../../lib/numbers.js';
import { veriflierState } from '../../lib/words.js';
import { Empty } from '../../parts/say.js';
import { Ago, Status } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { load } from './sum.js';

/** Checkers shows how they are and how much they have to do. */
export function Checkers({ checkers, asked }) {
  const columns = [
    { name: 'Checker', cell: (c) => c.node },
    { name: 'Region', cell: (c) => c.region || '–' },
    { name: 'State', cell: (c) => html`<${Health} c=${c} />` },
    { name: 'Load', cell: (c) => html`<${Load} x=${load(c)} />` },
    { name: 'Under way', class: 'number', cell: (c) => count(c.open_checks) },
    { name: 'Room', class: 'number', cell: (c) => count(c.credit) },
    { name: 'Connected', cell: (c) => html`<${Ago} at=${c.connect_time} />` },
  ];
  return html`
    <h2>Checkers</h2>
    ${checkers.length === 0 && html`<${Empty} title="No checker is connected to ${asked}"><p>Start one: <code>jetmon checker --coordinator HOST:PORT</code></p><//>`}
    ${checkers.length > 0 && html`<${Table} class="cards" caption="Checkers" columns=${columns} rows=${checkers} id=${(c) => c.node} />
      <p class="note">As ${asked} sees them.</p>`}`;
}

function Health({ c }) {
  if (c.quarantine_time) return html`<${Status} word="in quarantine" shape="▼" tone="bad" /> <${Ago} at=${c.quarantine_time} />`;
  const check = c.self_check;
  if (!check || check.anchors === 0) return html`<${Status} word="connected, measures nothing" shape="○" tone="quiet" />`;
  if (!check.healthy) return html`<${Status} word="sick" shape="▼" tone="bad" /> ${check.detail}`;
  return html`<${Status} word="well" shape="●" tone="good" />`;
}

const Load = ({ x }) => (x === undefined ? '–' : html`<meter min="0" max="1" high="0.9" value=${x} aria-label="Load"></meter> ${share(x)}`);

/** Verifliers shows how they are and how often each was alone with its opinion. */
export function Verifliers({ verifliers, rule, asked }) {
  const columns = [
    { name: 'Veriflier', cell: (v) => v.name },
    { name: 'Region', cell: (v) => v.region || '–' },
    { name: 'State', cell: (v) => html`<${Status} ...${veriflierState(v.state)} /> ${v.detail}` },
    { name: 'Last answer', cell: (v) => html`<${Ago} at=${v.last_answer_time} />` },
    { name: 'Asked', class: 'number', cell: (v) => count(v.asked) },
    { name: 'No opinion', class: 'number', cell: (v) => count(v.unknown) },
    { name: 'Overruled', class: 'number', cell: (v) => count(v.dissented) },
  ];
  return html`
    <h2>Verifliers</h2>
    ${verifliers.length === 0 && html`<${Empty} title="No verifliers are configured"><p>Without them no outage is confirmed: <code>jetmon coordinator --veriflier</code></p><//>`}
    ${verifliers.length > 0 && html`<${Table} class="cards" caption="Verifliers" columns=${columns} rows=${verifliers} id=${(v) => v.name} />
      <p class="note">As ${asked} sees them since it started. It takes ${plural(rule.need, 'vote')} from ${plural(rule.regions, 'region')} to confirm an outage.</p>`}`;
}
