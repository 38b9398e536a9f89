// Questions before something is done, and short messages after it.

import { h } from './dom.js';

export function toast(text, kind = 'good') {
  const box = document.getElementById('toasts');
  const el = h('div', { class: `toast ${kind}` }, text);
  box.append(el);
  setTimeout(() => el.remove(), kind === 'bad' ? 10_000 : 5000);
}

// ask shows a question and answers with what was entered, or null. An error of
// `act` is shown in the dialog, which stays open.
export function ask({ title, text, confirm, danger, fields = [], act }) {
  const dialog = document.getElementById('dialog');
  const back = document.activeElement;
  const key = back?.dataset?.key;
  return new Promise((done) => {
    const inputs = {};
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const yes = h('button', { type: 'submit', class: danger ? 'danger' : 'primary', id: 'dialog-confirm' }, confirm);
    const no = h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Keep as it is');
    const form = h('form', {
      on: {
        submit: async (e) => {
          e.preventDefault();
          const values = Object.fromEntries(Object.entries(inputs).map(([name, el]) => [name, el.value]));
          yes.disabled = true;
          wrong.textContent = '';
          try {
            const result = await act(values);
            finish(result ?? true);
          } catch (error) {
            wrong.textContent = [error.title, error.detail || error.message].filter(Boolean).join(': ') + (error.uncertain ? ' It may have taken effect all the same.' : '');
            yes.disabled = false;
          }
        },
      },
    },
    h('h2', { id: 'dialog-title' }, title),
    [text].flat().map((t) => h('p', null, t)),
    fields.map((f) => {
      const id = `dialog-${f.name}`;
      inputs[f.name] = f.lines
        ? h('textarea', { id, rows: f.lines, spellcheck: 'false', placeholder: f.placeholder })
        : h('input', { id, type: f.type || 'text', placeholder: f.placeholder, value: f.value, autocomplete: 'off' });
      return h('label', { for: id }, f.label, inputs[f.name]);
    }),
    wrong,
    h('div', { class: 'buttons' }, no, yes));
    let result = null;
    function finish(value) { result = value; dialog.close(); }
    dialog.addEventListener('close', () => {
      dialog.replaceChildren();
      const again = key && [...document.querySelectorAll('[data-key]')].find((el) => el.dataset.key === key);
      (again || (back?.isConnected ? back : document.getElementById('main'))).focus({ preventScroll: true });
      done(result);
    }, { once: true });
    dialog.replaceChildren(form);
    dialog.showModal();
    (Object.values(inputs)[0] || no).focus();
  });
}
