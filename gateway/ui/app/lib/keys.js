// The keyboard: "/" searches, "?" lists the keys, j, k and Enter walk through a list, g and a
// letter open a page.
import { store } from './store.js';
import { go } from './router.js';

/** helpShown tells whether the list of keys is open. */
export const helpShown = store(false);

/** places are what "g" and a letter open: {f: '/ui/fleet'}. The shell fills it. */
export const places = new Map();

const isTyping = (target) => target.closest?.('input, textarea, select, [contenteditable]');

let afterG = 0;

/** onKey handles a key that nothing else has handled. */
export function onKey(event) {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
  if (isTyping(event.target)) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const step = { j: 1, k: -1 }[event.key];
  if (event.timeStamp - afterG < 1000 && places.has(event.key)) {
    afterG = 0;
    event.preventDefault();
    go(places.get(event.key));
  } else if (event.key === 'g') {
    afterG = event.timeStamp;
  } else if (event.key === '?') {
    helpShown.set(true);
  } else if (event.key === '/') {
    const field = document.querySelector('main input[type=search]');
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  } else if (step && walk(step)) {
    event.preventDefault();
  }
}

// walk moves to the next link that a list offers, or to the one before. Enter follows it, as every link.
function walk(step) {
  const links = [...document.querySelectorAll('main [data-row]')];
  if (links.length === 0) return false;
  const at = links.indexOf(document.activeElement?.closest?.('[data-row]'));
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
  return true;
}
