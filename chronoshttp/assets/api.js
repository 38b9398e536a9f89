// Calls of the API, relative to where the page is.

import { released } from './dom.js';

export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || `the server answered ${status}`);
    this.title = body.title;
    this.detail = body.detail;
    this.code = body.code;
    this.status = status;
    this.uncertain = body.uncertain;
  }
}

async function call(method, path, body, headers) {
  let answer;
  try {
    answer = await fetch(`api/v1${path}`, {
      method, credentials: 'same-origin', cache: 'no-store',
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem({ title: 'The server cannot be reached', detail: 'It may be down, or the network is. What is shown may be old.' }, 0);
  }
  const text = await answer.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { /* a proxy's page */ }
  if (!answer.ok) throw new Problem(value || { title: `The server answered ${answer.status}` }, answer.status);
  return value;
}

// get reads what is shown next.
export const get = async (path) => {
  const value = await call('GET', path);
  await released();
  return value;
};
export const post = (path, body, headers) => call('POST', path, body, headers);

export function query(params) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const v of [value].flat()) if (v !== undefined && v !== null && v !== '') q.append(name, v);
  }
  const text = q.toString();
  return text ? `?${text}` : '';
}

// most reads pages until there are no more, or enough.
export async function most(path, params, limit) {
  const items = [];
  let cursor;
  do {
    const page = await get(path + query({ ...params, cursor, limit: Math.min(1000, limit - items.length) }));
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < limit);
  return { items, more: Boolean(cursor) };
}

let allowed = new Set();
export async function session() {
  const who = await get('/session');
  allowed = new Set(who.actions);
  return who;
}
export const may = (action) => allowed.has(action);
