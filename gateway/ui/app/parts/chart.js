// Charts over time, drawn by uPlot, each with its table for those who cannot see it.
import { html, useEffect, useLayoutEffect, useRef, useState } from '../lib/html.js';
import uPlot from '../vendor/uplot.js';
import { Time } from './show.js';
import { Table } from './table.js';
import { alone, steps, tick, timeRange } from '../lib/axis.js';
import { local, utc, zone } from '../lib/time.js';

/**
 * Chart draws series over time. data is [times in s, values, values, ...], null for no value; series
 * are {label, stroke, fill?, dash?, unit(value)}; strokes are names of the colours in base.css, such as
 * "--good". marks are spans to shade: {from, to, label} in s.
 */
export function Chart({ caption, data, series, marks = [], height = 200 }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [shown, setShown] = useState(false);
  const shape = JSON.stringify([series.map((s) => [s.label, s.stroke]), height]);
  const shade = useRef(marks);
  shade.current = marks;
  useLayoutEffect(() => { // before the page is painted: what is below would move
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const draw = () => {
      if (!box.current) return; // the chart has gone before it could be drawn
      plot.current?.destroy();
      plot.current = new uPlot(options(series, height, box.current.clientWidth, shade), data, box.current);
    };
    draw();
    const resize = new ResizeObserver(() => box.current && plot.current?.setSize({ width: box.current.clientWidth, height }));
    if (box.current) resize.observe(box.current);
    scheme.addEventListener('change', draw);
    return () => { resize.disconnect(); scheme.removeEventListener('change', draw); plot.current?.destroy(); plot.current = null; };
  }, [shape]);
  useEffect(() => { plot.current?.setData(data); }, [data, marks]);
  return html`
    <figure class="chart">
      <figcaption>${caption} <small>(times in ${zone(new Date((data[0].at(-1) ?? 0) * 1000))})</small></figcaption>
      <div ref=${box} style=${{ minHeight: `${height}px` }} aria-hidden="true"></div>
      <button type="button" class="small" aria-expanded=${shown} onClick=${() => setShown(!shown)}>${shown ? 'Hide' : 'Show'} the figures</button>
      ${shown && html`<${Table} caption=${caption} rows=${data[0].map((_, i) => i)} id=${(i) => i}
        columns=${[{ name: 'Time', cell: (i) => html`<${Time} at=${new Date(data[0][i] * 1000).toISOString()} />` }, ...series.map((s, n) => ({ name: s.label, cell: (i) => text(s, data[n + 1][i]) }))]} />`}
    </figure>`;
}

const text = (s, value) => (value === null || value === undefined ? '–' : s.unit?.(value) ?? String(value));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(series, height, width, shade) {
  const axis = { stroke: colour('--text'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') } };
  return {
    width, height,
    cursor: { y: false },
    series: [{ label: 'Time', value: (_, s) => (s === null ? '–' : `${local(s * 1000)} (${utc(s * 1000)})`) }, ...series.map((s) => ({
      label: s.label, stroke: colour(s.stroke), fill: s.fill && colour(s.fill), dash: s.dash, width: 1.5,
      spanGaps: false, value: (_, v) => text(s, v), points: { filter: (u, n, dense) => (dense ? null : alone(u.data[n])) },
    }))],
    axes: [{ ...axis, values: (_, all, n, room, step) => all.map((s, i) => tick(s, all[i - 1], step)) }, { ...axis, size: 64, incrs: steps, values: (_, all) => all.map((v) => text(series[0], v)) }],
    scales: { x: { range: (u, low, high) => timeRange(u.data[0], low, high) }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1)] } },
    hooks: { drawClear: [(u) => shadeMarks(u, shade.current)] },
  };
}

function shadeMarks(u, marks) {
  u.ctx.save();
  u.ctx.fillStyle = colour('--bad-back');
  for (const m of marks) {
    const from = Math.max(u.bbox.left, u.valToPos(m.from, 'x', true));
    const to = Math.min(u.bbox.left + u.bbox.width, u.valToPos(m.to, 'x', true));
    if (to > from) u.ctx.fillRect(from, u.bbox.top, Math.max(1, to - from), u.bbox.height);
  }
  u.ctx.restore();
}
