// Who ran what, where and when, with retries, skips and misses.

import { empty, h, now, plural, swap } from './dom.js';
import { most } from './api.js';
import { legend, onResize, ranges, timeline, wide } from './charts.js';
import { ledger } from './ledger.js';

const bound = 2000; // rows that are read at most
const statuses = ['', 'running', 'pending', 'succeeded', 'failed', 'timed_out', 'canceled', 'terminated', 'lost', 'skipped', 'missed', 'dropped'];

export function timelinePage() {
  const error = h('div');
  const chart = h('div', { class: 'chart' });
  const rows = h('div');
  const found = h('span', { class: 'faint', role: 'status' });
  const change = () => update().catch((e) => swap(error, h('p', { class: 'notice bad', role: 'alert' }, e.detail || e.message)));
  const range = h('select', { id: 'range', on: { change } }, ranges.map(([value, text]) => h('option', { value, selected: value === '900000' }, `last ${text}`)));
  const by = h('select', { id: 'by', on: { change: () => draw() } }, h('option', { value: 'job' }, 'by job'), h('option', { value: 'node' }, 'by node'));
  const job = h('input', { id: 'job', type: 'search', placeholder: 'exact ID', autocomplete: 'off', on: { change } });
  const status = h('select', { id: 'status', on: { change } }, statuses.map((v) => h('option', { value: v }, v.replace('_', ' ') || 'all')));

  let read = { items: [], more: false }; let from = 0; let to = 1; let limit = 50;

  function draw() {
    chart.parentElement.hidden = !read.items.length; // nothing to be seen in it
    if (!read.items.length) { swap(chart); return; }
    const lane = by.value === 'node' ? (x) => x.node || x.target || 'nobody' : (x) => x.job;
    swap(chart, timeline(read.items, { width: wide(chart), from, to, lane, by: by.value }),
      legend([['succeeded', 'succeeded'], ['failed', 'failed'], ['running', 'running'], ['canceled', 'canceled'], ['wait', 'waits for a retry'], ['skipped', 'skipped'], ['missed', 'missed'], ['dropped', 'dropped'], ['pending', 'pending']]));
  }

  async function update() {
    to = now() + 1000;
    from = to - Number(range.value);
    read = await most('/executions', { from: new Date(from).toISOString(), job: job.value.trim(), status: status.value }, bound);
    swap(error);
    found.textContent = `${plural(read.items.length, 'execution')}${read.more ? '; older ones of this time are not shown' : ''}`;
    draw();
    if (!read.items.length) {
      swap(rows, empty('Nothing was due in this time', 'Choose a longer time, or clear the filter.'));
      return;
    }
    swap(rows, ledger('Executions, newest first', read.items.slice(0, limit), { after: change }),
      read.items.length > limit && h('p', { class: 'more' }, h('button', { type: 'button', 'data-key': 'more', on: { click: () => { limit += 100; change(); } } }, 'Show more rows')));
  }

  const stop = onResize(chart, draw);
  return {
    title: 'Timeline', error, update, leave: stop,
    node: h('div', null, h('h1', null, 'Timeline'), error,
      h('form', { class: 'filter', on: { submit: (e) => { e.preventDefault(); change(); } } },
        h('label', { for: 'range' }, 'Time', range), h('label', { for: 'by' }, 'Lanes', by), h('label', { for: 'job' }, 'Job', job), h('label', { for: 'status' }, 'Status', status), found),
      h('section', { class: 'card', 'aria-label': 'Chart' }, chart), h('section', { class: 'card', 'aria-label': 'Executions' }, rows)),
  };
}
