// What is around every page: navigation, who is signed in, whether the connection stands.
import { html, useEffect, useLayoutEffect, useRef, useState } from '../lib/html.js';
import { announce, announcement } from '../lib/announce.js';
import { connectionState } from '../lib/connection.js';
import { helpShown, onKey, places } from '../lib/keys.js';
import { go, place } from '../lib/router.js';
import { allows, session, signOut } from '../lib/session.js';
import { useStore } from '../lib/store.js';
import { useTitle } from '../lib/title.js';
import { find, offered } from '../routes.js';
import { Help } from './help.js';
import { Empty, Problem, Waiting } from './say.js';
import { SignIn } from './signin.js';
import { useNow } from './show.js';
import { span } from '../lib/time.js';

/** Shell shows the page of the address. */
export function Shell() {
  const who = useStore(session);
  const url = useStore(place);
  useEffect(() => { addEventListener('keydown', onKey); return () => removeEventListener('keydown', onKey); }, []);
  const home = url.pathname === '/ui/';
  useEffect(() => { // to the first page that the caller may open
    const first = offered(who.caller)[0];
    if (home && who.state === 'in' && first) go(first.path, { replace: true });
  }, [home, who]);
  const found = find(url.pathname);
  return html`
    <a class="skip" href="#main">To the content</a>
    <header class="bar">
      <a class="brand" href="/ui/">Jetmon</a>
      ${who.state === 'in' && html`<${Navigation} caller=${who.caller} current=${found?.route} /><${Who} caller=${who.caller} />`}
    </header>
    <${Connection} />
    <main id="main" tabindex="-1">
      ${who.state === 'out' && html`<${SignIn} why=${who.why} />`}
      ${who.state === 'unknown' && html`<${Waiting} what=${who.why || 'Loading'} />`}
      ${who.state === 'in' && home && offered(who.caller).length === 0 && html`<${Empty} title="There is no page for these scopes">
        <p>This token has ${who.caller.scopes.join(', ')}. The pages take fleet:read, outages:read or sites:read.</p><//>`}
      ${who.state === 'in' && !home && html`<${Page} key=${found?.route.path} found=${found} caller=${who.caller} />`}
    </main>
    <${Announcer} />
    <${Help} />`;
}

function Navigation({ caller, current }) {
  const routes = offered(caller);
  useLayoutEffect(() => {
    places.clear();
    for (const r of routes) if (r.key) places.set(r.key, r.path);
  }, [caller]);
  return html`
    <nav aria-label="Pages">
      ${routes.map((r) => html`<a href=${r.path} aria-current=${current && (current.nav ?? current.under) === r.nav ? 'page' : undefined}>${r.nav}</a>`)}
    </nav>`;
}

function Who({ caller }) {
  if (caller.token_id === '0') return html`<span class="who" title="The coordinators ask nobody who they are.">${caller.name}</span>`;
  return html`<span class="who"><span title="Scopes: ${caller.scopes.join(', ')}">${caller.name}</span>
    <button type="button" class="small" onClick=${() => signOut()}>Sign out</button></span>`;
}

function Connection() {
  const since = useStore(connectionState);
  return since === null ? null : html`<${Lost} since=${since} />`;
}

function Lost({ since }) {
  const now = useNow();
  useEffect(() => {
    announce('The connection is lost. What is shown may be old.');
    return () => announce('The connection stands again.');
  }, []);
  return html`<p class="lost"><span aria-hidden="true">⚠</span> Connection lost for ${span(Math.max(1000, now - since))}: what is shown may be old. It is tried again by itself.</p>`;
}

// Page loads the module of a page, and shows what it exports as default, with the parameters of
// its path. After a step from another page its heading gets the focus.
function Page({ found, caller }) {
  const [module, setModule] = useState(null);
  const [error, setError] = useState(null);
  const first = useRef(document.activeElement === document.body && performance.now() < 3000);
  useEffect(() => {
    let gone = false;
    found?.route.page().then((m) => { if (!gone) setModule(() => m.default); }, (e) => { if (!gone) setError(e); });
    return () => { gone = true; };
  }, [found?.route]);
  const title = found?.route.title ?? 'Not found';
  useTitle(title);
  useEffect(() => {
    if (!first.current) { announce(title); document.getElementById('main')?.focus({ preventScroll: true }); }
  }, [found?.route]);
  if (!found) return html`<h1>Nothing here</h1><p>There is no such page. <a href="/ui/">To the beginning</a></p>`;
  if (!allows(caller, found.route.scope)) {
    return html`<h1>${found.route.title}</h1><${Problem} error=${{ status: 403, message: `This takes a token with the scope ${found.route.scope}; yours has ${caller.scopes.join(', ')}.` }} />`;
  }
  // Another version of Jetmon has other paths of modules: the page itself is then old.
  if (error) return html`<${Problem} error=${{ message: 'This page could not be loaded; perhaps Jetmon was updated meanwhile.' }} retry=${() => location.reload()} />`;
  return module ? html`<${module} ...${found.params} />` : null;
}

function Announcer() {
  return html`<div class="hidden" role="status" aria-live="polite">${useStore(announcement)}</div>`;
}
