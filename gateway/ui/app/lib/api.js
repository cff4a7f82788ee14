// Calls of the REST API. The gateway knows who has signed in by a cookie that no script sees.
import { connection } from './connection.js';
import { signedOut } from './signedout.js';

/** APIError is what the API answered instead of what was asked for, in its own words. */
export class APIError extends Error {
  constructor(status, body, headers) {
    super(body?.message || words(status));
    this.name = 'APIError';
    this.status = status; // of HTTP; 0 when nobody answered
    this.code = body?.code ?? 0; // of gRPC
    const details = body?.details ?? [];
    const of = (type) => details.find((d) => d['@type']?.endsWith(type));
    this.reason = of('ErrorInfo')?.reason ?? '';
    this.fields = Object.fromEntries((of('BadRequest')?.field_violations ?? []).map((v) => [v.field, v.description]));
    this.requestId = headers?.get('X-Request-Id') ?? '';
    this.retryAfter = Number(headers?.get('Retry-After')) || 0; // s
  }

  /** passes tells whether the same call may succeed a little later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

function words(status) {
  return status === 0 ? 'The gateway does not answer.' : `The gateway answered ${status}.`;
}

/** query returns "?a=1&b=2" for an object; what is empty, null or undefined is left out, and an array is repeated. */
export function query(values = {}) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '') q.append(name, String(one));
    }
  }
  const text = q.toString();
  return text && `?${text}`;
}

const firstWait = 300; // ms
const tries = 3;

/** backoff returns how long to wait after a try that failed, in ms: twice as long each time, with some chance in it. */
export function backoff(attempt, retryAfter = 0, random = Math.random()) {
  return Math.max(retryAfter * 1000, Math.min(10_000, firstWait * 2 ** attempt) * (0.5 + random / 2));
}

const sleep = (ms, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); fail(signal.reason); }, { once: true });
});

/**
 * get reads a path of the API. A failure that passes is tried twice more.
 * It returns the answer; etag(answer) is its tag for an edit.
 */
export async function get(path, { params, signal } = {}) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await once('GET', path + query(params), { signal });
    } catch (error) {
      if (!error.passes || attempt + 1 >= tries) throw error;
      await sleep(backoff(attempt, error.retryAfter), signal);
    }
  }
}

/** send makes a call that changes something, once: method, path, and perhaps a body, an etag and an idempotency key. */
export function send(method, path, { params, body, etag, key, signal } = {}) {
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (etag) headers['If-Match'] = etag;
  if (key) headers['Idempotency-Key'] = key;
  return once(method, path + query(params), { headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
}

/**
 * steps makes a call whose answer comes step by step, and hands each to took. It returns when the last
 * has come; an APIError says why there was none, or why it was not the last.
 */
export async function steps(method, path, { params, body, signal } = {}, took) {
  const lost = connection.signal;
  const ends = AbortSignal.any([lost, ...(signal ? [signal] : [])]);
  const headers = { Accept: 'application/x-ndjson' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await missed(fetch(path + query(params), { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: ends, credentials: 'same-origin' })).catch((error) => {
    if (signal?.aborted) throw error;
    if (!lost.aborted) connection.lost();
    throw new APIError(0);
  });
  connection.works();
  if (!response.ok) {
    const error = new APIError(response.status, await response.json().catch(() => null), response.headers);
    if (error.status === 401) signedOut.set(error);
    throw error;
  }
  const push = lines((step) => {
    if (step.error) throw new APIError(503, step.error, response.headers);
    took(step);
  });
  const text = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const part = await missed(reader.read()).catch((error) => {
      if (signal?.aborted) throw error;
      throw new APIError(0, { message: 'The answer broke off.' });
    });
    push(text.decode(part.value, { stream: !part.done }));
    if (part.done) return;
  }
}

// missed waits for what the gateway is to send, and doubts the connection when that takes long.
const missed = (what) => what.finally(connection.await());

/** lines returns a function that takes text as it comes, and hands each whole line, as JSON, to each. */
export function lines(each) {
  let rest = '';
  return (text) => {
    const whole = (rest + text).split('\n');
    rest = whole.pop();
    for (const line of whole) if (line) each(JSON.parse(line));
  };
}

const tags = new WeakMap();

/** etag returns the ETag that came with an answer of get or send. */
export const etag = (answer) => tags.get(answer) ?? '';

async function once(method, url, { headers, body, signal } = {}) {
  const lost = connection.signal;
  // What changes something goes on: whether it came to pass is not known before the answer.
  const ends = method === 'GET' ? AbortSignal.any([lost, ...(signal ? [signal] : [])]) : signal;
  const arrived = connection.await();
  let response;
  let answer = null;
  try {
    response = await fetch(url, { method, headers: { Accept: 'application/json', ...headers }, body, signal: ends, credentials: 'same-origin' });
    const text = await response.text();
    answer = text ? JSON.parse(text) : null;
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof SyntaxError) throw new APIError(response.status, null, response.headers); // the answer of something else
    if (!lost.aborted) connection.lost();
    throw new APIError(0);
  } finally {
    arrived();
  }
  connection.works();
  if (response.ok) {
    if (answer && typeof answer === 'object') tags.set(answer, response.headers.get('ETag') ?? '');
    return answer;
  }
  const error = new APIError(response.status, answer, response.headers);
  if (error.status === 401) signedOut.set(error);
  throw error;
}
