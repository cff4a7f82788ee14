// What another rule would have said of the same votes.
import { html } from '../../lib/html.js';
import { useGet } from '../../lib/query.js';
import { useParams } from '../../lib/router.js';
import { Field } from '../../parts/form.js';
import { Problem } from '../../parts/say.js';
import { Status } from '../../parts/show.js';
import { rule } from './story.js';

const verdicts = {
  CONFIRMED: { word: 'Down: the outage would have been confirmed', shape: '▼', tone: 'bad' },
  REJECTED: { word: 'Up: it would have been a false alarm', shape: '●', tone: 'good' },
  INCONCLUSIVE: { word: 'Undecided: the verifliers would have been asked again', shape: '○', tone: 'fair' },
};

/** verdict returns {word, shape, tone} of VERDICT_*. */
export const verdict = (name = '') => verdicts[name.replace('VERDICT_', '')] ?? { word: 'Not decided', shape: '○', tone: 'quiet' };

/** Replay offers another rule by two sliders; what they are set to is in the address. */
export function Replay({ id, votes, by }) {
  const [{ need, regions }, change] = useParams({ need: String(by.need), regions: String(by.regions) });
  const { data, error, refresh } = useGet(`/v1/outages/${id}:replay`, { params: { need, regions }, keep: true });
  const most = Math.max(1, by.verifliers);
  const far = Math.max(1, by.regions, new Set(votes.map((v) => v.region)).size);
  const own = need === String(by.need) && regions === String(by.regions);
  return html`
    <h2>What would another rule have said?</h2>
    <div class="fields">
      <${Field} label="Votes needed: ${need} of ${most}" type="range" min="1" max=${most} step="1" value=${need} onInput=${(e) => change({ need: e.currentTarget.value })} />
      <${Field} label="From regions: ${regions} of ${far}" type="range" min="1" max=${far} step="1" value=${regions} onInput=${(e) => change({ regions: e.currentTarget.value })} />
    </div>
    <${Problem} error=${error} retry=${refresh} />
    <p class="verdict replay" aria-live="polite">${data && html`<${Status} ...${verdict(data.other_verdict)} />${own ? ', by the rule that decided' : ''}.`}</p>
    ${data && html`<p class="note">${rule(data.other_rule)}. The rule that decided took ${rule(by)}${data.replayed_verdict === data.ballot.verdict ? '; decided again today, it says the same' : '. Decided again today, it says something else: that is a bug'}.</p>`}`;
}
