// Small things that pages show: a status, a time, a number with its name.
import { html, useEffect, useState } from '../lib/html.js';
import { ago, local, timed, utc } from '../lib/time.js';

/** Status is a shape and a word; tone is good, fair, bad or quiet. */
export const Status = ({ word, shape, tone }) => html`
  <span class="status ${tone}"><span class="shape" aria-hidden="true">${shape}</span> ${word}</span>`;

/** useNow returns the time in ms, and draws the component anew every so many ms. */
export function useNow(every = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) setNow(Date.now()); }, every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** Time shows a time of the API in the local zone, UTC on hover. */
export const Time = ({ at }) => (at
  ? html`<time datetime=${at} title=${utc(at)}>${local(at)}</time>` : html`<span class="none">–</span>`);

/** Words are a sentence of the API; a time in it is shown as all others. */
export const Words = ({ text }) => timed(text).map((part, i) => (i % 2 ? html`<${Time} at=${part} />` : part));

/** Ago shows how long ago a time was, and keeps it true; the time itself on hover. What is due at a time is so now when that has passed. */
export function Ago({ at, due = false }) {
  const now = useNow();
  if (!at) return html`<span class="none">–</span>`;
  return html`<time datetime=${at} title="${local(at)}, ${utc(at)}">${due && Date.parse(at) < now ? 'now' : ago(at, now)}</time>`;
}

/** Figure is a number with its name; tone as of Status says how good it is, and note why, in words. */
export const Figure = ({ name, value, note = '', tone = '' }) => html`
  <div class="figure ${tone}"><dt>${name}</dt><dd><strong>${value}</strong>${note && html`<small>${note}</small>`}</dd></div>`;

/** Figures holds several. */
export const Figures = ({ label, children }) => html`<dl class="figures" aria-label=${label}>${children}</dl>`;

/** Link is a URL to follow; what is no http or https URL is text, for others wrote it. */
export const Link = ({ url }) => (/^https?:\/\//i.test(url)
  ? html`<a href=${url} target="_blank" rel="noopener noreferrer nofollow">${url}</a>` : url || 'no URL');
