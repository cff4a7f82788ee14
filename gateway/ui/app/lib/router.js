// The address of the page. Links are ordinary links; here those below /ui/ change the page
// without loading it.
import { store, useStore } from './store.js';

/** place is the address: a URL. */
export const place = store(here());

function here() {
  return typeof location === 'undefined' ? new URL('http://localhost/ui/') : new URL(location.href);
}

/** go shows an address; replace does so without an entry in the history. */
export function go(address, { replace = false } = {}) {
  const to = new URL(address, place.get());
  if (to.href === place.get().href) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  const moved = to.pathname !== place.get().pathname;
  place.set(to);
  if (moved) scrollTo(0, 0);
}

/** listen follows links and the buttons of the browser. */
export function listen() {
  addEventListener('popstate', () => place.set(here()));
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href]');
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const to = new URL(link.href);
    if (link.target || link.hasAttribute('download') || to.origin !== location.origin || !to.pathname.startsWith('/ui/') || to.hash) return;
    event.preventDefault();
    go(to);
  });
}

/** match returns the parameters of a pattern such as "/ui/sites/:id" in a path, or null. */
export function match(pattern, path) {
  const want = pattern.split('/');
  const have = path.replace(/(.)\/$/, '$1').split('/');
  if (want.length !== have.length) return null;
  const found = {};
  for (const [i, part] of want.entries()) {
    if (part.startsWith(':')) {
      if (!have[i]) return null;
      try { found[part.slice(1)] = decodeURIComponent(have[i]); } catch { return null; }
    } else if (part !== have[i]) return null;
  }
  return found;
}

/**
 * useParams returns what the address has after its "?", as an object with these defaults, and
 * how to change some of it: change({kind: ''}) removes what is empty or the default.
 */
export function useParams(defaults) {
  const url = useStore(place);
  const values = { ...defaults };
  for (const name of Object.keys(defaults)) values[name] = url.searchParams.get(name) ?? defaults[name];
  const change = (changes) => {
    const to = new URL(place.get());
    for (const [name, value] of Object.entries(changes)) {
      if (value === '' || value === undefined || value === defaults[name]) to.searchParams.delete(name);
      else to.searchParams.set(name, value);
    }
    go(to, { replace: true });
  };
  return [values, change];
}
