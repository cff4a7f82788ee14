// The last 90 days, a column a day.
import { html, useState } from '../../lib/html.js';
import { count, share } from '../../lib/numbers.js';
import { useGet } from '../../lib/query.js';
import { span } from '../../lib/time.js';
import { Problem, Waiting } from '../../parts/say.js';
import { Status } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { column, day, sentence, since } from './days.js';

const shown = 90;
const poll = 300_000; // ms

/** Bar shows how each day was, how much of it was looked at, and the sum. */
export function Bar({ id }) {
  const [start] = useState(() => since(shown, Date.now()));
  const { data, error, refresh } = useGet(`/v1/sites/${id}/uptime`, { params: { start_time: start, by_day: true }, every: poll });
  const [open, setOpen] = useState(false);
  const days = (data?.days ?? []).map(day);
  return html`
    <h2>The last ${shown} days</h2>
    <${Problem} error=${error} retry=${refresh} />
    <div class="days-room">${days.length > 0 ? html`<${Picture} days=${days} />` : !error && html`<${Waiting} />`}</div>
    ${data && html`<p>${sentence(data)}</p>
      <p class="note legend"><span class="key up"></span> seen up <span class="key down"></span> <span aria-hidden="true">▼</span> down <span class="key"></span> nobody looked. Days of UTC.</p>
      <button type="button" class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? 'Hide' : 'Show'} the days</button>`}
    ${open && html`<${Table} caption="Days" rows=${[...days].reverse()} id=${(d) => d.date} columns=${columns} />`}`;
}

const shapes = { up: '●', part: '◐', down: '▼', paused: '‖', none: '○' };

const columns = [
  { name: 'Day (UTC)', cell: (d) => d.date },
  { name: 'State', cell: (d) => html`<${Status} word=${d.word} shape=${shapes[d.kind]} tone=${d.tone} />` },
  { name: 'Uptime', class: 'number', cell: (d) => share(d.uptime) },
  { name: 'Down', class: 'number', cell: (d) => (d.down > 0 ? span(d.down) : '–') },
  { name: 'Outages', class: 'number', cell: (d) => count(d.outages) },
  { name: 'Checked', class: 'number', cell: (d) => (d.seen > 0 ? share(d.seen) : '–') },
];

const high = 40;
const wide = 10;

// Picture draws the days; a triangle below those with downtime tells them apart without colour.
const Picture = ({ days }) => html`
  <svg class="days" viewBox="0 0 ${days.length * wide} ${high + 10}" preserveAspectRatio="none" role="img" aria-label="The days, from ${days[0].date} to ${days.at(-1).date}; the table has them as text">
    ${days.map((d, i) => html`<${Day} key=${d.date} d=${d} x=${i * wide} />`)}
  </svg>`;

function Day({ d, x }) {
  const c = column(d);
  return html`
    <g class="day ${d.kind}"><title>${d.text}</title>
      <rect class="ground" x=${x + 1} y="0.5" width=${wide - 2} height=${high - 1} />
      ${c.up > 0 && html`<rect class="up" x=${x + 1} y=${(1 - c.up - c.down) * high} width=${wide - 2} height=${c.up * high} />`}
      ${c.down > 0 && html`<rect class="down" x=${x + 1} y=${(1 - c.down) * high} width=${wide - 2} height=${c.down * high} />
        <path class="down" d="M${x + 1} ${high + 2}h${wide - 2}l${-(wide - 2) / 2} 7z" />`}
    </g>`;
}
