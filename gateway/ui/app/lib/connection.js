// Whether the gateway answers, for the line at the top that says so.
import { store } from './store.js';

/** connectionState is null while the gateway answers, else when it ceased to, in ms. */
export const connectionState = store(null);

export const connection = {
  lost() { if (connectionState.get() === null) connectionState.set(Date.now()); },
  works() { connectionState.set(null); },
};
