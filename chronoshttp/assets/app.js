// The frame: which page is shown, how it is kept up to date, the theme.

import { failure, h, setNow, swap } from './dom.js';
import { get, session } from './api.js';
import { connect } from './live.js';
import { toast } from './dialog.js';
import { jobsPage } from './jobs.js';
import { jobPage } from './job.js';
import { executionPage } from './execution.js';
import { timelinePage } from './timeline.js';
import { plotsPage } from './plots.js';
import { weekPage } from './week.js';
import { clusterPage } from './cluster.js';

const main = document.getElementById('main');
const pages = { jobs: jobsPage, timeline: timelinePage, plots: plotsPage, week: weekPage, cluster: clusterPage };

let current = { update: async () => {} };
let turn = 0;

function route() {
  const [name, id] = location.hash.replace(/^#\/?/, '').split('?')[0].split('/');
  if (name === 'jobs' && id) return ['jobs', jobPage, decodeURIComponent(id)];
  if (name === 'executions' && id) return ['timeline', executionPage, decodeURIComponent(id)];
  if (pages[name]) return [name, pages[name]];
  return ['jobs', jobsPage];
}

async function show(focus) {
  const [tab, page, id] = route();
  const mine = ++turn;
  current.leave?.();
  for (const a of document.querySelectorAll('#nav a')) {
    if (a.getAttribute('href') === `#/${tab}`) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current');
  }
  const next = page(id);
  current = next;
  document.title = `${next.title} · Chronos`;
  main.replaceChildren(next.node);
  if (focus) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  main.setAttribute('aria-busy', 'true');
  await refresh();
  if (mine === turn) main.removeAttribute('aria-busy');
}

// refresh reads anew what the page shows. Events come in bursts: there is at most
// one read at a time, and one a second.
let reading = false; let again = false; let last = 0;
async function refresh() {
  if (reading) { again = true; return; }
  reading = true;
  const page = current;
  try {
    await page.update();
    if (page === current) page.error?.replaceChildren();
  } catch (error) {
    if (page === current) {
      if (page.error) swap(page.error, failure(error, refresh));
      else toast(error.message, 'bad');
    }
  }
  last = Date.now();
  reading = false;
  if (again || page !== current) { again = false; soon(); }
}

let planned;
function soon() {
  if (planned) return;
  planned = setTimeout(() => { planned = undefined; refresh(); }, Math.max(0, 1000 - (Date.now() - last)));
}

function theme() {
  const select = document.getElementById('theme');
  select.value = document.documentElement.dataset.theme;
  select.addEventListener('change', () => {
    document.documentElement.dataset.theme = select.value;
    try { localStorage.setItem('chronos-theme', select.value); } catch { /* it lasts for this visit */ }
  });
}

let leader;
function noted(status) {
  setNow(status.now);
  if (status.clustered && leader !== undefined && leader !== status.leader) {
    toast(status.leader ? `${status.leader} leads now` : 'The cluster has no leader at the moment', status.leader ? 'good' : 'bad');
  }
  if (status.clustered) leader = status.leader || '';
}

async function start() {
  theme();
  document.getElementById('skip').addEventListener('click', (e) => { e.preventDefault(); main.focus(); });
  try {
    const who = await session();
    setNow(who.now);
    document.getElementById('who').textContent = who.actor ? `${who.actor} on ${who.node}` : who.node;
    noted(await get('/cluster'));
  } catch (error) {
    main.replaceChildren(h('h1', null, 'Chronos'), failure(error, () => location.reload()));
    return;
  }
  addEventListener('hashchange', () => show(true));
  connect({
    onEvent: soon, onReset: soon,
    onStatus: (status) => { noted(status); soon(); },
    onState: (state) => {
      const live = document.getElementById('live');
      if (live.dataset.state === state) return;
      live.dataset.state = state;
      document.getElementById('live-text').textContent = state;
    },
  });
  setInterval(() => { if (!document.hidden) soon(); }, 30_000); // next due instants move on without events
  await show(false);
}

start();
