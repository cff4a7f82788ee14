// The coordinators, and who owns which shard.
import { html } from '../../lib/html.js';
import { count, decimal, millis, share } from '../../lib/numbers.js';
import { Ago, Status } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { coordinators, ownership } from './sum.js';

/** Coordinators shows both. */
export function Coordinators({ fleet }) {
  const away = fleet.peers.filter((p) => !p.status).map((p) => ({ node: p.node, away: p.detail || 'does not answer' }));
  const { owners, cells } = ownership(fleet.shards);
  const number = (node) => owners.indexOf(node) + 1;
  const columns = [
    { name: 'Coordinator', cell: (c) => html`<${Owner} number=${number(c.node)} /> ${c.node}` },
    { name: 'State', cell: (c) => (c.away ? html`<${Status} word=${c.away} shape="▼" tone="bad" />` : state(c)) },
    { name: 'Since', cell: (c) => html`<${Ago} at=${c.start_time} />` },
    { name: 'Shards', class: 'number', cell: (c) => count(c.shards) },
    { name: 'Sites', class: 'number', cell: (c) => count(c.sites) },
    { name: 'Coverage', class: 'number', cell: (c) => share(c.coverage) },
    { name: 'Late (99 %)', class: 'number', cell: (c) => millis(c.lateness_p99_millis) },
    { name: 'Stretch', class: 'number', cell: (c) => (c.away ? '–' : `× ${decimal(c.stretch)}`) },
    { name: 'Not written', class: 'number', cell: (c) => count(c.uncommitted_changes) },
    { name: 'To be told', class: 'number', cell: (c) => count(c.undelivered_notices) },
  ];
  return html`
    <h2>Coordinators</h2>
    <${Table} class="cards" caption="Coordinators" columns=${columns} rows=${[...coordinators(fleet), ...away]} id=${(c) => c.node} />
    ${cells.length > 0 && html`<${Shards} cells=${cells} />`}`;
}

function state(c) {
  if (c.muted) return html`<${Status} word="muted: tells nobody" shape="◆" tone="fair" />`;
  if (c.trial) return html`<${Status} word="on trial" shape="◆" tone="fair" />`;
  return html`<${Status} word="works" shape="●" tone="good" />`;
}

// Owner is the mark of an owner: its number, so that it needs no colour.
const Owner = ({ number }) => html`<span class="owner owner-${(number - 1) % 6 + 1}">${number || '–'}</span>`;

const Shards = ({ cells }) => html`
  <h3>Shards</h3>
  <ol class="shards" aria-label="Shards, by number, with the coordinator that owns each">
    ${cells.map((s) => html`<li key=${s.shard} title="Shard ${s.shard}: ${s.owner || 'nobody'}, term ${s.term}">
      <small>${s.shard}</small> <${Owner} number=${s.number} /><span class="hidden">${s.owner || 'nobody'}</span></li>`)}
  </ol>`;
