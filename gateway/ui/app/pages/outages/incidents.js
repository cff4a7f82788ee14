// The latest incidents with their sites, for those who may read them.
import { useEffect, useRef, useState } from '../../lib/html.js';
import { get } from '../../lib/api.js';
import { can } from '../../lib/session.js';
import { latest, withSites } from './members.js';

const poll = 15_000; // ms
const pause = 1000; // ms between two readings when many things happen

/** useIncidents returns [incidents, reread]: each has its sites as a Set of ids. Before the first answer there is null. */
export function useIncidents() {
  const [incidents, setIncidents] = useState(can('fleet:read') ? null : []);
  const reread = useRef(() => {});
  useEffect(() => {
    if (!can('fleet:read')) return undefined;
    const reader = read(setIncidents);
    reread.current = reader.soon;
    return reader.stop;
  }, []);
  return [incidents, () => reread.current()];
}

// read reads them until it is stopped, and hands them to tell.
function read(tell) {
  let known = [];
  let last = -Infinity;
  let timer = 0;
  let running = false;
  let wanted = false;
  let stopped = false;
  const now = async () => {
    running = true;
    wanted = false;
    try {
      if (!document.hidden) known = await withSites(await latest(get), known, get);
    } catch { // outages are shown without them; their own reading says what is wrong
    }
    running = false;
    last = performance.now();
    if (stopped) return;
    tell(known);
    timer = setTimeout(now, wanted ? pause : poll);
  };
  const soon = () => {
    wanted = true;
    if (running) return;
    clearTimeout(timer);
    timer = setTimeout(now, Math.max(0, last + pause - performance.now()));
  };
  now();
  return { soon, stop: () => { stopped = true; clearTimeout(timer); } };
}
