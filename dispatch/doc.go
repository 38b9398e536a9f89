// Package dispatch runs attempts on one node: it calls Go handlers and
// webhooks, at their instant, and reports how each one ended. It is the part of
// Chronos that touches the outside world, and it knows neither Raft nor Badger.
//
// # The way of an attempt
//
// The state machine hands over attempts with [Dispatcher.Assign] once their
// assignment is committed. They wait on one heap, ordered by StartAt, behind one
// timer. When the timer fires, all attempts that are due leave the heap under a
// single lock, and each is started in a goroutine of its own. What the handler
// did comes back as one [Result] through Config.Report:
//
//	Assign ─► waiting ─► running ─► Report(Result)
//	             │          │
//	             │          ├─ Revoke: context cancelled, nothing reported
//	             │          ├─ Cancel: context cancelled, Canceled
//	             │          ├─ Timeout: deadline, TimedOut
//	             │          └─ neither obeyed within Grace: reported as stuck
//	             ├─ Recall: gone, nothing reported
//	             ├─ Cancel: Canceled, the handler is never called
//	             └─ Drain:  HandedBack, the handler is never called
//
// # Guarantees
//
//   - Report is called exactly once for every attempt that was assigned and
//     neither recalled nor revoked, whatever the handler does: return, panic,
//     call runtime.Goexit, or never come back.
//   - No attempt starts before its StartAt, and no (ID, Token) starts twice:
//     a second Assign of an attempt that waits, runs or has run is ignored.
//     (Ended attempts are remembered by number, the last 16,384 of them.)
//   - After Recall has answered true, and after Revoke or Cancel of an attempt
//     that had not started, the handler is not called.
//   - Assign, Recall, Cancel and Revoke never wait for a handler, for the network
//     or for Report. They may be called where the log is applied.
//   - A handler that panics, hangs or returns a broken error harms no other one.
//
// # Clocks
//
// StartAt is read on this node's wall clock when the attempt is assigned, and
// waited for on the monotonic clock. A clock that is set back meanwhile delays
// nothing; one that is set forward past StartAt starts the attempt within a
// second.
//
// # Errors steer
//
// A handler's error is one failed attempt; the state machine decides about the
// next one. [Permanent] says that repeating is useless, [RetryAfter] when to try
// next; RetryAfter with a nil error puts the execution off without counting the
// attempt. A nil error is a success even when the context had ended, as long as
// the attempt had not been declared stuck.
//
// # Webhooks
//
// A [Webhook] is sent as the Standard Webhooks specification says: webhook-id is
// the execution ID and the same in every attempt, so a receiver can recognise
// repetitions; several signing secrets give several signatures, so that secrets
// can be rotated. [Verify] is the receiver's side. 2xx is success (or what
// SuccessCodes lists); 408, 425, 429, 5xx and network errors may be repeated,
// after what Retry-After asks for; everything else is permanent.
//
// The client of this package follows no redirect unless told to, uses no proxy
// from the environment, and checks every address at the moment of connecting,
// after name resolution. Link-local addresses and the metadata services of cloud
// providers are never reached, private ranges are refused by Config.BlockPrivate.
// A host that passes its own Config.Client answers for these checks itself; it
// can put [Guard] into its dialer.
//
// Secrets (SecretHeaders, password, bearer token, signing secrets) are sent and
// never come back: they are replaced in errors and in the kept output.
//
// # Caveats
//
// A goroutine cannot be killed. A handler that ignores its context runs on after
// it was reported as stuck; its late result is dropped, and [Dispatcher.Stuck]
// counts it until it returns. The number of running attempts is not limited
// here: whoever assigns them keeps count.
package dispatch
