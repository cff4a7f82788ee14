// Whether the gateway answers, for the line at the top that says so.
import { store } from './store.js';

/** connectionState is null while the gateway answers, else when it ceased to, in ms. */
export const connectionState = store(null);

const patience = 4000; // ms after which an answer is missed
const pause = 2000; // ms between two questions to a gateway that does not answer

let reading = new AbortController();
let asking = false;
let timer = 0;

export const connection = {
  /** lost says that the gateway does not answer. What is being read is given up, and the gateway is asked until it answers. */
  lost() {
    reading.abort();
    reading = new AbortController();
    if (connectionState.get() === null) connectionState.set(Date.now());
    clearTimeout(timer);
    timer = setTimeout(connection.doubt, pause);
  },
  works() {
    clearTimeout(timer);
    connectionState.set(null);
  },
  /** signal ends what is being read when the connection is lost: a network that swallows packets ends nothing. */
  get signal() { return reading.signal; },
  /** await doubts the connection when an answer takes long; the function that it returns says that the answer is there. */
  await() {
    const missed = setTimeout(connection.doubt, patience);
    return () => clearTimeout(missed);
  },
  /** doubt asks the gateway for something that it has at hand, and so finds out whether it answers. */
  async doubt() {
    if (asking) return;
    asking = true;
    try {
      await fetch('/ui/', { method: 'HEAD', cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(patience) });
      connection.works();
    } catch {
      connection.lost();
    }
    asking = false;
  },
};
