// Who dissents from whom: each veriflier beside each other one.
import { html } from '../../lib/html.js';
import { count, share } from '../../lib/numbers.js';
import { Status } from '../../parts/show.js';
import { dissent, matrix } from './seen.js';

/** Matrix shows how often two verifliers that could both tell voted differently. */
export function Matrix({ seen }) {
  const { names, at } = matrix(seen);
  if (names.length < 2) return null;
  const caption = 'Who dissents from whom';
  return html`
    <h3>${caption}</h3>
    <p class="note">In ballots in which both could tell: one of them voted down and the other up. A row and column of ▼ is a veriflier that sees another
      Internet than the others; two groups are two sides of a network.</p>
    <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
      <table class="matrix">
        <caption class="hidden">${caption}</caption>
        <thead><tr><td></td>${names.map((n) => html`<th scope="col" key=${n}>${n}</th>`)}</tr></thead>
        <tbody>${names.map((a) => html`
          <tr key=${a}><th scope="row">${a}</th>${names.map((b) => html`<td key=${b}><${Cell} pair=${at(a, b)} /></td>`)}</tr>`)}
        </tbody>
      </table>
    </div>`;
}

function Cell({ pair }) {
  if (!pair) return html`<span class="none" aria-label="itself">–</span>`;
  return html`<${Status} ...${dissent(pair)} />${pair.ballots > 0 && html` <small>${count(pair.differed)} of ${count(pair.ballots)} (${share(pair.differed / pair.ballots)})</small>`}`;
}
