// Starts the cockpit: asks who is signed in, and draws the shell.
import { html, render } from './lib/html.js';
import { whoAmI } from './lib/session.js';
import { listen } from './lib/router.js';
import { Shell } from './parts/shell.js';

listen();
whoAmI();
const root = document.getElementById('app');
root.textContent = '';
render(html`<${Shell} />`, root);
