// Reading the API from a component.
import { useCallback, useEffect, useRef, useState } from '../vendor/hooks.js';
import { get, query } from './api.js';
import { connectionState } from './connection.js';

/**
 * useGet reads a path, again every so many ms, and whenever refresh() is called. What is shown stays
 * until its successor is there. It returns {data, error, stale, refresh}: data is undefined until the
 * first answer, stale tells that none has come for this address, and error is that of the latest reading. A path
 * of null reads nothing. With keep, the answer for the address before stays until that for the new one is there,
 * and stale says so: for lists.
 */
export function useGet(path, { params, every = 0, keep = false } = {}) {
  const url = path === null ? null : path + query(params);
  const [state, setState] = useState({ url: null });
  const again = useRef(() => {});
  useEffect(() => {
    if (url === null) return undefined;
    const stop = new AbortController();
    let timer = 0;
    let running = false;
    let wanted = false;
    const read = async () => {
      if (running) { wanted = true; return; }
      running = true;
      clearTimeout(timer);
      try {
        const data = await get(url, { signal: stop.signal });
        if (!stop.signal.aborted) setState({ url, data, error: null });
      } catch (error) {
        if (!stop.signal.aborted) setState((old) => failed(old, { url, error }, old.url === url));
      }
      running = false;
      if (stop.signal.aborted) return;
      if (wanted) { wanted = false; timer = setTimeout(read, minimumPause); } else if (every) timer = setTimeout(soon, every);
    };
    const soon = () => { if (!document.hidden) read(); };
    again.current = read;
    const shown = () => { if (!document.hidden) read(); };
    const ceaseToWatch = whenItHeals(shown);
    document.addEventListener('visibilitychange', shown);
    read();
    return () => { stop.abort(); clearTimeout(timer); ceaseToWatch(); document.removeEventListener('visibilitychange', shown); };
  }, [url, every]);
  const refresh = useCallback(() => again.current(), []);
  const current = state.url === url;
  return { data: current || keep ? state.data : undefined, stale: !current, error: current ? state.error ?? null : null, refresh };
}

/**
 * failed is the state after a reading that failed: what is shown stays when it is of the same kind. That nobody
 * answers is then no error of its own: a line at the bottom says it for the whole page.
 */
export function failed(old, next, same) {
  const data = same ? old.data : undefined;
  return { ...next, data, error: next.error.status === 0 && data !== undefined ? null : next.error };
}

/** whenItHeals calls back when a lost connection works again; it returns how to cease to watch. */
export const whenItHeals = (heals) => connectionState.subscribe((since) => { if (since === null) heals(); });

// minimumPause is the least time between two readings when many things happen, in ms.
const minimumPause = 250;
