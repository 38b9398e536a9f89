// One job: what it is, when it is due, its history and its versions.

import { at, chip, empty, facts, h, now, path, section, swap, table, when } from './dom.js';
import { get, may, query } from './api.js';
import { jobButtons, rollback } from './actions.js';
import { onResize, plots, timeline, wide } from './charts.js';
import { jobState } from './jobs.js';
import { ledger } from './ledger.js';

export function jobPage(id) {
  const base = `/jobs/${path(id)}`;
  const error = h('div');
  const head = h('div', { class: 'head' }, h('h1', null, id));
  const about = h('div'); const next = h('div'); const lanes = h('div', { class: 'chart' }); const chart = h('div', { class: 'chart' });
  const rows = h('div'); const versions = h('div'); const diff = h('div', { 'aria-live': 'polite' });
  let limit = 20; let xs = []; let chosen = null; let drawn = '';
  const again = () => update().catch((e) => swap(error, h('p', { class: 'notice bad', role: 'alert' }, e.detail || e.message)));

  function draw() {
    const ran = xs.filter((x) => x.attempt > 0);
    if (!xs.length) { swap(lanes, empty('Nothing is in the ledger yet')); swap(chart, empty('It has not run yet')); return; }
    const to = now() + 1000; const oldest = Math.min(...xs.map((x) => Date.parse(x.due))); const from = Math.min(oldest, to - 60_000) - (to - oldest) * 0.02;
    swap(lanes, timeline(xs, { width: wide(lanes), from, to, lane: (x) => x.node || 'nobody', by: 'node' }));
    swap(chart, ran.length ? plots(ran, { width: wide(chart), from, to }) : empty('It has not run yet'));
  }

  async function compare(from, to) {
    const d = await get(`${base}:diff${query({ from, to })}`);
    const show = (v) => (v === undefined ? h('span', { class: 'faint' }, 'not set') : h('code', null, typeof v === 'string' ? v : JSON.stringify(v)));
    swap(diff, h('h3', null, `From version ${from} to ${to}`),
      d.changes.length ? table('Changes', ['Field', 'Before', 'After'], d.changes.map((c) => [h('code', null, c.field), h('span', { class: 'before' }, show(c.before)), h('span', { class: 'after' }, show(c.after))]), { class: 'diff' })
        : h('p', null, 'They are the same.'),
      h('p', { class: 'faint' }, 'Secrets are never read, so they are not compared.'));
  }

  function drawVersions(list, job) {
    const newest = list.items[0]?.number; const several = list.items.length > 1;
    const mark = JSON.stringify([list.items.map((v) => v.number), job?.version]);
    if (mark === drawn) return; // keeps what was chosen
    drawn = mark;
    const pick = (name, v) => h('input', { type: 'radio', name, value: v.number, 'aria-label': `${name === 'from' ? 'Compare from' : 'Compare to'} version ${v.number}`, 'data-key': `${name} ${v.number}`, checked: chosen ? chosen[name] === v.number : (name === 'to' ? v.number === newest : v.number === list.items[1]?.number) });
    const form = h('form', {
      on: { submit: (e) => { e.preventDefault(); const f = new FormData(form); chosen = { from: Number(f.get('from')), to: Number(f.get('to')) }; if (chosen.from && chosen.to) compare(chosen.from, chosen.to).catch((x) => swap(diff, h('p', { class: 'wrong' }, x.message))); } },
    },
    table('Versions, newest first', ['Version', ...(several ? ['From', 'To'] : []), 'Made', 'By', 'Note', { name: 'Actions', hidden: true, class: 'end' }], list.items.map((v) => [
      h('span', null, String(v.number), v.number === job?.version && [' ', chip('succeeded', 'current')], v.deleted && [' ', chip('canceled', 'deletion')]),
      ...(several ? [pick('from', v), pick('to', v)] : []), when(v.at), v.actor || h('span', { class: 'faint' }, '–'),
      [v.rolled_back_to && h('span', { class: 'label' }, `back to ${v.rolled_back_to}`), v.note || (!v.rolled_back_to && h('span', { class: 'faint' }, '–'))],
      job && !v.deleted && v.number !== job.version && may('rollback') && h('button', { type: 'button', class: 'small', 'aria-label': `Roll back to version ${v.number}`, 'data-key': `rollback ${v.number}`, on: { click: async () => { if (await rollback(job, v.number)) again(); } } }, 'Roll back'),
    ])),
    several && h('p', { class: 'more' }, h('button', { type: 'submit', 'data-key': 'compare' }, 'Compare')),
    list.next_cursor && h('p', { class: 'faint' }, 'Older versions are not shown.'));
    swap(versions, form);
  }

  async function update() {
    let job = null;
    try {
      job = await get(base);
    } catch (e) {
      if (e.status !== 404) throw e;
    }
    const list = await get(`${base}:versions?limit=50`); // 404 if it never was
    const [history, due] = await Promise.all([get(`/executions${query({ job: id, limit: Math.max(100, limit) })}`), job ? get(`${base}:next?limit=8`) : { items: [] }]);
    swap(error);
    body.hidden = false;
    xs = history.items.slice(0, 100);
    swap(head, h('div', null, h('h1', null, id), job && jobState(job), job?.definition.description && h('p', { class: 'faint' }, job.definition.description)),
      job ? jobButtons(job, again) : h('p', { class: 'notice warn' }, 'This job was deleted. Its history is kept as long as retention says.'));
    if (job) swap(about, definition(job));
    swap(next, due.items.length ? h('ol', { class: 'instants' }, due.items.map((t) => h('li', null, when(t))))
      : empty('Nothing is due', job?.state.paused ? 'The job is paused.' : job?.definition.schedule ? 'Its schedule is over.' : 'It runs only when it is triggered.'));
    draw();
    swap(rows, history.items.length ? [ledger('Executions, newest first', history.items.slice(0, limit), { job: true, after: again }),
      (history.items.length > limit || history.next_cursor) && limit < 1000 && h('p', { class: 'more' }, h('button', { type: 'button', 'data-key': 'older', on: { click: () => { limit = Math.min(1000, limit + 80); again(); } } }, 'Show older ones'))]
      : empty('Nothing is in the ledger yet'));
    drawVersions(list, job);
  }

  const body = h('div', { hidden: true }, h('div', { class: 'columns' }, section('Definition', about), section('Next due', next)),
    section('Where it ran', lanes), section('Lateness and duration', chart), section('History', rows), section('Versions', versions, diff));
  const stop = onResize(chart, draw);
  return {
    title: id, error, update, leave: stop,
    node: h('div', null, h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, h('a', { href: '#/jobs' }, 'Jobs'), ' / ', h('span', { 'aria-current': 'page' }, id)), head, error,
      body),
  };
}

function definition(job) {
  const d = job.definition; const st = job.state;
  const policy = (name, value) => value !== undefined && [name, String(value)];
  const pairs = (m) => h('span', { class: 'labels' }, Object.entries(m).map(([k, v]) => h('span', { class: 'label' }, `${k}=${v}`)));
  return facts([
    ['Schedule', d.schedule ? [h('div', null, job.schedule_in_words), h('code', null, d.schedule)] : 'only when triggered'],
    d.handler ? ['Handler', h('code', null, d.handler)] : ['Webhook', h('code', { class: 'clip' }, `${d.webhook.method || 'POST'} ${d.webhook.url}`)],
    d.labels && ['Labels', pairs(d.labels)],
    d.payload && ['Payload', h('pre', null, d.payload.length > 2000 ? `${d.payload.slice(0, 2000)}…` : d.payload)],
    d.payload_base64 && ['Payload', 'bytes that are no text'],
    ['Overlap', (d.overlap || 'skip').replace('_', ' ')], ['Misfire', d.misfire || 'latest'], ['Delivery', (d.delivery || 'at_least_once').replaceAll('_', ' ')],
    ['Retry', d.retry?.max_attempts > 1 ? `up to ${d.retry.max_attempts} attempts${d.retry.initial ? `, first after ${d.retry.initial}` : ''}` : 'none'],
    policy('Timeout', d.timeout), policy('Start deadline', d.start_deadline), policy('Priority', d.priority), policy('Runs at most', d.max_runs),
    d.concurrency && ['Shares places', `${d.concurrency.key} (${d.concurrency.limit || 1})`],
    d.placement && ['Placement', [d.placement.every_node && 'every node ', d.placement.sticky && 'where it ran last ', d.placement.labels && pairs(d.placement.labels)]],
    policy('Has to succeed within', d.succeed_within),
    d.pause_on_failure && ['On failure', 'it pauses'],
    ['Version', [String(job.version), st.actor && ` by ${st.actor}`, ', ', when(st.updated_at, false)]],
    st.paused && ['Paused', [at(st.paused_at), st.paused_by && ` by ${st.paused_by}`, st.pause_note && `: ${st.pause_note}`]],
    ['Last success', when(st.last_success)],
    st.succeed_by && [st.overdue ? 'Overdue since' : 'Has to succeed by', when(st.succeed_by)],
  ]);
}
