// Where the time of a check went, drawn.
import { html } from '../lib/html.js';
import { micros } from '../lib/waterfall.js';

const legend = [['dns', 'name look-up'], ['connect', 'connecting'], ['tls', 'TLS'], ['wait', 'waiting'], ['rest', 'reading and all else']];

/** Legend says which stretch is which. */
export const Legend = () => html`
    <p class="note legend">${legend.map(([key, words]) => html`<span class="key wf-${key}"></span> ${words} `)}</p>`;

/** Waterfall draws the parts of a check to the scale of the longest; its text has the numbers. */
export function Waterfall({ fall, most }) {
  if (!fall) return '–';
  const words = `${micros(fall.total)}${fall.parts.length ? `: ${fall.parts.map((p) => `${p.name} ${micros(p.took)}`).join(', ')}` : ''}`;
  return html`
    <span class="fall"><svg width="180" height="14" viewBox="0 0 180 14" role="img" aria-label=${words}><title>${words}</title>
      ${fall.parts.map((p, i) => html`<rect key=${p.key} class="wf-${p.key}" x=${(p.from / most) * 180} y=${i % 2 ? 4 : 0} width=${Math.max(1, (p.took / most) * 180)} height="10" />`)}
    </svg> <small>${words}</small></span>`;
}
