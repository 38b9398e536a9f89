// One execution, with its attempts.

import { at, facts, h, jobLink, path, plural, section, span, statusChip, swap, table, when } from './dom.js';
import { get } from './api.js';
import { executionButtons } from './actions.js';
import { lasted, lateness } from './charts.js';

export function executionPage(id) {
  const error = h('div'); const head = h('div', { class: 'head' }, h('h1', null, 'Execution')); const about = h('div'); const attempts = h('div'); const output = h('div');
  const again = () => update().catch((e) => swap(error, h('p', { class: 'notice bad', role: 'alert' }, e.detail || e.message)));

  async function update() {
    const x = await get(`/executions/${path(id)}`);
    swap(error);
    body.hidden = false;
    swap(head, h('div', null, h('h1', null, 'Execution'), statusChip(x)), executionButtons(x, again));
    const late = lateness(x); const took = lasted(x);
    swap(about, facts([
      ['Job', jobLink(x.job)], ['ID', h('code', { class: 'clip' }, x.id)], ['Due', when(x.due)], ['Origin', x.origin],
      x.count > 1 && ['Stands for', [`${x.count_is_floor ? 'at least ' : ''}${plural(x.count, 'instant')} up to `, at(x.range_to)]],
      ['Node', x.node || (x.target ? `for ${x.target}` : '–')], late !== null && ['Late', span(Math.max(0, late))], took !== null && ['Took', span(took)],
      !x.final && x.ready_at && ['May start', when(x.ready_at)], ['Ended', when(x.ended_at)], ['Definition', `version ${x.version}, generation ${x.generation}`],
      x.actor && ['Asked for by', x.actor], x.note && ['Note', x.note], x.key && ['Idempotency key', h('code', null, x.key)], x.fencing_token > 0 && ['Fencing token', String(x.fencing_token)],
    ]));
    swap(attempts, x.attempts.length ? [table('Attempts', ['Attempt', 'Node', 'Started', 'Took', 'Result'], x.attempts.map((a) => [
      String(a.number), a.node, at(a.started), a.started && a.ended ? span(Date.parse(a.ended) - Date.parse(a.started)) : '–',
      h('div', null, statusChip(a.ended ? a : { ...a, status: 'running', reason: '' }), a.http_status > 0 && ` HTTP ${a.http_status}`, a.stuck && ' stuck', a.error && h('div', { class: 'wrong' }, a.error), a.stack && h('pre', null, a.stack)),
    ])), x.elided > 0 && h('p', { class: 'faint' }, `${plural(x.elided, 'attempt')} between the first and these are not kept.`)] : h('p', { class: 'faint' }, 'Nothing was called for it.'));
    swap(output, x.output !== undefined ? h('pre', null, x.output) : x.output_base64 ? h('pre', null, x.output_base64) : h('p', { class: 'faint' }, 'None was kept.'), x.output_truncated && h('p', { class: 'faint' }, 'It was longer.'));
  }

  const body = h('div', { hidden: true }, section('What is known', about), section('Attempts', attempts), section('Output', output));
  return {
    title: 'Execution', error, update,
    node: h('div', null, h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, h('a', { href: '#/timeline' }, 'Timeline'), ' / ', h('span', { 'aria-current': 'page' }, id)), error, head,
      body),
  };
}
