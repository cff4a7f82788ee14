// Checkers and verifliers as all coordinators see them, together.

/** views lists what each coordinator that answers sees: [{by, checkers, verifliers, pairs}]. */
export function views(fleet) {
  const all = [{ by: fleet.coordinator.node, checkers: fleet.checkers, verifliers: fleet.verifliers, pairs: fleet.veriflier_pairs }];
  for (const p of fleet.peers) {
    // One of an older version says nothing of its verifliers, and there is none without.
    if (p.status && p.verifliers?.length) all.push({ by: p.node, checkers: p.checkers, verifliers: p.verifliers, pairs: p.veriflier_pairs });
  }
  return all.sort((a, b) => a.by.localeCompare(b.by));
}

/**
 * checkers lists each once: {node, region, open_checks, credit, since, seen, missing}. seen is [{by, status}],
 * missing the coordinators that have no session with it.
 */
export function checkers(all) {
  const by = gather(all, (v) => v.checkers, (c) => c.node);
  return by.map(([node, seen]) => ({
    node, seen, region: seen[0].status.region,
    open_checks: sum(seen, 'open_checks'), credit: sum(seen, 'credit'),
    since: seen.map((s) => s.status.connect_time).sort((a, b) => Date.parse(a) - Date.parse(b))[0],
    missing: all.map((v) => v.by).filter((name) => !seen.some((s) => s.by === name)),
  }));
}

/** verifliers lists each once, with the sums of its counts and its latest answer. */
export function verifliers(all) {
  const by = gather(all, (v) => v.verifliers, (v) => v.name);
  return by.map(([name, seen]) => ({
    name, seen, region: seen[0].status.region,
    asked: sum(seen, 'asked'), unknown: sum(seen, 'unknown'), dissented: sum(seen, 'dissented'),
    last_answer_time: seen.map((s) => s.status.last_answer_time).filter(Boolean).sort((a, b) => Date.parse(b) - Date.parse(a))[0],
  }));
}

/** groups puts those together who see the same: [{by: [names], status}], the largest group first; same(status) is what they see. */
export function groups(seen, same) {
  const found = new Map();
  for (const { by, status } of seen) {
    const key = same(status);
    if (!found.has(key)) found.set(key, { by: [], status });
    found.get(key).by.push(by);
  }
  return [...found.values()].sort((a, b) => b.by.length - a.by.length);
}

/**
 * matrix adds up how far verifliers agree: {names, at(a, b)}, which returns {ballots, differed, share}, undefined
 * for a veriflier and itself. share is undefined before both have voted in a ballot.
 */
export function matrix(all) {
  const counts = new Map();
  const key = (a, b) => JSON.stringify([a, b].sort());
  for (const p of all.flatMap((v) => v.pairs ?? [])) {
    const k = key(p.veriflier, p.other_veriflier);
    const was = counts.get(k) ?? { ballots: 0, differed: 0 };
    counts.set(k, { ballots: was.ballots + Number(p.ballots), differed: was.differed + Number(p.differed) });
  }
  const names = [...new Set(all.flatMap((v) => v.verifliers.map((x) => x.name)))].sort();
  const at = (a, b) => {
    if (a === b) return undefined;
    const n = counts.get(key(a, b)) ?? { ballots: 0, differed: 0 };
    return { ...n, share: n.ballots ? n.differed / n.ballots : undefined };
  };
  return { names, at };
}

/** dissent returns {word, shape, tone} for a share of ballots in which two verifliers differed. */
export function dissent({ ballots, share }) {
  if (share === undefined) return { word: 'not yet', shape: '○', tone: 'quiet' };
  if (ballots < 5 && share > 0) return { word: 'too few to tell', shape: '○', tone: 'quiet' };
  if (share >= 0.2) return { word: 'differ', shape: '▼', tone: 'bad' };
  if (share >= 0.05) return { word: 'differ at times', shape: '◆', tone: 'fair' };
  return { word: 'agree', shape: '●', tone: 'good' };
}

const sum = (seen, name) => seen.reduce((n, s) => n + Number(s.status[name] ?? 0), 0);

function gather(all, list, name) {
  const by = new Map();
  for (const v of all) {
    for (const status of list(v)) {
      if (!by.has(name(status))) by.set(name(status), []);
      by.get(name(status)).push({ by: v.by, status });
    }
  }
  return [...by].sort((a, b) => a[0].localeCompare(b[0]));
}
