package store

import (
	"testing"
)

// benchmarkRecords are those that a fire and a finish write.
func benchmarkRecords() []struct {
	name string
	key  []byte
	m    Message
} {
	const at = int64(1_800_000_000) * 1e9
	exec := ScheduledKey(at, 1)
	attempt := &Attempt{Number: 1, Node: "node-1", Started: at, Ended: at + 1e6, Status: Status_STATUS_SUCCEEDED, Version: 3, Token: 12345}
	return []struct {
		name string
		key  []byte
		m    Message
	}{
		{"job", jobKey("reports/daily"), &Job{
			Generation: 1, Version: 3, CreatedAt: at, UpdatedAt: at,
			Definition: &Definition{Schedule: "*/5 * * * *", Handler: "report", Retry: &Retry{MaxAttempts: 3, Initial: 1e9, Multiplier: 2, Max: 60e9}},
		}},
		{"schedule", scheduleKey("reports/daily"), &Schedule{Generation: 1, NextDue: at + 60e9, LastDue: at, Runs: 17, Active: 1}},
		{"execution", executionKey("reports/daily", exec), &Execution{
			Generation: 1, Version: 3, Due: at, Status: Status_STATUS_SUCCEEDED, CreatedAt: at, ReadyAt: at, EndedAt: at + 2e6,
			Node: "node-1", Incarnation: 5, Token: 12345, Attempts: 1, History: []*Attempt{attempt},
		}},
		{"active", activeKey("reports/daily", exec), &Active{Node: "node-1", Incarnation: 5, Token: 12345}},
	}
}

// BenchmarkSeal encodes records.
func BenchmarkSeal(b *testing.B) {
	for _, r := range benchmarkRecords() {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				value, err := seal(r.key, r.m)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(value)))
			}
		})
	}
}

// BenchmarkUnseal checks and decodes them.
func BenchmarkUnseal(b *testing.B) {
	for _, r := range benchmarkRecords() {
		b.Run(r.name, func(b *testing.B) {
			value, err := seal(r.key, r.m)
			if err != nil {
				b.Fatal(err)
			}
			into := r.m.ProtoReflect().New().Interface().(Message)
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				payload, err := unseal(r.key, value)
				if err == nil {
					err = decode(r.key, payload, into)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
