// Whether the monitor itself is well.
import { html } from '../lib/html.js';

export default function Fleet() { return html`<h1>Fleet</h1>`; }
