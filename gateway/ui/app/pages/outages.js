// The outages, open first.
import { html } from '../lib/html.js';

export default function Outages() { return html`<h1>Outages</h1>`; }
