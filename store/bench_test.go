package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
)

// fires stages what one batch of n fires writes: execution, schedule, active,
// lock, and the move in the due index.
func fires(tb testing.TB, tx *Tx, round, n int) {
	tb.Helper()
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	at := int64(1_700_000_000+round*60) * 1e9
	for i := range n {
		job := fmt.Sprintf("job-%05d", i)
		exec := ScheduledKey(at, 1)
		must(tx.PutExecution(job, exec, &Execution{Generation: 1, Version: 1, Due: at, Status: Status_STATUS_PENDING,
			CreatedAt: at, ReadyAt: at, Node: "node-1", Incarnation: 5, Token: uint64(round), Attempts: 1, Class: "default"}))
		must(tx.PutSchedule(job, &Schedule{Generation: 1, NextDue: at + 60e9, LastDue: at, Runs: uint64(round), Active: 1}))
		must(tx.PutActive(job, exec, &Active{Node: "node-1", Incarnation: 5, Token: uint64(round)}))
		must(tx.PutLock(job, &Lock{Execution: exec, Node: "node-1", Incarnation: 5, Token: uint64(round)}))
		must(tx.DeleteDue(DueEntry{At: at, Kind: DueTick, Job: job}))
		must(tx.PutDue(DueEntry{At: at + 60e9, Kind: DueTick, Job: job}))
	}
	tx.Applied().Index++
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("fires=%d", n), func(b *testing.B) {
			s := open(b, Options{})
			b.ReportAllocs()
			round := 0
			for b.Loop() {
				tx := s.Begin()
				fires(b, tx, round, n)
				if err := tx.Commit(); err != nil {
					b.Fatal(err)
				}
				round++
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "fires/s")
		})
	}
}

// filled holds n executions of about 200 bytes.
func filled(tb testing.TB, o Options, n int) *Store {
	tb.Helper()
	s := open(tb, o)
	for i := 0; i < n; {
		tx := s.Begin()
		for ; i < n; i++ {
			if cells, size := tx.Size(); cells >= 8000 || size > 1<<20 {
				break
			}
			x := &Execution{Generation: 1, Version: 3, Due: int64(i), Status: Status_STATUS_SUCCEEDED, CreatedAt: int64(i) << 20, EndedAt: int64(i) << 30,
				Node: "node-1", Attempts: 1, Output: bytes.Repeat(binary.BigEndian.AppendUint64(nil, uint64(i)*0x9E3779B97F4A7C15), 12),
				History: []*Attempt{{Number: 1, Node: "node-1", Started: int64(i), Ended: int64(i) + 1, Status: Status_STATUS_SUCCEEDED}}}
			if err := tx.PutExecution(fmt.Sprintf("job-%03d", i%1000), ScheduledKey(int64(i), 1), x); err != nil {
				tb.Fatal(err)
			}
		}
		tx.Applied().Index++
		if err := tx.Commit(); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

const benchRecords = 200_000

func BenchmarkGet(b *testing.B) {
	s := filled(b, Options{NoSync: true}, benchRecords)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		n := i * 7919 % benchRecords
		i++
		err := s.View(func(r *Reader) error {
			x, err := r.Execution(fmt.Sprintf("job-%03d", n%1000), ScheduledKey(int64(n), 1))
			if x == nil {
				b.Fatal("missing")
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s := filled(b, Options{NoSync: true}, benchRecords)
	for b.Loop() {
		sn := s.Snapshot()
		n, err := sn.WriteTo(io.Discard)
		sn.Release()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n)/benchRecords, "bytes/record")
	}
	b.ReportMetric(float64(b.N*benchRecords)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkRestore(b *testing.B) {
	var stream bytes.Buffer
	sn := filled(b, Options{NoSync: true}, benchRecords).Snapshot()
	defer sn.Release()
	if _, err := sn.WriteTo(&stream); err != nil {
		b.Fatal(err)
	}
	s := open(b, Options{})
	for b.Loop() {
		if err := s.Restore(bytes.NewReader(stream.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*benchRecords)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkGuardCheck(b *testing.B) {
	g, err := NewGuard(b.TempDir(), GuardOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := g.Check(); err != nil {
			b.Fatal(err)
		}
	}
}
