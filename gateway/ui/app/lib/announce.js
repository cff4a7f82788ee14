// What a screen reader is told of that which changes by itself.
import { store } from './store.js';

/** announcement is the latest sentence. */
export const announcement = store('');

/** announce says a sentence; the same one again is said again. */
export function announce(text) {
  announcement.set(text === announcement.get() ? `${text}\u00a0` : text);
}
