// How late executions begin, and how long they take.

import { empty, h, jobLink, now, plural, span, swap, table } from './dom.js';
import { get, most } from './api.js';
import { lasted, lateness, numbers, onResize, plots, quantile, ranges, wide } from './charts.js';

const bound = 5000;

export function plotsPage() {
  const error = h('div');
  const chart = h('div', { class: 'chart' });
  const rows = h('div');
  const found = h('span', { class: 'faint', role: 'status' });
  const change = () => update().catch((e) => swap(error, h('p', { class: 'notice bad', role: 'alert' }, e.detail || e.message)));
  const range = h('select', { id: 'range', on: { change } }, ranges.map(([value, text]) => h('option', { value, selected: value === '3600000' }, `last ${text}`)));
  const names = h('datalist', { id: 'names' });
  const job = h('input', { id: 'job', type: 'search', list: 'names', placeholder: 'all jobs', autocomplete: 'off', on: { change } });
  let xs = []; let from = 0; let to = 1;

  function draw() {
    if (xs.length) swap(chart, plots(xs, { width: wide(chart), from, to }));
    else swap(chart, empty('Nothing ran in this time', 'Choose a longer time, or another job.'));
  }

  async function update() {
    if (!names.childElementCount) names.replaceChildren(...(await get('/jobs?limit=500')).items.map((j) => h('option', { value: j.id })));
    to = now();
    from = to - Number(range.value);
    const read = await most('/executions', { from: new Date(from).toISOString(), job: job.value.trim() }, bound);
    swap(error);
    xs = read.items.filter((x) => x.attempt > 0);
    found.textContent = `${plural(xs.length, 'execution')} that ran${read.more ? '; older ones of this time are not shown' : ''}`;
    draw();
    const jobs = [...new Set(xs.map((x) => x.job))].sort();
    rows.parentElement.hidden = !jobs.length;
    swap(rows, jobs.length > 0 && table('By job', ['Job', { name: 'Ran', class: 'right' }, { name: 'Failed', class: 'right' }, { name: 'Late, median', class: 'right' }, { name: 'Late, p95', class: 'right' },
      { name: 'Late, most', class: 'right' }, { name: 'Took, median', class: 'right' }, { name: 'Took, p95', class: 'right' }, { name: 'Took, most', class: 'right' }],
    jobs.map((name) => line(name, xs.filter((x) => x.job === name)))));
  }

  const stop = onResize(chart, draw);
  return {
    title: 'Plots', error, update, leave: stop,
    node: h('div', null, h('h1', null, 'Lateness and duration'), error,
      h('form', { class: 'filter', on: { submit: (e) => { e.preventDefault(); change(); } } },
        h('label', { for: 'range' }, 'Time', range), h('label', { for: 'job' }, 'Job', job, names), found),
      h('section', { class: 'card', 'aria-label': 'Plots' }, chart), h('section', { class: 'card', 'aria-label': 'By job' }, rows)),
  };
}

function line(name, xs) {
  const show = (v) => h('span', { class: 'num' }, v === null ? '–' : span(Math.max(0, v)));
  const late = numbers(xs, lateness); const took = numbers(xs, lasted);
  return [jobLink(name), h('span', { class: 'num' }, String(xs.length)), h('span', { class: 'num' }, String(xs.filter((x) => ['failed', 'timed_out', 'lost'].includes(x.status)).length)),
    ...[late, took].flatMap((v) => [0.5, 0.95, 1].map((q) => show(quantile(v, q))))];
}
