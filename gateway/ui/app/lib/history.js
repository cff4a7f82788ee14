// Reading histories that have several pages.
import { useCallback, useEffect, useState } from '../vendor/hooks.js';
import { get } from './api.js';
import { failed, whenItHeals } from './query.js';

/** all reads at most so many pages of a list, and returns what they hold under a name, with the last answer. */
export async function all(path, { params = {}, name, pages = 4, signal, read = get }) {
  const items = [];
  for (let token = '', n = 0; n < pages; n++) {
    const answer = await read(path, { params: { ...params, page_token: token }, signal });
    items.push(...(answer[name] ?? []));
    token = answer.next_page_token;
    if (!token) return { items, answer, whole: true };
  }
  return { items, whole: false };
}

/**
 * latest reads what a list, oldest first, holds of the last so many ms; of half of them, and so on, while that is more
 * than the pages hold. It returns what all does, and the ms that it covers.
 */
export async function latest(path, { ms, now = Date.now(), params, ...rest }) {
  const data = await all(path, { ...rest, params: { ...params, start_time: new Date(now - ms).toISOString() } });
  return data.whole || ms <= 1000 ? { ...data, ms } : latest(path, { ...rest, params, now, ms: ms / 2 });
}

/**
 * useAll is all for a component, or latest where ms are given: it reads when key changes, and every so many ms. It
 * returns {data: {items, answer, whole}, error, refresh}; data stays until its successor is there.
 */
export function useAll(path, { key, ms, params, name, pages, every = 0 }) {
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    let reach = ms;
    const read = async () => {
      if (document.hidden) return;
      try {
        const data = await (ms ? latest : all)(path, { ms: reach, params, name, pages, signal: stop.signal });
        if (ms) reach = Math.min(ms, data.ms * 2);
        if (!stop.signal.aborted) setState({ key, data, error: null });
      } catch (error) {
        if (!stop.signal.aborted) setState((old) => failed(old, { key, error }, old.key === key));
      }
    };
    read();
    const timer = every ? setInterval(read, every) : 0;
    const ceaseToWatch = whenItHeals(read);
    document.addEventListener('visibilitychange', read);
    return () => { stop.abort(); clearInterval(timer); ceaseToWatch(); document.removeEventListener('visibilitychange', read); };
  }, [path, key, every, turn]);
  const refresh = useCallback(() => setTurn((n) => n + 1), []);
  return { data: state.data, error: state.error ?? null, stale: state.key !== key, refresh };
}
