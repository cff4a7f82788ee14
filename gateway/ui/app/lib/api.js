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

const tags = new WeakMap();

/** etag returns the ETag that came with an answer of get or send. */
export const etag = (answer) => tags.get(answer) ?? '';

async function once(method, url, { headers, body, signal } = {}) {
  let response;
  let answer = null;
  try {
    response = await fetch(url, { method, headers: { Accept: 'application/json', ...headers }, body, signal, credentials: 'same-origin' });
    const text = await response.text();
    answer = text ? JSON.parse(text) : null;
  } catch (error) {
    if (signal?.aborted) throw error;
    if (!response) connection.lost();
    throw new APIError(response?.status ?? 0, null, response?.headers);
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
