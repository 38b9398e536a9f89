// All jobs, with their state and what is due next.

import { chip, empty, h, jobLink, plural, setNow, swap, table, when } from './dom.js';
import { get, query } from './api.js';
import { jobButtons } from './actions.js';

export function jobState(job) {
  const st = job.state;
  const out = [];
  if (st.paused) out.push(chip('paused'));
  if (st.unfinished > 0) out.push(chip('running', st.unfinished === 1 ? 'active' : `${st.unfinished} active`));
  if (st.buffered > 0) out.push(chip('waiting', `${st.buffered} buffered`));
  if (st.overdue) out.push(chip('missed', 'overdue'));
  if (st.failures > 0) out.push(chip('failed', st.failures === 1 ? 'failed last' : `${st.failures} failures in a row`));
  if (!out.length) out.push(st.exhausted && job.definition.schedule ? chip('exhausted', 'over') : chip('idle', job.definition.schedule ? 'scheduled' : 'on demand'));
  return h('span', { class: 'chips' }, out);
}

export function jobsPage() {
  const pageSize = 100;
  let shown = pageSize;
  const error = h('div');
  const tiles = h('div', { class: 'tiles' });
  const list = h('div', { id: 'list' });
  const search = h('input', { type: 'search', id: 'search', placeholder: 'ID or description', autocomplete: 'off', on: { input: () => { shown = pageSize; later(); } } });
  const state = h('select', { id: 'state', on: { change: () => { shown = pageSize; update().catch(fail); } } },
    [['', 'All'], ['failing', 'Failing'], ['unfinished', 'Active'], ['paused', 'Paused']].map(([value, text]) => h('option', { value }, text)));
  const label = h('input', { id: 'label', placeholder: 'key=value', autocomplete: 'off', size: '12', on: { change: () => { shown = pageSize; update().catch(fail); } } });
  const found = h('span', { class: 'faint', role: 'status', id: 'found' });

  let timer;
  const later = () => { clearTimeout(timer); timer = setTimeout(() => update().catch(fail), 250); };
  const fail = (e) => swap(error, h('p', { class: 'notice bad', role: 'alert' }, e.detail || e.message));

  async function read() {
    const params = { q: search.value.trim(), label: label.value.trim() || undefined };
    if (state.value) params[state.value] = 'true';
    const items = [];
    let cursor;
    do {
      const page = await get(`/jobs${query({ ...params, cursor, limit: Math.min(1000, shown - items.length) })}`);
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor && items.length < shown);
    return { items, more: Boolean(cursor) };
  }

  async function update() {
    const [jobs, status] = await Promise.all([read(), get('/cluster')]);
    setNow(status.now);
    swap(error);
    swap(tiles, overview(status));
    found.textContent = `${plural(jobs.items.length, 'job')}${jobs.more ? ' shown, there are more' : ''}`;
    if (!jobs.items.length) {
      const filtered = search.value || state.value || label.value;
      swap(list, filtered ? empty('No job is like this', 'Change or clear the filter above.')
        : empty('There are no jobs yet', 'A program declares its jobs with Scheduler.Put; PUT api/v1/jobs/ID does the same.'));
      return;
    }
    swap(list, table('Jobs', ['Job', 'Schedule', 'State', 'Next due', 'Last', { name: 'Actions', hidden: true, class: 'end' }],
      jobs.items.map((job) => row(job, status.trouble || {}, () => update().catch(fail)))),
    jobs.more && h('p', { class: 'more' }, h('button', { type: 'button', 'data-key': 'more', on: { click: () => { shown += pageSize; update().catch(fail); } } }, 'Show more')));
  }

  return {
    title: 'Jobs', error, update,
    node: h('div', null, h('h1', null, 'Jobs'), error, tiles,
      h('form', { class: 'filter', role: 'search', on: { submit: (e) => e.preventDefault() } },
        h('label', { for: 'search' }, 'Search', search), h('label', { for: 'state' }, 'State', state), h('label', { for: 'label' }, 'Label', label), found),
      list),
  };
}

function row(job, trouble, after) {
  const d = job.definition;
  return [
    h('div', { class: 'jobcell' }, jobLink(job.id), d.description && h('div', { class: 'faint' }, d.description),
      d.labels && h('div', { class: 'labels' }, Object.entries(d.labels).map(([k, v]) => h('span', { class: 'label' }, `${k}=${v}`)))),
    h('div', { class: 'words' }, job.schedule_in_words || (d.schedule ? '' : h('span', { class: 'faint' }, 'only when triggered')), d.schedule && h('div', { class: 'faint mono' }, d.schedule)),
    [jobState(job), trouble[job.id] && h('div', { class: 'wrong' }, trouble[job.id]), job.state.paused && job.state.pause_note && h('div', { class: 'faint' }, job.state.pause_note)],
    when(job.state.next_due),
    job.state.last_status ? h('div', null, h('div', null, chip(job.state.last_status)), when(job.state.last_end, false)) : h('span', { class: 'faint never' }, 'never ran'),
    jobButtons(job, after),
  ];
}

function tile(name, value, more, kind) {
  return h('div', { class: `tile ${kind || ''}` }, h('div', { class: 'name' }, name), h('div', { class: 'value' }, value), more && h('div', { class: 'faint' }, more));
}

export function overview(st) {
  const active = st.clustered ? st.members.reduce((n, m) => n + m.attempts, 0) : st.attempts;
  const waiting = st.waiting.reduce((n, w) => n + w.count, 0);
  const nobody = st.waiting.some((w) => w.nobody);
  const trouble = Object.keys(st.trouble || {}).length;
  return [
    tile('Due next', when(st.next_due), null),
    tile('Running', String(active), st.clustered ? `on ${plural(st.members.filter((m) => m.capacity > 0 && !m.expired && !m.removed).length, 'node')}` : `on ${st.node}`),
    tile('Waiting for room', String(waiting), nobody ? 'some of it for a handler that no node has' : null, nobody ? 'warn' : ''),
    tile('Leader', st.clustered ? st.leader || 'none' : st.node, st.clustered ? `term ${st.term}` : 'a single process', st.clustered && !st.leader ? 'bad' : ''),
    st.error && tile('Stopped', 'yes', st.error, 'bad'),
    st.disk_full && tile('Disk', 'full', 'writes are refused', 'bad'),
    st.overdue > 0 && tile('Overdue', plural(st.overdue, 'job'), 'no success in time', 'bad'),
    trouble > 0 && tile('Cannot be scheduled', plural(trouble, 'job'), null, 'bad'),
    !st.running && tile('Fires', 'no', `${st.node} does not run`, 'warn'),
  ].filter(Boolean);
}
