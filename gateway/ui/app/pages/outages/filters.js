// The fields that restrict the list.
import { html, useEffect, useState } from '../../lib/html.js';
import { failureKinds } from '../../lib/words.js';
import { Field } from '../../parts/form.js';

const spans = [['', 'any time'], ['60s', '1 min'], ['300s', '5 min'], ['3600s', '1 h'], ['86400s', '1 d']];
const states = [['', 'open and over'], ['open', 'open'], ['over', 'over']];

/** Filters shows them; what is chosen counts at once, and what is typed at Enter or when the field is left. error is what the API refused. */
export function Filters({ filter, change, error }) {
  const typed = { filter, change, error };
  const choose = (name) => (e) => change({ [name]: e.currentTarget.value });
  return html`
    <form class="fields" role="search" aria-label="Filters" onSubmit=${(e) => e.preventDefault()}>
      <${Typed} type="search" label="Host" field="host" ...${typed} placeholder="example.com" />
      <${Field} as="select" label="State" value=${filter.state} onChange=${choose('state')}>${options(states)}<//>
      <${Field} as="select" label="Failure" field="failure" error=${error} value=${filter.kind} onChange=${choose('kind')}>${options([['', 'any'], ...failureKinds])}<//>
      <${Field} as="select" label="Lasted at least" field="min_duration" error=${error} value=${filter.lasted} onChange=${choose('lasted')}>${options(spans)}<//>
      <${Typed} label="Seen from region" field="region" ...${typed} size="10" />
      <${Typed} label="Tag" field="tag" ...${typed} size="10" />
      <${Typed} label="Blog" field="blog_id" filterName="blog" ...${typed} inputmode="numeric" pattern="[0-9]*" size="10" />
    </form>`;
}

const options = (list) => list.map(([value, words]) => html`<option value=${value}>${words}</option>`);

// After Enter the keys walk through the list.
function leaveAtEnter(event) {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  event.currentTarget.blur(); // which is a change
}

// Typed has the filter of the same name as its field, or another.
function Typed({ field, filterName: name = field, filter, change, ...own }) {
  const [text, setText] = useState(filter[name]);
  useEffect(() => setText(filter[name]), [filter[name]]);
  return html`<${Field} ...${own} field=${field} value=${text} onInput=${(e) => setText(e.currentTarget.value)} onChange=${(e) => change({ [name]: e.currentTarget.value.trim() })} onKeyDown=${leaveAtEnter} />`;
}
