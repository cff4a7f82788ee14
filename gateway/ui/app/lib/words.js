// What the API's names are called on a page, with a shape and a tone: never colour alone.

const sites = {
  NEVER_CHECKED: ['not checked yet', '○', 'quiet'],
  UP: ['up', '●', 'good'],
  SUSPECT: ['fails', '◆', 'fair'],
  VERIFYING: ['is being verified', '◆', 'fair'],
  DOWN: ['down', '▼', 'bad'],
  CONFIRMED_DOWN: ['down', '▼', 'bad'],
  RECOVERING: ['is recovering', '▲', 'fair'],
  PAUSED: ['paused', '‖', 'quiet'],
  UNCHECKABLE: ['cannot be checked', '✕', 'fair'],
};

/** siteState returns {word, shape, tone} of SITE_STATE_*. */
export const siteState = (name) => shaped(sites, name, 'SITE_STATE_');

/** siteStates lists [name, words] for a choice. */
export const siteStates = Object.entries(sites).map(([k, [word]]) => [`SITE_STATE_${k}`, k === 'CONFIRMED_DOWN' ? 'still down' : word]);

const panel = {
  UNTRIED: ['not asked yet', '○', 'quiet'],
  OK: ['well', '●', 'good'],
  UNREACHABLE: ['does not answer', '▼', 'bad'],
  UNFIT: ['unfit', '◆', 'bad'],
};

/** veriflierState returns {word, shape, tone} of VERIFLIER_STATE_*. */
export const veriflierState = (name) => shaped(panel, name, 'VERIFLIER_STATE_');

function shaped(table, name = '', prefix = '') {
  const [word, shape, tone] = table[name.replace(prefix, '')] ?? [plain(name, prefix), '○', 'quiet'];
  return { word, shape, tone };
}

/** plain makes words of a name that this version does not know: FOO_BAR is "foo bar". */
export const plain = (name = '', prefix = '') => name.replace(prefix, '').toLowerCase().replaceAll('_', ' ');

const failures = {
  DNS: 'name does not resolve',
  CONNECT: 'no connection',
  TLS: 'TLS fails',
  TIMEOUT: 'too slow',
  SERVER: 'server error',
  BLOCKED: 'blocked by a firewall',
  CLIENT: 'refuses the request',
  REDIRECT: 'redirect leads nowhere',
  CONTENT: 'wrong content',
  PARTIAL: 'answer cut short',
  PROTOCOL: 'no valid HTTP',
  POLICY: 'may not be checked',
};

/** failure returns FAILURE_KIND_* in words. */
export const failure = (name = '') => failures[name.replace('FAILURE_KIND_', '')] ?? plain(name, 'FAILURE_KIND_');

/** failureKinds lists [name, words] for a choice. */
export const failureKinds = Object.entries(failures).filter(([k]) => k !== 'POLICY').map(([k, words]) => [`FAILURE_KIND_${k}`, words]);

const causes = { ADDRESS: 'address', NETWORK: 'network', NAME_SERVER: 'name server', ISSUER: 'issuer of certificates', TAG: 'tag' };

/** sharedCause returns SHARED_CAUSE_* in words. */
export const sharedCause = (name = '') => causes[name.replace('SHARED_CAUSE_', '')] ?? plain(name, 'SHARED_CAUSE_');

// What an operator does about an alarm of each kind; docs/operations.md has more.
const alarms = {
  INCONCLUSIVE: ['Undecided', 'Look at the votes; make sure that enough verifliers are well.'],
  STORE: ['Database', 'Look at the database: its load, locks, disk and the network to it.'],
  DELIVERY: ['Delivery', 'Ask the receiver; nothing is lost, and it is sent again.'],
  NO_CHECKERS: ['No checkers', 'Start a checker, or look why none can connect.'],
  QUARANTINE: ['Quarantine', "Look at that checker's network; the others have taken over."],
  CONNECTIVITY: ['Connectivity', 'Look at the network of the checkers: their own anchors do not answer.'],
  OVERLOAD: ['Overload', 'Start more checkers.'],
  UNOWNED: ['Unowned shards', 'Start a coordinator, or look why the others do not take over.'],
  PEER: ['Peer', 'Look at that coordinator, and at the network between the two.'],
  NAME_TAKEN: ['Name taken', 'Give one of the two checkers another name.'],
  READERS_DISAGREE: ['Readers disagree', 'Open the site; report it as a bug when it is well.'],
  VERIFLIER: ['Veriflier', 'Look at that veriflier: its process, its token and its network.'],
};

/** alarm returns {title, advice} of ALARM_KIND_*. */
export function alarm(kind = '') {
  const [title, advice] = alarms[kind.replace('ALARM_KIND_', '')] ?? [plain(kind, 'ALARM_KIND_'), ''];
  return { title, advice };
}
