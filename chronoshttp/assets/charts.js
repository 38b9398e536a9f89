// Charts as SVG. Each has a text beside it that says the same.

import { clock, day, executionHref, h, now, s, span } from './dom.js';

export const ranges = [['60000', 'minute'], ['900000', '15 minutes'], ['3600000', '1 hour'], ['21600000', '6 hours'], ['86400000', '24 hours'], ['604800000', '7 days']];

export const lateness = (x) => {
  const first = x.attempts[0];
  return first?.started && x.origin === 'schedule' && first.number === 1 ? Date.parse(first.started) - Date.parse(x.due) : null;
};
export const lasted = (x) => {
  const a = x.attempts[x.attempts.length - 1];
  return a?.started && a.ended ? Date.parse(a.ended) - Date.parse(a.started) : null;
};

export function quantile(sorted, q) {
  if (!sorted.length) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
}
export const numbers = (xs, of) => xs.map(of).filter((v) => v !== null).sort((a, b) => a - b);

// ticks are instants at which a label helps.
function ticks(from, to, most) {
  const steps = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((v) => v * 1000);
  const step = steps.find((v) => (to - from) / v <= most) || 86_400_000;
  const out = [];
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  for (let t = Math.ceil((from - shift) / step) * step + shift; t <= to; t += step) out.push(t);
  return { out, step };
}

function axis(from, to, x, height, width) {
  const { out, step } = ticks(from, to, Math.max(2, Math.floor(width / 90)));
  const fits = (t) => x(t) <= x(to) - 22;
  const text = (t) => (step >= 86_400_000 ? day(new Date(t)).slice(5) : clock(new Date(t), step < 60_000));
  return out.map((t) => s('g', { class: 'tick' }, s('line', { x1: x(t), x2: x(t), y1: 0, y2: height }), fits(t) && s('text', { x: x(t), y: height + 18, 'text-anchor': 'middle' }, text(t))));
}

// timeline draws executions in lanes. The table below it has the same, so that it
// is hidden from those who do not see it.
export function timeline(xs, { width, from, to, lane, by }) {
  const names = [...new Set(xs.map(lane))].sort();
  const narrow = width < 600;
  const left = narrow ? 104 : 190; const row = 30; const height = names.length * row; const right = 12;
  const x = (t) => left + ((Math.min(Math.max(t, from), to) - from) / (to - from)) * (width - left - right);
  const y = (name) => names.indexOf(name) * row;
  const fit = (name) => { const n = narrow ? 11 : 26; return name.length > n ? `${name.slice(0, n - 1)}…` : name; };
  return s('svg', { class: 'timeline', width, height: height + 26, viewBox: `0 0 ${width} ${height + 26}`, 'aria-hidden': 'true', focusable: 'false' },
    names.map((name, i) => s('g', null,
      s('rect', { class: i % 2 ? 'lane odd' : 'lane', x: 0, y: i * row, width, height: row }),
      s('text', { class: 'lanename', x: 8, y: i * row + row / 2 + 4 }, fit(name), s('title', null, name)))),
    axis(from, to, x, height, width - left - right),
    s('line', { class: 'now', x1: x(now()), x2: x(now()), y1: 0, y2: height }),
    [...xs].reverse().map((e) => mark(e, x, y(lane(e)) + row / 2, by, from)));
}

// hollow is the mark of what did not run, or has not yet: the chart and its legend
// have the same.
function hollow(status, x, y) {
  const shapes = { skipped: `M${x} ${y - 6}l6 6l-6 6l-6 -6z`, missed: `M${x} ${y - 6}l7 11h-14z`, dropped: `M${x} ${y + 6}l7 -11h-14z` };
  return shapes[status] ? s('path', { class: 'hollow', d: shapes[status] }) : s('circle', { class: 'hollow', cx: x, cy: y, r: 5 });
}

function mark(e, x, mid, by, from) {
  const link = (...nodes) => s('a', { href: executionHref(e.id), tabindex: -1, class: `x ${e.status}` }, s('title', null, describe(e)), ...nodes);
  const due = x(Date.parse(e.due));
  if (e.attempt === 0) {
    const far = e.range_to ? x(Date.parse(e.range_to)) : due;
    return link(far > due + 2 && s('line', { class: 'range', x1: due, x2: far, y1: mid, y2: mid }),
      hollow(e.status, due, mid));
  }
  const nodes = [];
  let end = null;
  for (const a of e.attempts) {
    if (!a.started) continue;
    const began = Date.parse(a.started); const over = a.ended ? Date.parse(a.ended) : now();
    if (over < from) continue;
    const x1 = x(began); const x2 = Math.max(x(over), x1 + 4);
    if (end !== null && x1 > end) nodes.push(s('line', { class: 'wait', x1: end, x2: x1, y1: mid, y2: mid }));
    nodes.push(s('rect', { class: `bar ${a.ended ? a.status : 'running'}`, x: x1, y: mid - 8, width: x2 - x1, height: 16, rx: 3 }));
    if (by === 'job' && x2 - x1 > a.node.length * 7 + 10) nodes.push(s('text', { class: 'in', x: x1 + 6, y: mid + 4 }, a.node));
    end = x2;
  }
  if (e.status === 'running') { // its attempt is in the list when it has ended
    const x1 = x(Math.max(Date.parse(e.ready_at || e.due), Date.parse(e.due))); const x2 = Math.max(x(now()), x1 + 4);
    if (end !== null && x1 > end) nodes.push(s('line', { class: 'wait', x1: end, x2: x1, y1: mid, y2: mid }));
    nodes.push(s('rect', { class: 'bar running', x: x1, y: mid - 8, width: x2 - x1, height: 16, rx: 3 }));
    if (by === 'job' && x2 - x1 > e.node.length * 7 + 10) nodes.push(s('text', { class: 'in', x: x1 + 6, y: mid + 4 }, e.node));
  }
  if (!nodes.length) nodes.push(hollow('pending', due, mid));
  return link(...nodes);
}

export function describe(e) {
  const parts = [e.job, `due ${clock(new Date(e.due))}`, e.status.replace('_', ' ')];
  if (e.reason) parts.push(e.reason.replace('_', ' '));
  if (e.node) parts.push(`on ${e.node}`);
  if (e.attempt > 1) parts.push(`${e.attempt} attempts`);
  if (lasted(e) !== null) parts.push(`took ${span(lasted(e))}`);
  if (e.count > 1) parts.push(`${e.count} instants`);
  return parts.join(', ');
}

export function legend(kinds) {
  return h('ul', { class: 'legend', 'aria-hidden': 'true' }, kinds.map(([kind, text]) => h('li', null,
    ['skipped', 'missed', 'dropped', 'pending'].includes(kind) ? s('svg', { class: `x ${kind}`, width: 18, height: 16, 'aria-hidden': 'true', focusable: 'false' }, hollow(kind, 9, 8)) : h('span', { class: `key ${kind}` }), text)));
}

// scatter draws one value of each execution over time, with its median and 95th
// percentile, on a logarithmic scale: most are small, and the others matter.
export function scatter(title, points, { width, from, to }) {
  const height = 170; const left = 62; const right = 14; const top = 8;
  const values = points.map((p) => p.v).sort((a, b) => a - b);
  const floor = 1; // a millisecond
  const ceil = Math.max(10, values[values.length - 1] || 10) * 1.3;
  const x = (t) => left + ((t - from) / (to - from)) * (width - left - right);
  const y = (v) => top + (1 - Math.log(Math.max(v, floor) / floor) / Math.log(ceil / floor)) * (height - top);
  const lines = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000].filter((v) => v <= ceil);
  const p50 = quantile(values, 0.5); const p95 = quantile(values, 0.95);
  const text = values.length
    ? `${title}: ${values.length} executions, median ${span(p50)} (solid line), 95th percentile ${span(p95)} (dashed), most ${span(values[values.length - 1])}.`
    : `${title}: nothing in this time.`;
  return h('figure', { class: 'plot' },
    h('figcaption', null, text),
    s('svg', { role: 'img', 'aria-label': text, width, height: height + 26, viewBox: `0 0 ${width} ${height + 26}` },
      s('g', null,
        axis(from, to, x, height, width - left - right),
        lines.map((v) => s('g', { class: 'level' }, s('line', { x1: left, x2: width - right, y1: y(v), y2: y(v) }), s('text', { x: left - 8, y: y(v) + 4, 'text-anchor': 'end' }, span(v)))),
        values.length > 0 && [[p50, 'median'], [p95, 'p95']].map(([v, name]) => s('g', { class: `quantile ${name}` },
          s('line', { x1: left, x2: width - right, y1: y(v), y2: y(v) }))),
        points.map((p) => s('circle', { class: `point ${p.kind}`, cx: x(p.t), cy: y(p.v), r: 3 }, s('title', null, p.title))))));
}

export function plots(xs, { width, from, to }) {
  const point = (of) => xs.map((x) => ({ t: Date.parse(x.due), v: of(x), kind: x.status, title: describe(x) })).filter((p) => p.v !== null && p.t >= from && p.t <= to);
  return [
    scatter('Lateness, from due to started', point(lateness).map((p) => ({ ...p, v: Math.max(0, p.v) })), { width, from, to }),
    scatter('Duration of the last attempt', point(lasted), { width, from, to }),
  ];
}

// wide is the room for a chart in a container.
export const wide = (el) => Math.max(280, Math.floor(el.clientWidth || el.parentElement?.clientWidth || 800));

// onResize draws anew when the container's width has changed.
export function onResize(el, draw) {
  let width = 0;
  const observer = new ResizeObserver(() => { const w = wide(el); if (Math.abs(w - width) > 4) { width = w; draw(); } });
  observer.observe(el);
  return () => observer.disconnect();
}
