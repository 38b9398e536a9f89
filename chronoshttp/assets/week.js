// What is due in the week ahead, hour by hour.

import { at, clock, day, empty, h, jobLink, now, plural, section, swap, table } from './dom.js';
import { post } from './api.js';

const most = 20;
const minute = 60_000; const hour = 60 * minute;

export function weekPage() {
  const error = h('div'); const map = h('div'); const shifts = h('div'); const cut = h('div'); const busy = h('div'); const jobs = h('div'); const note = h('p', { class: 'faint', role: 'status' });
  const lists = h('div', { class: 'columns wide' }, h('section', { class: 'card' }, h('h2', null, 'By job'), jobs), h('section', { class: 'card' }, h('h2', null, 'Busiest minutes'), busy));
  const change = () => update().catch((e) => swap(error, h('p', { class: 'notice bad', role: 'alert' }, e.detail || e.message)));
  const which = h('select', { id: 'which', on: { change } }, h('option', { value: 'rare' }, 'without very frequent ones'), h('option', { value: 'all' }, 'all'));

  async function update() {
    const from = Math.floor(now() / hour) * hour;
    const body = { from: new Date(from).toISOString(), to: new Date(from + 168 * hour).toISOString(), bucket: '1h' };
    let sim = await post('/simulate', body);
    const frequent = (j) => j.count * minute > Date.parse(j.counted_to || body.to) - from; // more than once a minute
    const often = sim.jobs.filter(frequent);
    let left = '';
    if (which.value === 'rare' && often.length) {
      left = ` Left out: ${plural(often.length, 'job')} that ${often.length === 1 ? 'is' : 'are'} due more often than once a minute.`;
      const jobs = sim.jobs.filter((j) => !frequent(j)).map((j) => j.id);
      sim = jobs.length ? await post('/simulate', { ...body, jobs }) : { ...sim, total: 0, complete: true, clock: [], cut: [] };
    }
    swap(error);
    note.textContent = `${plural(sim.total, 'instant')} in the seven days from ${day(new Date(from))} ${clock(new Date(from), false)} on, if nothing changes.${left}`;
    const short = sim.jobs.filter((j) => j.counted_to).length;
    swap(cut, !sim.complete && h('p', { class: 'notice warn' }, 'There is too much to count it all. From ', at(sim.counted_to), ` on, the map and the busiest minutes are without ${plural(short, 'job')}: “By job” says up to where ${short === 1 ? 'it was' : 'each was'} counted.`),
      sim.cut?.filter((text) => !text.startsWith('instants of job') && !text.startsWith('nor are')).map((text) => h('p', { class: 'notice warn' }, `Left out: ${text}`)));
    lists.hidden = !sim.total;
    if (!sim.total) {
      swap(map, empty('Nothing is due in the week ahead', left.trim()));
      swap(busy); swap(jobs); swap(shifts);
      return;
    }
    swap(map, heat(sim, from));
    swap(busy, table('Busiest minutes', ['Minute', { name: 'Due', class: 'right' }], sim.busiest.map((b) => [at(b.at), h('span', { class: 'num' }, String(b.count))])));
    swap(shifts, sim.clock.length > 0 && section('Clocks are put forward or back', table('Clocks are put forward or back', ['Job', 'When', 'Zone', 'Times', 'What happens'], sim.clock.map((c) => [jobLink(c.job), at(c.at), c.zone,
      c.times === 1 ? c.first : `${c.first} and ${plural(c.times - 1, 'other')}`, c.what]))));
    const shown = sim.jobs.slice(0, most);
    swap(jobs, table('By job', ['Job', { name: 'Due', class: 'right' }, 'First', 'Remarks'], shown.map((j) => [h('div', { class: 'jobcell' }, jobLink(j.id)), h('span', { class: 'num' }, j.count.toLocaleString('en')), at(j.first[0]),
      [j.note, j.overlaps > 0 && `${plural(j.overlaps, 'overlap')} to be expected, by a typical ${j.typical}${j.lost ? `: ${plural(j.lost, 'instant')} will not run` : ''}`, j.counted_to && ['counted up to ', at(j.counted_to)]].filter(Boolean).map((text) => h('div', null, text))])),
    sim.jobs.length > most && h('p', { class: 'faint' }, `and ${plural(sim.jobs.length - most, 'job')} that are due less often.`));
  }

  return {
    title: 'Week ahead', error, update,
    node: h('div', null, h('h1', null, 'Week ahead'), error,
      h('form', { class: 'filter', on: { submit: (e) => e.preventDefault() } }, h('label', { for: 'which' }, 'Jobs', which)), note, cut, h('section', { class: 'card', 'aria-label': 'Heat map' }, map), shifts,
      lists),
  };
}

// heat is a table, so that it can be read as one: a row for each day, a column for
// each hour of the browser's zone.
function heat(sim, from) {
  const until = sim.counted_to ? Date.parse(sim.counted_to) : Infinity;
  const counts = new Map(); const partly = new Set(); const days = [];
  for (let t = from; t < from + 168 * hour; t += hour) {
    const d = day(new Date(t));
    if (!days.includes(d)) days.push(d);
    const key = `${d} ${new Date(t).getHours()}`;
    counts.set(key, 0);
    if (t + hour > until) partly.add(key);
  }
  for (const l of sim.load) {
    const t = new Date(l.at); const key = `${day(t)} ${t.getHours()}`;
    if (counts.has(key)) counts.set(key, counts.get(key) + l.count);
  }
  const top = Math.max(...counts.values());
  const level = (n) => (n === 0 ? 0 : 1 + Math.min(4, Math.floor(Math.sqrt(n / top) * 4.999)));
  const hours = [...Array(24).keys()];
  const short = (n) => (n < 1000 ? String(n) : n < 10_000 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`);
  const weekday = (d) => new Date(`${d}T12:00:00`).toLocaleDateString('en', { weekday: 'short' });
  return h('div', { class: 'table scroll', tabindex: 0, role: 'region', 'aria-label': 'Heat map of the week ahead, scrolls sideways' }, h('table', { class: 'heat' },
    h('caption', { class: 'hidden' }, 'How often something is due, by day and hour'),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, h('span', { class: 'hidden' }, 'Day')), hours.map((n) => h('th', { scope: 'col' }, String(n).padStart(2, '0'))))),
    h('tbody', null, days.map((d) => h('tr', null, h('th', { scope: 'row' }, `${weekday(d)} ${d.slice(5)}`), hours.map((n) => {
      const count = counts.get(`${d} ${n}`);
      if (count === undefined) return h('td', { class: 'none' });
      return h('td', { class: `h${level(count)}`, title: `${d} ${String(n).padStart(2, '0')}:00, ${partly.has(`${d} ${n}`) ? 'at least ' : ''}${plural(count, 'instant')}` }, count ? short(count) : h('span', { class: 'hidden' }, '0'));
    }))))));
}
