// What the axes of a chart show.

/** timeRange is the span of times, in s, to show of [low, high]: a single point has an hour around it, and not years. */
export function timeRange(times, low, high) {
  if (times.length > 1) return [low, high];
  const at = times[0] ?? low;
  return [at - 1800, at + 1800];
}

/** steps are the distances between two marks of an axis that writes whole numbers: none is written twice. */
export const steps = Array.from({ length: 12 }, (_, n) => [1, 2, 5].map((m) => m * 10 ** n)).flat();

/** alone lists the places of values that have no neighbour: no line leads to them. */
export const alone = (values) => [...values.keys()].filter((i) => (values[i] ?? null) !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);

/** tick names a point of the axis of time, s in seconds: the clock, with the date below where a day begins. */
export function tick(s, before, step) {
  const at = new Date(s * 1000);
  const date = at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  if (step >= 86_400) return date;
  const clock = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return before === undefined || new Date(before * 1000).toDateString() !== at.toDateString() ? `${clock}\n${date}` : clock;
}
