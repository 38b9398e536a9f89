package store

import "strings"

// source is what both a Tx and a Reader can do.
type source interface {
	Get(key []byte, into Message) (bool, error)
	Scan(prefix, from []byte, fn func(key []byte, decode func(Message) error) (bool, error)) error
}

// records reads typed records from a Tx or a Reader. Absent ones are nil.
type records struct{ src source }

func read[M Message](src source, key []byte, m M) (M, error) {
	ok, err := src.Get(key, m)
	if err != nil || !ok {
		var none M
		return none, err
	}
	return m, nil
}

// Job reads jobs/{id}; nil when there is none.
func (r records) Job(id string) (*Job, error) { return read(r.src, jobKey(id), &Job{}) }

// Version reads versions/{job}/{version}.
func (r records) Version(job string, v uint64) (*Version, error) {
	return read(r.src, versionKey(job, v), &Version{})
}

// Schedule reads schedule/{job}.
func (r records) Schedule(job string) (*Schedule, error) {
	return read(r.src, scheduleKey(job), &Schedule{})
}

// Execution reads executions/{job}/{exec}.
func (r records) Execution(job, exec string) (*Execution, error) {
	return read(r.src, executionKey(job, exec), &Execution{})
}

// Lock reads locks/{job}.
func (r records) Lock(job string) (*Lock, error) { return read(r.src, lockKey(job), &Lock{}) }

// Held reads held/{name}, a lock of the host's.
func (r records) Held(name string) (*Held, error) { return read(r.src, heldKey(name), &Held{}) }

// Places reads places/{concurrency key}.
func (r records) Places(key string) (*Places, error) {
	return read(r.src, placesKey(key), &Places{})
}

// Session reads nodes/{id}.
func (r records) Session(node string) (*Session, error) {
	return read(r.src, nodeKey(node), &Session{})
}

// TriggerKey reads keys/{job}/{key}.
func (r records) TriggerKey(job, key string) (*Reference, error) {
	return read(r.src, triggerKey(job, key), &Reference{})
}

// Payload reads payloads/{job}/{exec}.
func (r records) Payload(job, exec string) (*Payload, error) {
	return read(r.src, payloadKey(job, exec), &Payload{})
}

// Jobs walks the jobs in ID order, from the first ID that is not below from.
func (r records) Jobs(from string, fn func(id string, decode func() (*Job, error)) (bool, error)) error {
	return r.src.Scan([]byte(prefixJobs), jobKey(from), func(key []byte, decode func(Message) error) (bool, error) {
		return fn(string(key[len(prefixJobs):]), func() (*Job, error) {
			j := &Job{}
			return j, decode(j)
		})
	})
}

// Versions walks the versions of a job, oldest first, from version from.
func (r records) Versions(job string, from uint64, fn func(version uint64, v *Version) (bool, error)) error {
	prefix := jobPrefix(prefixVersions, job)
	return r.src.Scan(prefix, versionKey(job, from), func(key []byte, decode func(Message) error) (bool, error) {
		n, err := versionOf(key)
		if err != nil {
			return false, err
		}
		v := &Version{}
		if err := decode(v); err != nil {
			return false, err
		}
		return fn(n, v)
	})
}

// Executions walks the ledger of a job, earliest due first, from the first
// key that is not below from.
func (r records) Executions(job, from string, fn func(exec string, x *Execution) (bool, error)) error {
	prefix := jobPrefix(prefixExecutions, job)
	return r.src.Scan(prefix, executionKey(job, from), func(key []byte, decode func(Message) error) (bool, error) {
		x := &Execution{}
		if err := decode(x); err != nil {
			return false, err
		}
		return fn(string(key[len(prefix):]), x)
	})
}

// ExecutionKeys walks the keys of a job's ledger, earliest due first, from the first one that
// is not below from.
func (r records) ExecutionKeys(job, from string, fn func(exec string) bool) error {
	prefix := jobPrefix(prefixExecutions, job)
	return r.src.Scan(prefix, executionKey(job, from), func(key []byte, _ func(Message) error) (bool, error) {
		return fn(string(key[len(prefix):])), nil
	})
}

// Due walks the due index from an instant on. The entries of one instant come
// in the order ticks, retries, deadlines.
func (r records) Due(from int64, fn func(DueEntry) (bool, error)) error {
	start := dueKey(from, 0, "", "")
	return r.src.Scan([]byte(prefixDue), start, func(key []byte, _ func(Message) error) (bool, error) {
		e, err := parseDueKey(key)
		if err != nil {
			return false, err
		}
		return fn(e)
	})
}

// Active walks the executions that are not final, of one job when job is set,
// of all otherwise; after is the last (job, exec) already seen.
func (r records) Active(job, afterJob, afterExec string, fn func(job, exec string, a *Active) (bool, error)) error {
	prefix := []byte(prefixActive)
	if job != "" {
		prefix = jobPrefix(prefixActive, job)
	}
	from := prefix
	if afterJob != "" {
		from = append(activeKey(afterJob, afterExec), 0)
	}
	return r.src.Scan(prefix, from, func(key []byte, decode func(Message) error) (bool, error) {
		j, exec, err := parseJobKey(prefixActive, key)
		if err != nil {
			return false, err
		}
		a := &Active{}
		if err := decode(a); err != nil {
			return false, err
		}
		return fn(j, exec, a)
	})
}

// Waiting walks one class of the waiting queue, or all classes when class is
// empty, best rank first within a class.
func (r records) Waiting(class string, fn func(WaitingEntry) (bool, error)) error {
	prefix := []byte(prefixWaiting)
	if class != "" {
		prefix = jobPrefix(prefixWaiting, class)
	}
	return r.waiting(prefix, nil, fn)
}

// WaitingFrom walks the waiting queue of an entry's class from that entry on, or from
// where it would be.
func (r records) WaitingFrom(from WaitingEntry, fn func(WaitingEntry) (bool, error)) error {
	return r.waiting(jobPrefix(prefixWaiting, from.Class), waitingKey(from), fn)
}

func (r records) waiting(prefix, start []byte, fn func(WaitingEntry) (bool, error)) error {
	return r.src.Scan(prefix, start, func(key []byte, _ func(Message) error) (bool, error) {
		w, err := parseWaitingKey(key)
		if err != nil {
			return false, err
		}
		return fn(w)
	})
}

// Sessions walks the nodes in ID order.
func (r records) Sessions(fn func(node string, s *Session) (bool, error)) error {
	return r.src.Scan([]byte(prefixNodes), nil, func(key []byte, decode func(Message) error) (bool, error) {
		s := &Session{}
		if err := decode(s); err != nil {
			return false, err
		}
		return fn(string(key[len(prefixNodes):]), s)
	})
}

// Results walks the remembered answers, oldest entry first.
func (r records) Results(fn func(index uint64, a *Answers) (bool, error)) error {
	return r.src.Scan([]byte(prefixResults), nil, func(key []byte, decode func(Message) error) (bool, error) {
		index, err := versionOf(key)
		if err != nil {
			return false, err
		}
		a := &Answers{}
		if err := decode(a); err != nil {
			return false, err
		}
		return fn(index, a)
	})
}

// JoinID makes an execution's public ID.
func JoinID(job, exec string) string { return job + ":" + exec }

// SplitID takes a public ID apart.
func SplitID(id string) (job, exec string, ok bool) {
	i := strings.LastIndexByte(id, ':')
	if i <= 0 || i == len(id)-1 {
		return "", "", false
	}
	return id[:i], id[i+1:], true
}

// ExecutionsReverse walks the ledger of a job, latest due first, beginning
// below the key before, or at the end when it is empty.
func (r *Reader) ExecutionsReverse(job, before string, fn func(exec string, x *Execution) (bool, error)) error {
	prefix := jobPrefix(prefixExecutions, job)
	var from []byte
	if before != "" {
		from = executionKey(job, before)
	}
	return r.ScanReverse(prefix, from, func(key []byte, decode func(Message) error) (bool, error) {
		exec := string(key[len(prefix):])
		if exec == before {
			return true, nil
		}
		x := &Execution{}
		if err := decode(x); err != nil {
			return false, err
		}
		return fn(exec, x)
	})
}
