// The votes of the verifliers: a row of regions, and a table with what each saw and where its time went.
import { html } from '../../lib/html.js';
import { phase, seen } from '../../lib/observation.js';
import { Empty } from '../../parts/say.js';
import { Status, Time } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { rule, tally, voice } from './story.js';
import { longest, micros, waterfall } from './waterfall.js';

/** Votes shows them; by is the rule that decided. */
export function Votes({ votes, by }) {
  if (votes.length === 0) return html`<${Empty} title="There was no vote"><p>The outage was found in the table when Jetmon took the site over.</p><//>`;
  const n = tally(votes);
  const most = longest(votes.map((v) => waterfall(v.observation?.timings)));
  return html`
    <p>${n.down} of ${votes.length} saw it fail, from ${n.regions.length} of ${regions(votes).length} regions. The rule takes ${rule(by)}.</p>
    <ul class="regions" aria-label="Votes by region">${regions(votes).map(([region, list]) => html`<${Region} key=${region} region=${region} votes=${list} />`)}</ul>
    <${Table} class="cards" caption="Votes" rows=${votes} id=${(v) => v.veriflier} columns=${columns(most)} />
    <p class="note legend">${legend.map(([key, words]) => html`<span class="key wf-${key}"></span> ${words} `)}</p>`;
}

const legend = [['dns', 'name look-up'], ['connect', 'connecting'], ['tls', 'TLS'], ['wait', 'waiting'], ['rest', 'reading and all else']];

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
  { name: 'What it saw', class: 'url', cell: (v) => html`${v.unknown_reason && html`${v.unknown_reason}. `}${v.observation ? seen(v.observation) : ''}<${Second} v=${v} />` },
  { name: 'Came as far as', cell: (v) => phase(v.observation?.phase) || '–' },
  { name: 'Where the time went', cell: (v) => html`<${Waterfall} fall=${waterfall(v.observation?.timings)} most=${most} />` },
  { name: 'Address', cell: (v) => v.observation?.resolved_address || '–' },
  { name: 'Itself', cell: (v) => (v.self_check ? (v.self_check.healthy ? 'well' : v.self_check.detail) : 'no answer') },
  { name: 'Voted', cell: (v) => html`<${Time} at=${v.vote_time} />` },
];

const Second = ({ v }) => (v.second_opinion ? html`<br /><small>An independent reader saw: ${seen(v.second_opinion.reader)}.</small>` : null);

/** Waterfall draws the parts of a check to the scale of the longest; its text has the numbers. */
export function Waterfall({ fall, most }) {
  if (!fall) return '–';
  const words = `${micros(fall.total)}${fall.parts.length ? `: ${fall.parts.map((p) => `${p.name} ${micros(p.took)}`).join(', ')}` : ''}`;
  return html`
    <span class="fall"><svg width="180" height="14" viewBox="0 0 180 14" role="img" aria-label=${words}><title>${words}</title>
      ${fall.parts.map((p, i) => html`<rect key=${p.key} class="wf-${p.key}" x=${(p.from / most) * 180} y=${i % 2 ? 4 : 0} width=${Math.max(1, (p.took / most) * 180)} height="10" />`)}
    </svg> <small>${words}</small></span>`;
}
