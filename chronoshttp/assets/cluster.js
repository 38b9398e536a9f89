// The nodes, who leads, and what waits.

import { chip, empty, facts, h, jobLink, plural, section, setNow, swap, table, when } from './dom.js';
import { get } from './api.js';
import { overview } from './jobs.js';

export function clusterPage() {
  const error = h('div'); const tiles = h('div', { class: 'tiles' }); const nodes = h('div', { class: 'nodes' }); const waiting = h('div'); const trouble = h('div'); const store = h('div');

  async function update() {
    const st = await get('/cluster');
    setNow(st.now);
    swap(tiles, overview(st));
    swap(nodes, st.clustered ? st.members.map((m) => member(m, st)) : single(st));
    swap(waiting, st.waiting.length ? table('Waiting', ['For', { name: 'Executions', class: 'right' }, 'Since', ''], st.waiting.map((w) => [
      w.key ? ['a place of ', h('code', null, w.key)] : [w.handler ? ['a node with ', h('code', null, w.handler)] : 'a node', w.node && ` on ${w.node}`, w.labels && ` (${Object.entries(w.labels).map(([k, v]) => `${k}=${v}`).join(', ')})`],
      h('span', { class: 'num' }, String(w.count)), when(w.since, false), w.nobody ? chip('failed', 'no node has it') : ''])) : empty('Nothing waits', 'Whatever is due has room.'));
    const bad = Object.entries(st.trouble || {});
    swap(trouble, bad.length > 0 && section('Cannot be scheduled', table('Jobs that cannot be scheduled', ['Job', 'Why'], bad.map(([id, why]) => [jobLink(id), why]))));
    swap(store, facts([
      ['Answers', st.node], ['Writes', st.ready ? 'accepted' : 'refused'], ['Fires', st.running ? 'yes' : 'no'], st.error && ['Stopped by', h('span', { class: 'wrong' }, st.error)],
      ['Log applied', `${st.applied_index.toLocaleString('en')} of ${st.commit_index.toLocaleString('en')}`], ['Since the snapshot', bytes(st.log_bytes)], ['Records', st.records.toLocaleString('en')],
      ['Commands waiting', String(st.queue)], st.stuck > 0 && ['Stuck handlers', String(st.stuck)], ['Disk', st.disk_full ? h('span', { class: 'wrong' }, 'full') : st.disk_total ? `${gib(st.disk_free)} of ${gib(st.disk_total)} GiB free` : 'has room'],
      ['Feature level', String(st.level)], st.clustered && ['Word of a leader', when(st.last_contact, false)], st.recovered && ['Repaired at the start', st.recovered],
    ]));
  }

  return {
    title: 'Cluster', error, update,
    node: h('div', null, h('h1', null, 'Cluster'), error, tiles, h('section', { 'aria-label': 'Nodes' }, nodes), trouble,
      h('div', { class: 'columns' }, section('Waiting', waiting), section('This node', store))),
  };
}

const gib = (n) => (n / (1 << 30)).toLocaleString('en', { maximumFractionDigits: 1 });
const bytes = (n) => (n < 1 << 20 ? `${Math.round(n / 1024)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`);

function member(m, st) {
  const leads = m.node === st.leader;
  const away = m.removed || m.expired || m.held;
  return h('article', { class: `node ${leads ? 'leads' : ''} ${away ? 'away' : ''}`, 'aria-label': m.node },
    h('div', { class: 'nodehead' }, h('h2', null, m.node), h('span', { class: 'chips' },
      leads && chip('succeeded', 'leader'), m.removed ? chip('canceled', 'removed') : m.expired ? chip('failed', 'not heard of') : m.held ? chip('missed', 'misses beats') : !leads && chip('idle', m.voter ? 'voter' : 'worker'),
      m.differs && chip('failed', 'state differs'))),
    meter(m),
    facts([
      ['Address', h('code', { class: 'clip' }, m.addr || '–')], ['Behind', m.behind ? [plural(m.behind, 'entry', 'entries'), m.delay && `, ${m.delay}`] : 'nothing'], ['Last beat', when(m.last_beat, false)],
      ['Handlers', m.handlers.length ? m.handlers.join(', ') : '–'], m.labels && ['Labels', Object.entries(m.labels).map(([k, v]) => `${k}=${v}`).join(', ')],
    ]));
}

function meter(m) {
  const text = m.capacity ? `${m.attempts} of ${m.capacity.toLocaleString('en')} places` : 'does not run';
  return h('div', { class: 'meter' }, h('span', null, text), m.capacity > 0 && h('meter', { min: 0, max: m.capacity, value: m.attempts, 'aria-label': `Places in use: ${text}` }));
}

function single(st) {
  return h('article', { class: 'node leads', 'aria-label': st.node }, h('div', { class: 'nodehead' }, h('h2', null, st.node), chip('idle', 'a single process')),
    facts([['Running', plural(st.attempts, 'attempt')], ['Handlers', st.handlers.length ? st.handlers.join(', ') : '–']]));
}
