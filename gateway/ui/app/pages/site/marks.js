// Every check of the last hours, a mark each, by region and checker.
import { html, useEffect, useRef, useState } from '../../lib/html.js';
import { useAll } from '../../lib/history.js';
import { millis } from '../../lib/numbers.js';
import { local, seconds, span, utc } from '../../lib/time.js';
import { Empty, Problem, Waiting } from '../../parts/say.js';
import { Status, Time } from '../../parts/show.js';
import { Table } from '../../parts/table.js';
import { counts, rows, turn } from './times.js';

const most = 6 * 3_600_000; // ms
const poll = 60_000; // ms

/** Marks shows them, and as a table. */
export function Marks({ id }) {
  const params = { resolution: 'HISTORY_RESOLUTION_RAW', page_size: 1000 };
  const { data, error, refresh } = useAll(`/v1/sites/${id}/history`, { key: id, ms: most, params, name: 'points', pages: 1, every: poll });
  const [open, setOpen] = useState(false);
  const points = data?.items ?? [];
  const known = data?.answer?.known_time;
  return html`
    <h2>Every check of the last ${span(data?.ms ?? most)}</h2>
    <${Problem} error=${error} retry=${refresh} />
    <div class="marks-room">
      ${!data && !error && html`<${Waiting} />`}
      ${data && points.length === 0 && html`<${Empty} title="No check is known yet"><p>What became of a check is known some minutes after it.</p><//>`}
      ${points.length > 0 && html`<${Rows} points=${points} />`}
    </div>
    ${points.length > 0 && html`<p class="note">From <${Time} at=${points[0].start_time} /> to <${Time} at=${known ?? points.at(-1).end_time} />, until when it is known.
      ● good ▼ failed ◆ turned away ■ failed in maintenance ○ could not tell.</p>
      <button type="button" class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? 'Hide' : 'Show'} the checks</button>`}
    ${open && html`<${Table} caption="Checks" rows=${[...points].reverse()} id=${(p) => p.start_time} columns=${columns} />`}`;
}

const columns = [
  { name: 'When', cell: (p) => html`<${Time} at=${p.start_time} />` },
  { name: 'What became of it', cell: (p) => html`<${Status} word=${turn(p.code).word} shape=${turn(p.code).glyph} tone=${turn(p.code).tone} />` },
  { name: 'Response time', class: 'number', cell: (p) => (p.response_time ? millis(seconds(p.response_time)) : '–') },
  { name: 'Region', cell: (p) => p.region || '–' },
  { name: 'Checker', cell: (p) => p.checker || '–' },
];

// Each is drawn around its own origin, so that the width of the window stretches none.
const paths = {
  dot: html`<circle cy="10" r="3.5" />`,
  down: html`<path d="M-6 3h12l-6 13z" />`,
  diamond: html`<path d="M0 2l6 8l-6 8l-6 -8z" />`,
  square: html`<rect x="-5" y="5" width="10" height="10" />`,
  ring: html`<circle class="ring" cy="10" r="3.5" />`,
  line: html`<path class="ring" d="M-2 10h4" />`,
};

// Rows is as wide as the marks need, that they do not lie on one another, and begins at the newest.
function Rows({ points }) {
  const box = useRef(null);
  useEffect(() => { box.current.scrollLeft = box.current.scrollWidth; }, []);
  const size = points.length > 120 ? 0.5 : 1;
  const width = `${points.length * 13 * size}px`;
  const from = new Date(points[0].start_time).getTime();
  const to = new Date(points.at(-1).end_time).getTime();
  return html`
    <div class="scroll" ref=${box} tabindex="0" role="region" aria-label="Checks by region and checker">
      ${rows(points).map((r) => html`<${Row} key=${r.name} ...${{ r, from, to, size, width }} />`)}
    </div>`;
}

function Row({ r, from, to, size, width }) {
  const at = (p) => `${(1 + ((new Date(p.start_time).getTime() - from) / Math.max(1, to - from)) * 98).toFixed(2)}%`;
  const name = r.name || 'no checker, or it is not known';
  const bad = (p) => turn(p.code).tone === 'bad';
  const drawn = [...r.turns.filter((p) => !bad(p)), ...r.turns.filter(bad)]; // what failed lies on top
  return html`
    <div class="marks" style=${{ minWidth: width }}>
      <span class="marks-name">${name} <small>${counts(r.turns)}</small></span>
      <svg width="100%" height="20" role="img" aria-label="${name}: ${counts(r.turns)}">
        ${drawn.map((p) => html`<svg key=${p.start_time} class=${turn(p.code).tone} x=${at(p)} overflow="visible">
          <title>${local(p.start_time)} (${utc(p.start_time)}): ${turn(p.code).word}</title><g transform="translate(0 ${10 - 10 * size}) scale(${size})">${paths[turn(p.code).shape]}</g></svg>`)}
      </svg>
    </div>`;
}
