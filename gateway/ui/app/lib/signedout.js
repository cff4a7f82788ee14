// The latest refusal of our credentials, which the session listens to.
import { store } from './store.js';

export const signedOut = store(null);
