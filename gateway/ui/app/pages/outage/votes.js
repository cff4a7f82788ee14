// The votes of the verifliers: a row of regions, and a table with what each saw and where its time went.
import { html } from '../../lib/html.js';
import { phase, seen } from '../../lib/observation.js';
import { longest, waterfall } from '../../lib/waterfall.js';
import { Empty } from '../../parts/say.js';
import { Status, Time, Words } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { Legend, Waterfall } from '../../parts/waterfall.js';
import { rule, tally, voice } from './story.js';

/** Votes shows them; by is the rule that decided. */
export function Votes({ votes, by }) {
  if (votes.length === 0) return html`<${Empty} title="There was no vote"><p>The outage was found in the table when Jetmon took the site over.</p><//>`;
  const n = tally(votes);
  const most = longest(votes.map((v) => waterfall(v.observation?.timings)));
  return html`
    <p>${n.down} of ${votes.length} saw it fail, from ${n.regions.length} of ${regions(votes).length} regions. The rule takes ${rule(by)}.</p>
    <ul class="regions" aria-label="Votes by region">${regions(votes).map(([region, list]) => html`<${Region} key=${region} region=${region} votes=${list} />`)}</ul>
    <${Table} class="cards" caption="Votes" rows=${votes} id=${(v) => v.veriflier} columns=${columns(most)} />
    <${Legend} />`;
}

/** regions sorts votes by region: [[region, votes]]. */
function regions(votes) {
  const by = new Map();
  for (const v of votes) by.set(v.region, [...(by.get(v.region) ?? []), v]);
  return [...by].sort(([a], [b]) => a.localeCompare(b));
}

const Region = ({ region, votes }) => html`
  <li><strong>${region || 'no region'}</strong>
    ${votes.map((v) => html`<span key=${v.veriflier} class="voice"><${Status} ...${voice(v)} /> <small>${v.veriflier}${v.value === 'VOTE_VALUE_DOWN' && phase(v.observation?.phase) ? `: ${phase(v.observation.phase)}` : ''}</small></span>`)}
  </li>`;

const columns = (most) => [
  { name: 'Veriflier', cell: (v) => v.veriflier },
  { name: 'Region', cell: (v) => v.region || '–' },
  { name: 'Vote', cell: (v) => html`<${Status} ...${voice(v)} />` },
  { name: 'What it saw', class: 'url', cell: (v) => html`${v.unknown_reason && html`<${Words} text=${v.unknown_reason} />. `}${v.observation ? seen(v.observation) : ''}<${Second} v=${v} />` },
  { name: 'Came as far as', cell: (v) => phase(v.observation?.phase) || '–' },
  { name: 'Where the time went', cell: (v) => html`<${Waterfall} fall=${waterfall(v.observation?.timings)} most=${most} />` },
  { name: 'Address', cell: (v) => v.observation?.resolved_address || '–' },
  { name: 'Itself', cell: (v) => (v.self_check ? (v.self_check.healthy ? 'well' : html`<${Words} text=${v.self_check.detail} />`) : 'no answer') },
  { name: 'Voted', cell: (v) => html`<${Time} at=${v.vote_time} />` },
];

const Second = ({ v }) => (v.second_opinion ? html`<br /><small>An independent reader saw: ${seen(v.second_opinion.reader)}.</small>` : null);
