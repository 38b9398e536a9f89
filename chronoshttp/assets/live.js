// The stream of events. It connects again by itself, also when the server said no
// for a while, and when nothing at all was heard for too long.

const silence = 45_000; // three beats of the default
const kinds = ['job.put', 'job.deleted', 'job.paused', 'job.resumed', 'job.overdue', 'execution.created', 'execution.assigned',
  'execution.retrying', 'execution.ended', 'execution.withdrawn'];

export function connect({ onEvent, onStatus, onReset, onState }) {
  let source; let heard = Date.now(); let wait = 1000; let timer; let before = false;

  function open() {
    clearTimeout(timer);
    source?.close();
    heard = Date.now();
    source = new EventSource('api/v1/events');
    source.onopen = () => {
      wait = 1000;
      heard = Date.now();
      onState('live');
      if (before) onReset(); // whatever happened meanwhile was not seen
      before = true;
    };
    source.onerror = () => {
      onState('reconnecting');
      if (source.readyState === EventSource.CLOSED) again();
    };
    source.addEventListener('reset', () => { heard = Date.now(); onReset(); });
    source.addEventListener('status', (e) => { heard = Date.now(); onStatus(JSON.parse(e.data)); });
    source.addEventListener('beat', () => { heard = Date.now(); });
    for (const kind of kinds) source.addEventListener(kind, (e) => { heard = Date.now(); onEvent(JSON.parse(e.data)); });
  }

  function again() {
    clearTimeout(timer);
    timer = setTimeout(open, wait);
    wait = Math.min(wait * 2, 30_000);
  }

  // A browser opens few connections to one server. A page that nobody sees gives
  // its one back.
  let leaving;
  const close = () => { clearTimeout(timer); clearTimeout(leaving); source.close(); };
  const back = () => { clearTimeout(leaving); if (source.readyState === EventSource.CLOSED) open(); };
  addEventListener('pagehide', close);
  addEventListener('pageshow', (e) => { if (e.persisted) back(); });
  document.addEventListener('visibilitychange', () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(close, 10_000); else back();
  });

  setInterval(() => {
    if (source.readyState === EventSource.OPEN && Date.now() - heard > silence) { onState('reconnecting'); open(); }
  }, 5000);
  addEventListener('online', open);
  open();
}
