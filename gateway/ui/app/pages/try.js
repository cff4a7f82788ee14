// Any URL, as all verifliers see it at this moment.
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { announce } from '../lib/announce.js';
import { steps } from '../lib/api.js';
import { phase, seen } from '../lib/observation.js';
import { useParams } from '../lib/router.js';
import { voice } from '../lib/votes.js';
import { longest, waterfall } from '../lib/waterfall.js';
import { Field, others } from '../parts/form.js';
import { Problem } from '../parts/say.js';
import { Status, Words } from '../parts/show.js';
import { Table } from '../parts/table.js';
import { Legend, Waterfall } from '../parts/waterfall.js';
import { begin, next, progress, rows, verdict } from './try/probe.js';

const methods = [['METHOD_UNSPECIFIED', 'HEAD, then GET'], ['METHOD_GET', 'GET'], ['METHOD_HEAD', 'HEAD']];

export default function Try() {
  const [asked, change] = useParams({ url: '' });
  const [url, setURL] = useState(asked.url);
  const [method, setMethod] = useState(methods[0][0]);
  const [run, start, stop] = useProbe();
  const ask = (event) => {
    event.preventDefault();
    change({ url });
    start({ url, method });
  };
  return html`
    <h1>Try it</h1>
    <p>All verifliers look at a URL at this moment, each from its own place. Nothing is recorded, and nobody is told.</p>
    <form class="fields" onSubmit=${ask}>
      <${Field} label="URL" field="url" error=${run?.error} value=${url} onInput=${(e) => setURL(e.target.value)}
        size="40" inputmode="url" autocomplete="url" autocapitalize="none" spellcheck="false" placeholder="https://example.com/" required />
      <${Field} label="Ask by" as="select" field="method" error=${run?.error} value=${method} onChange=${(e) => setMethod(e.target.value)}>
        ${methods.map(([value, name]) => html`<option value=${value}>${name}</option>`)}<//>
      <div class="submit"><button class="main" disabled=${run?.running}>Ask all verifliers</button>
        ${run?.running && html` <button type="button" onClick=${stop}>Stop</button>`}</div>
    </form>
    <${Problem} error=${others(run?.error, ['url', 'method'])} />
    ${run?.probe.panel && html`<${Answers} probe=${run.probe} running=${run.running} />`}`;
}

// useProbe returns the probe of now, how to begin one, which ends the one before, and how to stop it.
function useProbe() {
  const [run, setRun] = useState(null);
  const stopper = useRef(null);
  const stop = () => stopper.current?.abort();
  useEffect(() => stop, []);
  const start = async (probe) => {
    stop();
    const mine = new AbortController();
    stopper.current = mine;
    const set = (edit) => { if (stopper.current === mine) setRun(edit); };
    setRun({ running: true, error: null, probe: begin });
    try {
      await steps('POST', '/v1/probes', { body: probe, signal: mine.signal }, (step) => set((old) => ({ ...old, probe: next(old.probe, step) })));
      set((old) => ({ ...old, running: false }));
    } catch (error) {
      set((old) => ({ ...old, running: false, error: mine.signal.aborted ? null : error }));
    }
  };
  return [run, start, stop];
}

function Answers({ probe, running }) {
  const said = verdict(probe);
  const list = rows(probe);
  const most = longest(probe.votes.map((v) => waterfall(v.observation?.timings)));
  useEffect(() => announce(said ? `${said.word}. ${said.why}` : progress(probe)), [probe.votes.length, said?.word]);
  return html`
    <h2 class="url">${probe.panel.url}</h2>
    <p class="verdict room">${said ? html`<${Status} ...${said} />: ${said.why}` : html`<span class="quiet">${running ? progress(probe) : 'Stopped.'}</span>`}</p>
    <${Table} class="cards" caption="What each veriflier saw" rows=${list} id=${(r) => r.veriflier} columns=${columns(most, running)} />
    <${Legend} />`;
}

const columns = (most, running) => [
  { name: 'Region', cell: (r) => r.region || '–' },
  { name: 'Veriflier', cell: (r) => r.veriflier },
  { name: 'Vote', cell: (r) => (r.vote ? html`<${Status} ...${voice(r.vote)} />` : html`<${Status} word=${running ? 'is looking' : 'did not say'} shape="…" tone="quiet" />`) },
  { name: 'What it saw', class: 'url', cell: ({ vote }) => vote && html`${vote.unknown_reason && html`<${Words} text=${vote.unknown_reason} />. `}${vote.observation ? seen(vote.observation) : ''}` },
  { name: 'Came as far as', cell: ({ vote }) => (vote && phase(vote.observation?.phase)) || '–' },
  { name: 'Where the time went', class: 'falls', cell: ({ vote }) => html`<${Waterfall} fall=${waterfall(vote?.observation?.timings)} most=${most} />` },
];
