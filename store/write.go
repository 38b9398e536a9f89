package store

import (
	"encoding/binary"
)

// empty is the value of a pure index entry: the key says it all.
var empty = &Reference{}

func versionOf(key []byte) (uint64, error) {
	if len(key) < 8 {
		return 0, errKey
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), nil
}

// PutJob writes jobs/{id}.
func (t *Tx) PutJob(id string, j *Job) error { return t.Put(jobKey(id), j) }

// DeleteJob removes jobs/{id}.
func (t *Tx) DeleteJob(id string) error { return t.Delete(jobKey(id)) }

// PutVersion writes versions/{job}/{version}.
func (t *Tx) PutVersion(job string, n uint64, v *Version) error {
	key := versionKey(job, n)
	err := t.Put(key, v)
	if err == nil {
		t.done(key)
	}
	return err
}

// DeleteVersion removes versions/{job}/{version}.
func (t *Tx) DeleteVersion(job string, n uint64) error { return t.Delete(versionKey(job, n)) }

// PutSchedule writes schedule/{job}.
func (t *Tx) PutSchedule(job string, s *Schedule) error { return t.Put(scheduleKey(job), s) }

// DeleteSchedule removes schedule/{job}.
func (t *Tx) DeleteSchedule(job string) error { return t.Delete(scheduleKey(job)) }

// PutExecution writes executions/{job}/{exec}.
func (t *Tx) PutExecution(job, exec string, x *Execution) error {
	key := executionKey(job, exec)
	err := t.Put(key, x)
	if err == nil && x.Status != Status_STATUS_PENDING {
		t.done(key)
	}
	return err
}

// DeleteExecution removes executions/{job}/{exec}.
func (t *Tx) DeleteExecution(job, exec string) error { return t.Delete(executionKey(job, exec)) }

// NoExecution says that there is no such record, which the caller knows by other records. It
// spares a look into the tables, and must be true.
func (t *Tx) NoExecution(job, exec string) error { return t.absent(executionKey(job, exec)) }

// NoActive is like NoExecution.
func (t *Tx) NoActive(job, exec string) error { return t.absent(activeKey(job, exec)) }

// NoDue is like NoExecution.
func (t *Tx) NoDue(e DueEntry) error { return t.absent(dueKey(e.At, e.Kind, e.Job, e.Exec)) }

// NoSchedule is like NoExecution.
func (t *Tx) NoSchedule(job string) error { return t.absent(scheduleKey(job)) }

// NoVersion is like NoExecution.
func (t *Tx) NoVersion(job string, n uint64) error { return t.absent(versionKey(job, n)) }

// NoWaiting is like NoExecution.
func (t *Tx) NoWaiting(w WaitingEntry) error { return t.absent(waitingKey(w)) }

// PutLock writes locks/{job}, or locks/{job}@{node}.
func (t *Tx) PutLock(job string, l *Lock) error { return t.Put(lockKey(job), l) }

// DeleteLock removes locks/{job}.
func (t *Tx) DeleteLock(job string) error { return t.Delete(lockKey(job)) }

// PutHeld writes held/{name}.
func (t *Tx) PutHeld(name string, h *Held) error { return t.Put(heldKey(name), h) }

// DeleteHeld removes held/{name}.
func (t *Tx) DeleteHeld(name string) error { return t.Delete(heldKey(name)) }

// PutPlaces writes places/{concurrency key}.
func (t *Tx) PutPlaces(key string, p *Places) error { return t.Put(placesKey(key), p) }

// DeletePlaces removes places/{concurrency key}.
func (t *Tx) DeletePlaces(key string) error { return t.Delete(placesKey(key)) }

// PutActive writes active/{job}/{exec}.
func (t *Tx) PutActive(job, exec string, a *Active) error { return t.Put(activeKey(job, exec), a) }

// DeleteActive removes active/{job}/{exec}.
func (t *Tx) DeleteActive(job, exec string) error { return t.Delete(activeKey(job, exec)) }

// PutDue enters the due index.
func (t *Tx) PutDue(e DueEntry) error { return t.Put(dueKey(e.At, e.Kind, e.Job, e.Exec), empty) }

// DeleteDue leaves the due index.
func (t *Tx) DeleteDue(e DueEntry) error { return t.Delete(dueKey(e.At, e.Kind, e.Job, e.Exec)) }

// PutWaiting enters the waiting queue.
func (t *Tx) PutWaiting(w WaitingEntry) error { return t.Put(waitingKey(w), empty) }

// DeleteWaiting leaves the waiting queue.
func (t *Tx) DeleteWaiting(w WaitingEntry) error { return t.Delete(waitingKey(w)) }

// PutSession writes nodes/{id}.
func (t *Tx) PutSession(node string, s *Session) error { return t.Put(nodeKey(node), s) }

// DeleteSession removes nodes/{id}.
func (t *Tx) DeleteSession(node string) error { return t.Delete(nodeKey(node)) }

// PutTriggerKey writes keys/{job}/{key}.
func (t *Tx) PutTriggerKey(job, key, exec string) error {
	return t.Put(triggerKey(job, key), &Reference{Execution: exec})
}

// DeleteTriggerKey removes keys/{job}/{key}.
func (t *Tx) DeleteTriggerKey(job, key string) error { return t.Delete(triggerKey(job, key)) }

// PutPayload writes payloads/{job}/{exec}.
func (t *Tx) PutPayload(job, exec string, data []byte) error {
	return t.Put(payloadKey(job, exec), &Payload{Data: data})
}

// DeletePayload removes payloads/{job}/{exec}.
func (t *Tx) DeletePayload(job, exec string) error { return t.Delete(payloadKey(job, exec)) }

// PutResults writes results/{index}.
func (t *Tx) PutResults(index uint64, a *Answers) error { return t.Put(resultKey(index), a) }

// DeleteResults removes results/{index}.
func (t *Tx) DeleteResults(index uint64) error { return t.Delete(resultKey(index)) }
