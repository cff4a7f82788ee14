// What happens, while it happens: one stream of changes for all components that want to know.
import { useEffect } from '../vendor/hooks.js';
import { backoff } from './api.js';
import { connection, connectionState } from './connection.js';
import { can } from './session.js';

const types = ['SITE_DOWN', 'SITE_CONFIRMED_DOWN', 'SITE_UP', 'INCIDENT_OPENED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED'];
const url = `/v1/changes:watch?include_muted=true&heartbeat=5s&${types.map((t) => `types=EVENT_TYPE_${t}`).join('&')}`;

const listeners = new Set();
let source = null;
let timer = 0;
let attempt = 0;

// A browser has six connections to a gateway without HTTP/2, for all its tabs: only a page that
// is seen keeps one for the stream. When it is seen again, pages read everything anew. A stream on
// a connection that was lost may never end by itself: another one begins when the gateway answers again.
function adjust() {
  const wanted = listeners.size > 0 && !document.hidden && can('outages:read') && connectionState.get() === null;
  if (wanted && !source) open();
  if (!wanted) close();
}

function open() {
  clearTimeout(timer);
  source = new EventSource(url);
  source.onopen = () => {
    attempt = 0;
    connection.works();
    tell([]); // what happened before is to be read
  };
  source.onmessage = (message) => {
    const events = JSON.parse(message.data).events ?? [];
    tell(events);
  };
  source.onerror = () => {
    connection.doubt();
    if (source?.readyState === EventSource.CONNECTING) return; // it tries again itself
    close();
    timer = setTimeout(adjust, backoff(attempt++));
  };
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function tell(events) {
  for (const listener of [...listeners]) listener(events);
}

if (typeof document !== 'undefined') {
  document.addEventListener('visibilitychange', adjust);
  connectionState.subscribe(adjust);
}

/**
 * useChanges calls back with the events that have happened, as GET /v1/changes:watch has them; with
 * none when some may have been missed. Who may not watch gets none: poll as well, lightly.
 */
export function useChanges(listener, deps = []) {
  useEffect(() => {
    listeners.add(listener);
    adjust();
    return () => { listeners.delete(listener); setTimeout(adjust); };
  }, deps);
}
