// The fields that restrict the list.
import { html, useEffect, useState } from '../../lib/html.js';
import { failureKinds } from '../../lib/words.js';
import { Field } from '../../parts/form.js';

const spans = [['', 'any time'], ['60s', '1 min'], ['300s', '5 min'], ['3600s', '1 h'], ['86400s', '1 d']];
const states = [['', 'open and over'], ['open', 'open'], ['over', 'over']];

/** Filters shows them; what is chosen counts at once, and what is typed at Enter or when the field is left. */
export function Filters({ filter, change }) {
  const choose = (name) => (e) => change({ [name]: e.currentTarget.value });
  return html`
    <form class="fields" role="search" aria-label="Filters" onSubmit=${(e) => e.preventDefault()}>
      <${Typed} type="search" label="Host" name="host" filter=${filter} change=${change} placeholder="example.com" />
      <${Field} as="select" label="State" value=${filter.state} onChange=${choose('state')}>${options(states)}<//>
      <${Field} as="select" label="Failure" value=${filter.kind} onChange=${choose('kind')}>${options([['', 'any'], ...failureKinds])}<//>
      <${Field} as="select" label="Lasted at least" value=${filter.lasted} onChange=${choose('lasted')}>${options(spans)}<//>
      <${Typed} label="Tag" name="tag" filter=${filter} change=${change} size="10" />
      <${Typed} label="Blog" name="blog" filter=${filter} change=${change} inputmode="numeric" pattern="[0-9]*" size="10" />
    </form>`;
}

const options = (list) => list.map(([value, words]) => html`<option value=${value}>${words}</option>`);

// After Enter the keys walk through the list.
function leaveAtEnter(event) {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  event.currentTarget.blur(); // which is a change
}

function Typed({ name, filter, change, ...own }) {
  const [text, setText] = useState(filter[name]);
  useEffect(() => setText(filter[name]), [filter[name]]);
  return html`<${Field} ...${own} field=${name} value=${text} onInput=${(e) => setText(e.currentTarget.value)} onChange=${(e) => change({ [name]: e.currentTarget.value.trim() })} onKeyDown=${leaveAtEnter} />`;
}
