// What can be done, each with a question before it.

import { ask, toast } from './dialog.js';
import { may, post } from './api.js';
import { h, path } from './dom.js';

const note = { name: 'note', label: 'Why (kept in the history)', placeholder: 'optional' };

export async function trigger(job) {
  const key = crypto.randomUUID?.() || `${Date.now()}-${Math.random()}`; // pressed twice is meant once
  const done = await ask({
    title: `Trigger ${job.id}?`,
    text: ['It runs now, beside its schedule, with the definition it has.', job.state.paused && 'It is paused: that holds up the schedule only.'].filter(Boolean),
    confirm: 'Trigger',
    fields: [{ name: 'payload', label: 'Payload in place of the job’s own', lines: 3, placeholder: 'leave empty for the job’s own' }, note],
    act: (v) => post(`/jobs/${path(job.id)}:trigger`, { note: v.note || undefined, payload: v.payload || undefined }, { 'Idempotency-Key': key }),
  });
  if (done) toast(`${job.id} was triggered: ${done.status}${done.reason ? `, ${done.reason}` : ''}`, done.status === 'skipped' ? 'warn' : 'good');
  return done;
}

export async function pause(job) {
  const done = await ask({
    title: `Pause ${job.id}?`, text: 'Nothing of its schedule fires until it is resumed. What runs goes on.', confirm: 'Pause', fields: [note],
    act: (v) => post(`/jobs/${path(job.id)}:pause`, { note: v.note || undefined }),
  });
  if (done) toast(`${job.id} is paused`);
  return done;
}

export async function resume(job) {
  const done = await ask({
    title: `Resume ${job.id}?`, text: 'Its schedule goes on from now. Instants that fell into the pause are recorded as skipped.', confirm: 'Resume',
    act: () => post(`/jobs/${path(job.id)}:resume`),
  });
  if (done) toast(`${job.id} goes on`);
  return done;
}

export async function rollback(job, version) {
  const done = await ask({
    title: `Roll ${job.id} back to version ${version}?`, danger: true, confirm: `Roll back to ${version}`,
    text: 'A new version is made with the definition of that one, its secrets included. Instants from before do not fire again.',
    act: () => post(`/jobs/${path(job.id)}:rollback`, { version }),
  });
  if (done) toast(`${job.id} has version ${done.version} now`);
  return done;
}

const ends = {
  cancel: ['Cancel this execution?', 'Its handler is asked to end. What only waits ends at once.', 'Cancel execution', 'was asked to end'],
  terminate: ['Terminate this execution?', 'It ends in the ledger at once, whatever its handler does; what that reports later is refused.', 'Terminate', 'was terminated'],
  redrive: ['Run this execution again?', 'It gets a new round of attempts, under the same ID.', 'Run again', 'runs again'],
};

export async function end(x, how) {
  const [title, text, confirm, said] = ends[how];
  const done = await ask({ title, text: [x.id, text], confirm, danger: how !== 'redrive', act: () => post(`/executions/${path(x.id)}:${how}`) });
  if (done) toast(`${x.id} ${said}`);
  return done;
}

// button is nothing where the caller may not do it.
export function button(action, label, act, props) {
  if (!may(action)) return null;
  return h('button', { type: 'button', ...props, on: { click: act } }, label);
}

export function jobButtons(job, after) {
  const run = (fn) => async () => { if (await fn(job)) after(); };
  const name = (verb, key) => ({ 'aria-label': `${verb} ${job.id}`, 'data-key': `${key || verb} ${job.id}` });
  return h('span', { class: 'buttons' },
    button('trigger', 'Trigger', run(trigger), name('Trigger')),
    job.state.paused ? button('resume', 'Resume', run(resume), name('Resume', 'schedule')) : button('pause', 'Pause', run(pause), name('Pause', 'schedule')));
}

export function executionButtons(x, after) {
  const run = (how) => async () => { if (await end(x, how)) after(); };
  const name = (verb) => ({ 'aria-label': `${verb} ${x.id}`, 'data-key': `${verb} ${x.id}`, class: 'small' });
  if (!x.final) {
    return h('span', { class: 'buttons' }, button('cancel', 'Cancel', run('cancel'), name('Cancel')), x.status === 'running' && button('terminate', 'Terminate', run('terminate'), name('Terminate')));
  }
  if (['failed', 'timed_out', 'lost', 'canceled', 'terminated'].includes(x.status) && x.attempt > 0) {
    return h('span', { class: 'buttons' }, button('redrive', 'Run again', run('redrive'), name('Run again')));
  }
  return null;
}
