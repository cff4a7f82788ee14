// Who is signed in, and what that allows.
import { get, send } from './api.js';
import { signedOut } from './signedout.js';
import { store } from './store.js';

/**
 * session is {state, caller, why}: "unknown" until the API has said who we are, then "in" with
 * the caller of /v1/caller, or "out" with the API's words why.
 */
export const session = store({ state: 'unknown', caller: null, why: '' });

let wasIn = false;
signedOut.subscribe((error) => {
  if (error) session.set({ state: 'out', caller: null, why: wasIn ? error.message : '' });
});

/** whoAmI asks the API. While nobody answers it asks again. */
export async function whoAmI() {
  try {
    enter(await get('/v1/caller'));
  } catch (error) {
    if (error.status === 401) return; // signedOut has said it
    session.set({ ...session.get(), why: error.message });
    setTimeout(whoAmI, 2000);
  }
}

function enter(caller) {
  wasIn = true;
  signedOut.set(null);
  session.set({ state: 'in', caller, why: '' });
}

/** signIn keeps a token in a cookie that no script can read; an APIError says why it is not good. */
export async function signIn(token) {
  enter(await send('POST', '/ui/session', { body: { token } }));
}

/** signOut forgets it. */
export async function signOut() {
  await send('DELETE', '/ui/session');
  wasIn = false;
  session.set({ state: 'out', caller: null, why: '' });
}

/** allows tells whether a caller has a scope. "" is what everybody has. */
export const allows = (caller, scope) => !scope || (caller?.scopes ?? []).includes(scope);

/** isLimited tells whether a caller sees the sites of some blogs only. */
export const isLimited = (caller) => (caller?.blog_ids ?? []).length > 0;

/** can tells whether who is signed in has a scope: what it does not allow is not offered. */
export const can = (scope) => allows(session.get().caller, scope);
