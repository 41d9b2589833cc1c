/** A report that renews itself while it is open. */
import { html } from './html.js';
import { type Page, reportPage } from './page.js';

/** Milliseconds between two looks. */
const LOOK = 2000;

/**
 * Puts the newest page in place of the one that is shown, as soon as there is a newer one: what was opened stays open, and
 * nothing is scrolled. The title says when the program behind it has ended.
 */
export const LIVE_SCRIPT = `let tag;
const title = document.title;
async function look() {
  try {
    const answer = await fetch('/', { headers: tag ? { 'If-None-Match': tag } : {} });
    document.title = title;
    if (answer.status !== 200) return;
    tag = answer.headers.get('etag');
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
    const open = [...document.querySelectorAll('details')].map((details) => details.open);
    fresh.querySelectorAll('details').forEach((details, i) => { details.open = open[i] ?? false; });
    document.querySelector('main').replaceWith(fresh);
  } catch {
    document.title = 'ended: ' + title;
  }
}
setInterval(look, ${LOOK});
`;

/** The page with the script, which may ask nobody but where it comes from. */
export const livePage = (page: Page): string =>
  reportPage(page, {
    policy: html`default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'`,
    head: html`<script src="/live.js" defer></script>`,
  });
