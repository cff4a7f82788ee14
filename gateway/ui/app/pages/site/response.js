// How quick the site was, with its outages marked.
import { html, useMemo } from '../../lib/html.js';
import { useAll } from '../../lib/history.js';
import { millis } from '../../lib/numbers.js';
import { useGet } from '../../lib/query.js';
import { useParams } from '../../lib/router.js';
import { can } from '../../lib/session.js';
import { Chart } from '../../parts/chart.js';
import { Empty, Problem, Waiting } from '../../parts/say.js';
import { periods, responses, spans } from './times.js';

/** Response shows the response times of a day, a week or a month. */
export function Response({ id }) {
  const [{ period: name }, change] = useParams({ period: 'day' });
  const period = periods[name] ?? periods.day;
  const params = { resolution: period.resolution, page_size: 1000 };
  const { data, error, stale, refresh } = useAll(`/v1/sites/${id}/history`, { key: `${id} ${name}`, ms: period.ms, params, name: 'points', every: period.every });
  const mayMark = can('outages:read');
  const outages = useGet(mayMark ? '/v1/outages' : null, { params: { site_id: id, page_size: 100 }, every: period.every });
  // Made anew only when something was read: the chart would lose what a person has zoomed to.
  const drawn = useMemo(() => responses(stale ? [] : data?.items ?? [], period), [data, stale, period]);
  const marks = useMemo(() => spans(outages.data?.outages ?? [], Date.now() - period.ms, Date.now()), [outages.data, period]);
  const values = drawn.slice(1);
  const some = values.some((v) => v.some((x) => x !== null));
  const whole = data && !stale && (!mayMark || outages.data || outages.error); // what is drawn first stays as it is
  return html`
    <h2>Response time</h2>
    <div class="choice" role="group" aria-label="Period">${Object.entries(periods).map(([key, p]) => html`
      <button type="button" class="small" aria-pressed=${p === period} onClick=${() => change({ period: key })}>${p.words}</button>`)}</div>
    <${Problem} error=${error} retry=${refresh} />
    <div class="chart-room">
      ${!error && (!data || (!stale && !whole)) && html`<${Waiting} />`}
      ${whole && some && html`<${Chart} key=${name} caption=${caption(period, marks)} data=${drawn} series=${series(values.length)} marks=${marks} />`}
      ${whole && !some && html`<${Empty} title="No good check in this time"><p>What became of a check is known some minutes after it.</p><//>`}
    </div>`;
}

const caption = (period, marks) => `${period.resolution.endsWith('RAW') ? 'Each good check' : 'Good checks by hour'}${marks.length ? '; outages are shaded' : ''}`;

const series = (n) => (n === 1
  ? [{ label: 'Response time', stroke: '--link', unit: millis }]
  : [{ label: 'Median', stroke: '--link', unit: millis }, { label: '95 % took no longer', stroke: '--fair', dash: [4, 4], unit: millis }]);
