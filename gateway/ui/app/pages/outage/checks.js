// The checkers' failing checks that led to the vote, with all that they kept.
import { html } from '../../lib/html.js';
import { phase, seen } from '../../lib/observation.js';
import { longest, waterfall } from '../../lib/waterfall.js';
import { Time } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { Waterfall } from '../../parts/waterfall.js';

/** Checks lists them. */
export function Checks({ checks }) {
  if (checks.length === 0) return html`<p class="note">None are kept.</p>`;
  const most = longest(checks.map((c) => waterfall(c.observation?.timings)));
  return html`
    <${Table} class="cards" caption="Checks" rows=${checks} id=${(c) => `${c.checker} ${c.end_time}`} columns=${columns(most)} />
    <${Evidence} o=${checks.at(-1).observation} />`;
}

const columns = (most) => [
  { name: 'Ended', cell: (c) => html`<${Time} at=${c.end_time} />` },
  { name: 'Checker', cell: (c) => (c.region ? `${c.checker} (${c.region})` : c.checker) },
  { name: 'What it saw', class: 'url', cell: (c) => seen(c.observation) },
  { name: 'Came as far as', cell: (c) => phase(c.observation?.phase) || '–' },
  { name: 'Where the time went', cell: (c) => html`<${Waterfall} fall=${waterfall(c.observation?.timings)} most=${most} />` },
  { name: 'Address', cell: (c) => c.observation?.resolved_address || '–' },
];

// Evidence is what else the last check kept: who answered, by which headers, through which redirects.
function Evidence({ o }) {
  const headers = Object.entries(o?.headers ?? {});
  const hops = o?.hops ?? [];
  if (headers.length + hops.length === 0 && !o?.certificate_issuer) return null;
  return html`
    <details><summary>What the last of them kept of the answer</summary>
      <dl class="facts">
        ${o.certificate_issuer && html`<div><dt>Issuer of the certificate</dt><dd>${o.certificate_issuer}</dd></div>`}
        ${o.certificate_expire_time && html`<div><dt>The certificate ends</dt><dd><${Time} at=${o.certificate_expire_time} /></dd></div>`}
        ${hops.map((hop) => html`<div><dt>Redirect, HTTP ${hop.http_status}</dt><dd>${hop.url}</dd></div>`)}
        ${headers.map(([name, value]) => html`<div><dt><code>${name}</code></dt><dd>${value}</dd></div>`)}
      </dl>
    </details>`;
}
