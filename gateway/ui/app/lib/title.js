// The title of the page: of several tabs it tells which is which.
import { useEffect } from '../vendor/hooks.js';

/** useTitle sets it to some words. */
export function useTitle(words) {
  useEffect(() => { document.title = `${words} · Jetmon`; }, [words]);
}
