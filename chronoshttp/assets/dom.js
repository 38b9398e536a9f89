// Elements, texts and times. Everything is made of nodes: no text becomes markup.

const SVG = 'http://www.w3.org/2000/svg';

function build(el, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, fn] of Object.entries(value)) el.addEventListener(event, fn);
    else if (name === 'value') el.value = value;
    else el.setAttribute(name, value === true ? '' : String(value));
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

export const h = (tag, props, ...children) => build(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => build(document.createElementNS(SVG, tag), props, children);

// swap replaces what is in a container, and gives the focus back to the element
// with the same data-key.
export function swap(container, ...nodes) {
  const key = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  container.replaceChildren(...nodes.flat(Infinity).filter(Boolean));
  if (key) for (const el of container.querySelectorAll('[data-key]')) if (el.dataset.key === key) { el.focus({ preventScroll: true }); break; }
}

// released waits while a button of the mouse, or a finger, is down: what is pressed
// must not be replaced before it is let go, or the click is lost. Not for ever: the
// end of a gesture may happen where no page sees it.
let down = false; let up = [];
const letGo = () => { setTimeout(() => { down = false; for (const go of up) go(); up = []; }); }; // after the click
addEventListener('pointerdown', () => { down = true; }, true);
for (const end of ['pointerup', 'pointercancel', 'blur']) addEventListener(end, letGo, true);
export const released = () => (down ? new Promise((go) => { up.push(go); setTimeout(go, 5000); }) : Promise.resolve());

// skew is how far the server's clock is ahead of this one.
let skew = 0;
export function setNow(text) { const t = Date.parse(text); if (!Number.isNaN(t)) skew = t - Date.now(); }
export const now = () => Date.now() + skew;

const two = (n) => String(n).padStart(2, '0');
export const day = (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
export const clock = (t, seconds = true) => `${two(t.getHours())}:${two(t.getMinutes())}${seconds ? `:${two(t.getSeconds())}` : ''}`;

// absolute is a time in the zone of the browser; without the day if that is today.
export function absolute(t) {
  return day(t) === day(new Date(now())) ? clock(t) : `${day(t)} ${clock(t)}`;
}

export function span(ms) {
  const a = Math.abs(ms);
  if (a < 1) return '0 ms';
  if (a < 1000) return `${Math.round(a)} ms`;
  if (a < 10_000) return `${(a / 1000).toFixed(1)} s`;
  if (a < 120_000) return `${Math.round(a / 1000)} s`;
  if (a < 7_200_000) return `${Math.round(a / 60_000)} min`;
  if (a < 172_800_000) return `${Math.round(a / 3_600_000)} h`;
  return `${Math.round(a / 86_400_000)} days`;
}

export function relative(t) {
  const d = t.getTime() - now();
  if (Math.abs(d) < 1000) return 'now';
  const coarse = Math.abs(d) < 120_000 ? Math.round(d / 1000) * 1000 : d;
  const text = Math.abs(coarse) < 10_000 ? `${Math.abs(coarse) / 1000} s` : span(coarse);
  return d > 0 ? `in ${text}` : `${text} ago`;
}

// when shows an instant: relative, kept up to date, with the absolute time beside it.
export function when(text, both = true) {
  if (!text) return h('span', { class: 'faint' }, '–');
  const t = new Date(text);
  return h('span', { class: 'when' },
    h('time', { datetime: text, 'data-relative': true, title: `${day(t)} ${clock(t)} here, ${t.toISOString()}` }, relative(t)),
    both && h('span', { class: 'faint num' }, absolute(t)));
}

export function at(text) {
  if (!text) return h('span', { class: 'faint' }, '–');
  const t = new Date(text);
  return h('time', { class: 'num', datetime: text, title: t.toISOString() }, absolute(t));
}

setInterval(() => {
  for (const el of document.querySelectorAll('time[data-relative]')) {
    const text = relative(new Date(el.dateTime));
    if (el.textContent !== text) el.textContent = text;
  }
}, 1000);

const marks = {
  succeeded: '✓', failed: '✕', timed_out: '✕', lost: '✕', canceled: '■', terminated: '■', running: '▶', pending: '○',
  skipped: '◇', missed: '△', dropped: '▽', paused: '‖', waiting: '○', idle: '·', exhausted: '·',
};

export function chip(kind, text) {
  return h('span', { class: `chip ${kind}` }, h('span', { class: 'mark', 'aria-hidden': 'true' }, marks[kind] || '·'), text || kind.replace('_', ' '));
}

const waits = { room: 'waits for room', instant: 'waits for its instant', overlap: 'waits its turn', key: 'waits for a place' };
export const statusChip = (x) => chip(x.status, x.status.replace('_', ' ') + (x.reason ? ` (${x.reason.replace('_', ' ')})` : x.waiting ? `, ${waits[x.waiting] || x.waiting}` : ''));

export const path = (id) => id.split('/').some((p) => p === '' || p === '.' || p === '..') ? encodeURIComponent(id) : id.split('/').map(encodeURIComponent).join('/');
export const jobLink = (id) => h('a', { href: `#/jobs/${encodeURIComponent(id)}`, class: 'id', 'data-key': `job ${id}` }, id);
export const executionHref = (id) => `#/executions/${encodeURIComponent(id)}`;

// one makes one node of several: a card has its label in one column, and one place beside it.
const one = (cell) => {
  const nodes = [cell].flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);
  return nodes.length > 1 ? h('div', null, nodes) : nodes;
};

// table makes one with headers; on a narrow screen each row becomes a card.
export function table(caption, columns, rows, props) {
  const heads = columns.map((c) => (typeof c === 'string' ? { name: c } : c));
  return h('div', { class: 'table' },
    h('table', { role: 'table', ...(props || {}) },
      h('caption', { class: 'hidden' }, caption),
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, heads.map((c) => h('th', { scope: 'col', role: 'columnheader', class: c.class }, c.hidden ? h('span', { class: 'hidden' }, c.name) : c.name)))),
      h('tbody', { role: 'rowgroup' }, rows.map((cells) => h('tr', { role: 'row' }, cells.map((cell, i) => (i === 0
        ? h('th', { scope: 'row', role: 'rowheader', class: heads[i].class, 'data-label': heads[i].name }, one(cell))
        : h('td', { role: 'cell', class: heads[i].class, 'data-label': heads[i].name }, one(cell)))))))));
}

export const empty = (title, text) => h('div', { class: 'empty' }, h('p', { class: 'strong' }, title), text && h('p', null, text));

export function failure(error, retry) {
  return h('div', { class: 'notice bad', role: 'alert' },
    h('p', { class: 'strong' }, error.title || 'This could not be read'),
    h('p', null, error.detail || error.message || String(error)),
    retry && h('button', { type: 'button', on: { click: retry } }, 'Try again'));
}

export const facts = (pairs) => h('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))));
export const section = (title, ...children) => h('section', { class: 'card' }, h('h2', null, title), ...children);
export const plural = (n, one, many) => `${n.toLocaleString('en')} ${n === 1 ? one : many || `${one}s`}`;
