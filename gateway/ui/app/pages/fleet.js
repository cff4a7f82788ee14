// Whether the monitor itself is well: the screen for three in the morning.
import { html, useEffect, useRef } from '../lib/html.js';
import { announce } from '../lib/announce.js';
import { useChanges } from '../lib/live.js';
import { count, decimal, millis, plural, share } from '../lib/numbers.js';
import { useGet } from '../lib/query.js';
import { has } from '../routes.js';
import { Figure, Figures, Status } from '../parts/show.js';
import { Problem, Waiting } from '../parts/say.js';
import { Alarms } from './fleet/alarms.js';
import { Coordinators } from './fleet/coordinators.js';
import { Deliveries, useNotifications } from './fleet/deliveries.js';
import { Kinds, useOpenOutages } from './fleet/kinds.js';
import { Checkers, Verifliers } from './fleet/nodes.js';
import { views } from './fleet/seen.js';
import { coordinators, late, rate, total, verdict } from './fleet/sum.js';

const poll = 5000; // ms

export default function Fleet() {
  const { data, error, refresh } = useGet('/v1/fleet', { every: poll });
  const open = useOpenOutages();
  const waiting = useNotifications('WAITING', 'BEHIND');
  const dead = useNotifications('DEAD');
  useChanges(() => { refresh(); open.refresh(); });
  const said = data && verdict(data);
  const before = useRef('');
  const perSecond = useRate(data);
  useEffect(() => {
    if (said && before.current && before.current !== said.word) announce(said.word);
    if (said) before.current = said.word;
  }, [said?.word]);
  const whole = useRef(false); // all of it is there: what is drawn first stays where it is
  whole.current ||= Boolean(data) && [open, waiting, dead].every((g) => !g.stale);
  if (!whole.current) return html`<h1>Fleet</h1>${error ? html`<${Problem} error=${error} retry=${refresh} />` : html`<${Waiting} />`}`;
  const seen = views(data);
  return html`
    <h1>Fleet</h1>
    <p class="verdict"><${Status} ...${said} /></p>
    <${Problem} error=${error} retry=${refresh} />
    <${Now} all=${coordinators(data)} perSecond=${perSecond} />
    <${Alarms} alarms=${data.alarms} />
    <${Kinds} open=${open} />
    <${Deliveries} waiting=${waiting} dead=${dead} />
    <${Coordinators} fleet=${data} />
    <${Checkers} seen=${seen} />
    <${Verifliers} seen=${seen} rule=${data.rule} />`;
}

// useRate returns the checks a second, over a quarter of a minute or so: what comes in does so in waves.
function useRate(data) {
  const readings = useRef([]);
  if (data && readings.current.at(-1)?.data !== data) {
    const now = Date.now();
    readings.current = [...readings.current.filter((r) => now - r.at < 3.5 * poll), { at: now, all: coordinators(data), data }];
  }
  return rate(readings.current[0], readings.current.at(-1) ?? { at: 0 });
}

// Now has the figures of all coordinators together.
function Now({ all, perSecond }) {
  const t = total(all);
  const down = count(t.down);
  return html`
    <${Figures} label="Now">
      <${Figure} name="Sites" value=${count(t.sites)} note="on the schedule" />
      <${Figure} name="Down" value=${has('/ui/outages') ? html`<a href="/ui/outages?state=open">${down}</a>` : down} note="with an open outage" tone=${t.down > 0n ? 'fair' : 'good'} />
      <${Figure} name="Suspect" value=${count(t.suspect)} note="fail, nobody is told yet" />
      <${Figure} name="Checks" value=${perSecond === undefined ? '–' : `${perSecond >= 100 ? count(perSecond) : decimal(perSecond)} /s`} note="come in, in the last seconds" />
      <${Figure} name="Coverage" value=${share(t.coverage)} note="of the checks due came in within 30 s" tone=${late.coverage(t.coverage)} />
      <${Figure} name="Lateness" value=${millis(t.p99)} note=${`99 % of the checks; half of them ${millis(t.p50)}, the latest ${millis(t.most)}`} tone=${late.p99(t.p99)} />
      <${Figure} name="Stretch" value=${`× ${decimal(t.stretch)}`} note=${t.stretch > 1.005 ? 'intervals are longer than asked for' : 'intervals are as asked for'} tone=${late.stretch(t.stretch)} />
      <${Figure} name="Waiting" value=${plural(t.queued, 'check')} note=${`due, for a checker with room; ${count(t.open)} under way`} />
      <${Figure} name="To be told" value=${plural(t.undelivered, 'notice')} note="committed, not yet accepted by WordPress.com" />
      ${t.untold > 0n && html`<${Figure} name="Untold" value=${plural(t.untold, 'site')} note="WordPress.com is not told: muted, or on trial" tone="fair" />`}
    <//>`;
}
