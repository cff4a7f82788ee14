// Why Jetpack does not reach a site: what is found at each step, and what it comes to.
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { announce } from '../lib/announce.js';
import { steps } from '../lib/api.js';
import { useGet } from '../lib/query.js';
import { can } from '../lib/session.js';
import { seconds, span } from '../lib/time.js';
import { useTitle } from '../lib/title.js';
import { plain } from '../lib/words.js';
import { Problem } from '../parts/say.js';
import { Status } from '../parts/show.js';
import { Table } from '../parts/table.js';
import { begin, certainty, next, parts, progress, verdict } from './diagnose/findings.js';

export default function Diagnose({ id }) {
  const site = useGet(can('sites:read') ? `/v1/sites/${encodeURIComponent(id)}` : null);
  useTitle(site.data?.url ? `Diagnosis of ${site.data.url}` : 'Diagnosis');
  const [run, start, stop] = useDiagnosis(id);
  return html`
    <h1>Diagnosis</h1>
    <p class="url">${can('sites:read') ? html`<a href="/ui/sites/${id}">${site.data?.url || `Site ${id}`}</a>` : `Site ${id}`}</p>
    <${Problem} error=${site.error} />
    <p class="buttons"><button class="main" disabled=${run?.running} onClick=${start}>${run ? 'Diagnose again' : 'Diagnose'}</button>
      ${run?.running && html` <button type="button" onClick=${stop}>Stop</button>`}
      <span class="note">Some two dozen requests to the site, in half a minute or two. They change nothing there.</span></p>
    <${Problem} error=${run?.error} />
    ${run && html`<${Found} made=${run.made} running=${run.running} />`}`;
}

// useDiagnosis returns the diagnosis of now, how to begin one, and how to stop it.
function useDiagnosis(id) {
  const [run, setRun] = useState(null);
  const stopper = useRef(null);
  const stop = () => stopper.current?.abort();
  useEffect(() => stop, [id]);
  const start = async () => {
    stop();
    const mine = new AbortController();
    stopper.current = mine;
    const set = (edit) => { if (stopper.current === mine) setRun(edit); };
    setRun({ running: true, error: null, made: begin });
    try {
      await steps('POST', `/v1/sites/${encodeURIComponent(id)}:watchDiagnosis`, { signal: mine.signal }, (step) => set((old) => ({ ...old, made: next(old.made, step) })));
      set((old) => ({ ...old, running: false }));
    } catch (error) {
      set((old) => ({ ...old, running: false, error: mine.signal.aborted ? null : error }));
    }
  };
  return [run, start, stop];
}

function Found({ made, running }) {
  const d = made.diagnosis;
  useEffect(() => { if (d) announce(d.conclusion); }, [d]);
  return html`
    <div class="verdict room">${d ? html`<p><strong>${d.conclusion}</strong> <small>${span(seconds(d.duration))} for ${made.findings.length} steps.</small></p>`
      : html`<p class="quiet">${running ? progress(made) : 'Stopped.'}</p>`}</div>
    ${d?.causes.length > 0 && html`<h2>What is wrong</h2><ol class="causes">${d.causes.map((c) => html`<${Cause} key=${c.cause} cause=${c} />`)}</ol>`}
    ${parts(made.findings).map(([title, findings]) => html`<h2 key=${title}>${title}</h2>
      <${Table} class="cards findings" caption=${title} rows=${findings} id=${(f) => f.check + findings.indexOf(f)} columns=${columns} />`)}`;
}

const Cause = ({ cause: c }) => html`
  <li class=${verdict(c.verdict).tone}>
    <p><strong>${plain(c.cause)}</strong> <small>${certainty(c.certainty)}; seen by ${c.checks.map((name) => plain(name)).join(', ')}</small></p>
    <p>${c.meaning}</p>
    ${c.advice && html`<p><strong>The owner:</strong> ${c.advice}</p>`}
    ${c.host_advice && html`<p><strong>The host:</strong> ${c.host_advice}</p>`}
  </li>`;

const columns = [
  { name: 'Step', cell: (f) => plain(f.check) },
  { name: 'Result', cell: (f) => html`<${Status} ...${verdict(f.verdict)} />` },
  { name: 'What was seen', class: 'url', cell: (f) => html`${f.evidence}${f.meaning && html`<br /><small>${f.meaning}</small>`}` },
];
