// What every component imports: html`...` makes elements of Preact, in which every value is text
// and never HTML.
import { h } from '../vendor/preact.js';
import htm from '../vendor/htm.js';

export { render, Fragment } from '../vendor/preact.js';
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from '../vendor/hooks.js';
export const html = htm.bind(h);
