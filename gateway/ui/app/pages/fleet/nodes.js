// The checkers and the verifliers, as all coordinators that answer see them.
import { html } from '../../lib/html.js';
import { count, plural, share } from '../../lib/numbers.js';
import { veriflierState } from '../../lib/words.js';
import { Empty } from '../../parts/say.js';
import { Ago, Status, Words } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { Matrix } from './matrix.js';
import { checkers, groups, verifliers } from './seen.js';
import { load } from './sum.js';

const names = (seen) => seen.map((v) => v.by).join(', ');

/** Checkers shows how they are and how much they have to do. */
export function Checkers({ seen }) {
  const rows = checkers(seen);
  const columns = [
    { name: 'Checker', cell: (c) => c.node },
    { name: 'Region', cell: (c) => c.region || '–' },
    { name: 'State', cell: (c) => html`<${States} of=${c.seen} total=${seen.length} same=${sameHealth} show=${(status) => html`<${Health} c=${status} />`} />
      ${c.missing.length > 0 && html`<div><${Status} word="not connected to ${c.missing.join(', ')}" shape="◆" tone="fair" /></div>`}` },
    { name: 'Load', cell: (c) => html`<${Load} x=${load(c)} />` },
    { name: 'Under way', class: 'number', cell: (c) => count(c.open_checks) },
    { name: 'Room', class: 'number', cell: (c) => count(c.credit) },
    { name: 'Connected', cell: (c) => html`<${Ago} at=${c.since} />` },
  ];
  return html`
    <h2>Checkers</h2>
    ${rows.length === 0 && html`<${Empty} title="No checker is connected to ${names(seen)}"><p>Start one: <code>jetmon checker --coordinator HOST:PORT</code></p><//>`}
    ${rows.length > 0 && html`<${Table} class="cards" caption="Checkers" columns=${columns} rows=${rows} id=${(c) => c.node} />
      <p class="note">As ${names(seen)} ${seen.length > 1 ? 'see' : 'sees'} them.</p>`}`;
}

// States shows what coordinators see, and who sees it where they differ.
function States({ of, total, same, show }) {
  const found = groups(of, same);
  return found.map((g) => html`<div key=${same(g.status)}>${show(g.status)}${(found.length > 1 && total > 1) && html` <small>for ${g.by.join(', ')}</small>`}</div>`);
}

const sameHealth = (c) => (c.quarantine_time ? 'quarantine' : JSON.stringify([c.self_check?.anchors > 0, c.self_check?.healthy, c.self_check?.healthy ? '' : c.self_check?.detail]));

function Health({ c }) {
  if (c.quarantine_time) return html`<${Status} word="in quarantine" shape="▼" tone="bad" /> <${Ago} at=${c.quarantine_time} />`;
  const check = c.self_check;
  if (!check || check.anchors === 0) return html`<${Status} word="connected, measures nothing" shape="○" tone="quiet" />`;
  if (!check.healthy) return html`<${Status} word="sick" shape="▼" tone="bad" /> <${Words} text=${check.detail} />`;
  return html`<${Status} word="well" shape="●" tone="good" />`;
}

const Load = ({ x }) => (x === undefined ? '–' : html`<meter min="0" max="1" high="0.9" value=${x} aria-label="Load"></meter> ${share(x)}`);

/** Verifliers shows how they are, how often each was alone with its opinion, and who differs from whom. */
export function Verifliers({ seen, rule }) {
  const rows = verifliers(seen);
  const columns = [
    { name: 'Veriflier', cell: (v) => v.name },
    { name: 'Region', cell: (v) => v.region || '–' },
    { name: 'State', cell: (v) => html`<${States} of=${v.seen} total=${seen.length} same=${(s) => `${s.state} ${s.detail}`} show=${(s) => html`<${Status} ...${veriflierState(s.state)} /> <${Words} text=${s.detail} />`} />` },
    { name: 'Last answer', cell: (v) => html`<${Ago} at=${v.last_answer_time} />` },
    { name: 'Asked', class: 'number', cell: (v) => count(v.asked) },
    { name: 'No opinion', class: 'number', cell: (v) => count(v.unknown) },
    { name: 'Overruled', class: 'number', cell: (v) => count(v.dissented) },
  ];
  return html`
    <h2>Verifliers</h2>
    ${rows.length === 0 && html`<${Empty} title="No verifliers are configured"><p>Without them no outage is confirmed: <code>jetmon coordinator --veriflier</code></p><//>`}
    ${rows.length > 0 && html`<${Table} class="cards" caption="Verifliers" columns=${columns} rows=${rows} id=${(v) => v.name} />
      <p class="note">As ${names(seen)} ${seen.length > 1 ? 'see them since they' : 'sees them since it'} started. It takes ${plural(rule.need, 'vote')} from ${plural(rule.regions, 'region')} to confirm an outage.</p>
      <${Matrix} seen=${seen} />`}`;
}
