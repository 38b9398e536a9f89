// Rows of the ledger as a table.

import { at, executionHref, h, jobLink, plural, span, statusChip, table } from './dom.js';
import { executionButtons } from './actions.js';
import { lasted, lateness } from './charts.js';

export function ledger(caption, xs, { job, after }) {
  const columns = ['Due', !job && 'Job', 'Status', 'Node', 'Attempts', 'Late', 'Took', { name: 'Actions', hidden: true, class: 'end' }].filter(Boolean);
  return table(caption, columns, xs.map((x) => [
    h('a', { href: executionHref(x.id), 'data-key': `x ${x.id}` }, at(x.due)),
    !job && jobLink(x.job),
    h('div', null, statusChip(x), x.origin !== 'schedule' && h('span', { class: 'label' }, x.origin), x.count > 1 && h('div', { class: 'faint' }, `${x.count_is_floor ? 'at least ' : ''}${plural(x.count, 'instant')} up to `, at(x.range_to)),
      x.error && h('div', { class: 'wrong clip' }, x.error)),
    x.node || h('span', { class: 'faint' }, x.target ? `for ${x.target}` : '–'),
    x.attempt || h('span', { class: 'faint' }, '–'),
    number(lateness(x)), number(lasted(x)),
    executionButtons(x, after),
  ].filter((c) => c !== false)));
}

const number = (v) => (v === null ? h('span', { class: 'faint' }, '–') : h('span', { class: 'num' }, v < 0 ? '0 ms' : span(v)));
