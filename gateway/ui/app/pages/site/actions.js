// What can be done with a site at once: check it now, pause it, have it checked again.
import { html, useState } from '../../lib/html.js';
import { announce } from '../../lib/announce.js';
import { send } from '../../lib/api.js';
import { millis } from '../../lib/numbers.js';
import { outcome, seen } from '../../lib/observation.js';
import { can } from '../../lib/session.js';
import { Problem } from '../../parts/say.js';
import { Status } from '../../parts/show.js';
import { has } from '../../routes.js';

/** Actions offers what the token allows. */
export function Actions({ site, refresh }) {
  const [busy, setBusy] = useState('');
  const [error, setError] = useState(null);
  const [found, setFound] = useState(null);
  const run = async (verb) => {
    setBusy(verb);
    setError(null);
    setFound(null);
    try {
      const answer = await send('POST', `/v1/sites/${site.site_id}:${verb}`);
      if (verb === 'check') { setFound(answer); announce(`The check says: ${outcome(answer).word}.`); } else announce(verb === 'pause' ? 'Paused.' : 'Resumed.');
    } catch (e) {
      setError(e);
    }
    setBusy('');
    refresh();
  };
  const diagnose = `/ui/sites/${site.site_id}/diagnose`;
  const verb = site.paused ? 'resume' : 'pause';
  return html`
    <p class="buttons">
      ${can('checks:run') && !site.paused && html`<button type="button" class="main" disabled=${busy !== ''} onClick=${() => run('check')}>${busy === 'check' ? 'Checking …' : 'Check now'}</button>`}
      ${can('sites:write') && html`<button type="button" disabled=${busy !== ''} onClick=${() => run(verb)}>${site.paused ? 'Resume' : 'Pause'}</button>`}
      ${can('checks:run') && has(diagnose) && html`<a href=${diagnose}>Diagnose</a>`}
    </p>
    <${Problem} error=${error} />
    ${found && html`<p role="status">This check: <${Status} ...${outcome(found)} /> ${seen(found)}${found.timings ? `, in ${millis(found.timings.total_micros / 1000)}` : ''}.</p>`}`;
}
