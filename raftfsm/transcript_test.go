package raftfsm

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts plays scripts in testdata/transcripts: a line that begins
// with "> " is one log entry, what follows it is what the entry did. They are
// there to be read; -update writes the answers anew. What a state machine that is
// opened anew for each entry makes of it must be the same.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s: the state machine answers differently now:\n%s", file, got)
			}
		})
	}
}

// player plays one script. Instants in scripts are seconds.
type player struct {
	t    *testing.T
	f    *fsm
	eff  *Effects
	logs []*raft.Log
	now  float64
	out  strings.Builder
}

func play(t *testing.T, script string) string {
	p := &player{t: t}
	p.f = newFSM(memoryStore(t), func(e *Effects) { p.eff = e }, slog.New(slog.DiscardHandler))
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&p.out, line)
			p.line(strings.Fields(line[2:]))
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&p.out, line)
		}
	}
	sameState(t, "restarts", dump(t, p.f.st), dump(t, replayRestarting(t, memoryStore(t), p.logs)))
	return p.out.String()
}

func (p *player) line(words []string) {
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		args[k] = v
	}
	if v, ok := args["t"]; ok {
		p.now = p.number(v)
	}
	cmd := p.command(words[0], args)
	if cmd == nil {
		p.show(args["job"])
		return
	}
	cmd.Now = seconds(p.now)
	data, err := encodeBatch(&Batch{Commands: []*Command{cmd}})
	if err != nil {
		p.t.Fatal(err)
	}
	log := &raft.Log{Index: uint64(len(p.logs)) + 1, Term: 1, Type: raft.LogCommand, Data: data}
	p.logs = append(p.logs, log)
	res := p.f.ApplyBatch([]*raft.Log{log})[0].(*entryResult)
	if res.err != nil {
		p.t.Fatal(res.err)
	}
	p.result(res.results[0])
}

func (p *player) number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		p.t.Fatalf("number %q: %v", s, err)
	}
	return f
}

func seconds(f float64) int64 { return int64(f * 1e9) }

func (p *player) at(args map[string]string, key string) int64 {
	if args[key] == "" {
		return 0
	}
	return seconds(p.number(args[key]))
}

func (p *player) int(args map[string]string, key string) int64 {
	if args[key] == "" {
		return 0
	}
	return int64(p.number(args[key]))
}

// labels reads key:value,key:value.
func labels(text string) (out []*store.Label) {
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		k, v, _ := strings.Cut(one, ":")
		out = append(out, &store.Label{Key: k, Value: v})
	}
	return out
}

func named(values map[string]int32, prefix, name string) int32 {
	return values[prefix+strings.ToUpper(name)]
}

func (p *player) state(job string) (rec *store.Job, st *store.Schedule) {
	_ = p.f.st.View(func(r *store.Reader) error {
		rec, _ = r.Job(job)
		st, _ = r.Schedule(job)
		return nil
	})
	if st == nil {
		st = &store.Schedule{}
	}
	return rec, st
}

func (p *player) command(verb string, a map[string]string) *Command {
	job := a["job"]
	rec, st := p.state(job)
	exec := store.TargetKey(store.ScheduledKey(p.at(a, "due"), rec.GetGeneration()), a["target"])
	token := uint64(p.int(a, "token"))
	switch verb {
	case "node":
		return &Command{Body: &Command_Open{Open: &Open{
			Node: a["id"], Incarnation: uint64(p.int(a, "inc")), Capacity: p.int(a, "room"), Handlers: []string{"h"}, Labels: labels(a["has"]),
		}}}
	case "put":
		put := &Put{Job: job, NextDue: p.at(a, "next"), BaseVersion: rec.GetVersion(), BaseDue: (&subject{st: st}).nextDue(), BaseWithdrawn: st.Withdrawn, Definition: &store.Definition{
			Schedule: cmp.Or(a["schedule"], "@every 10s"), Handler: "h", PauseOnFailure: a["pausing"] == "yes", Description: a["text"], BufferMax: 2, StartDeadline: p.at(a, "deadline"),
			Overlap:    store.Overlap(named(store.Overlap_value, "OVERLAP_", a["overlap"])),
			Delivery:   store.Delivery(named(store.Delivery_value, "DELIVERY_", a["delivery"])),
			NodeLabels: labels(a["on"]), EveryNode: a["every"] == "yes", Sticky: a["sticky"] == "yes",
			SucceedWithin:  p.at(a, "within"),
			ConcurrencyKey: a["key"], ConcurrencyLimit: p.int(a, "limit"),
			Retry: &store.Retry{MaxAttempts: int32(max(1, p.int(a, "attempts"))), Initial: 1e9, Multiplier: 2, Max: 60e9},
		}}
		return &Command{Body: &Command_Put{Put: put}}
	case "fire":
		return &Command{Body: &Command_Fire{Fire: &Fire{
			Job: job, Generation: rec.GetGeneration(), Version: rec.GetVersion(), ExpectDue: p.at(a, "due"),
			Runs: []*Run{{Due: p.at(a, "due"), StartAt: p.at(a, "due")}}, NextDue: p.at(a, "next"), BaseWithdrawn: st.Withdrawn,
		}}}
	case "miss":
		return &Command{Body: &Command_Fire{Fire: &Fire{
			Job: job, Generation: rec.GetGeneration(), Version: rec.GetVersion(), ExpectDue: p.at(a, "due"), NextDue: p.at(a, "next"), BaseWithdrawn: st.Withdrawn,
			Spans: []*Span{{From: p.at(a, "due"), To: p.at(a, "to"), Count: uint64(p.int(a, "count")),
				Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_CATCH_UP}},
		}}}
	case "finish":
		return &Command{Body: &Command_Finish{Finish: &Finish{
			Job: job, Execution: exec, Token: token, Started: seconds(p.now - 1), Ended: seconds(p.now), RetryAt: p.at(a, "retry"),
			Status: store.Status(named(store.Status_value, "STATUS_", a["as"])),
		}}}
	case "back":
		return &Command{Body: &Command_HandBack{HandBack: &HandBack{Job: job, Execution: exec, Token: token, Started: a["started"] == "yes", Kept: a["kept"] == "yes"}}}
	default:
		return p.rest(verb, a, exec)
	}
}

func (p *player) rest(verb string, a map[string]string, exec string) *Command {
	job := a["job"]
	rec, st := p.state(job)
	switch verb {
	case "ready":
		return &Command{Body: &Command_Ready{Ready: &Ready{Job: job, Execution: exec, ReadyAt: p.at(a, "at"), Deadline: a["deadline"] == "yes"}}}
	case "forget":
		return &Command{Body: &Command_Forget{Forget: &Forget{Node: a["id"], Incarnation: uint64(p.int(a, "inc"))}}}
	case "resolve":
		return &Command{Body: &Command_Resolve{Resolve: &Resolve{Node: a["id"], Incarnation: uint64(p.int(a, "inc"))}}}
	case "hold", "release":
		return &Command{Body: &Command_Hold{Hold: &Hold{Node: a["id"], Incarnation: uint64(p.int(a, "inc")), Term: p.term(a), Held: verb == "hold"}}}
	case "expire":
		return &Command{Body: &Command_Expire{Expire: &Expire{Node: a["id"], Incarnation: uint64(p.int(a, "inc")), Term: p.term(a)}}}
	case "cancel":
		return &Command{Body: &Command_Cancel{Cancel: &Cancel{Job: job, Execution: exec, Terminate: a["terminate"] == "yes"}}}
	case "redrive":
		return &Command{Body: &Command_Redrive{Redrive: &Redrive{Job: job, Execution: exec}}}
	case "delete":
		return &Command{Body: &Command_Delete{Delete: &Delete{Job: job}}}
	case "pause":
		return &Command{Body: &Command_Pause{Pause: &Pause{Job: job}}}
	case "resume":
		return &Command{Body: &Command_Resume{Resume: &Resume{Job: job, BaseVersion: rec.GetVersion(), BaseDue: st.PausedDue, BaseWithdrawn: st.Withdrawn, NextDue: p.at(a, "next")}}}
	case "show":
		return nil
	}
	p.t.Fatalf("unknown verb %q", verb)
	return nil
}

// term is the one that the log is in, unless a line names another.
func (p *player) term(a map[string]string) uint64 {
	if a["term"] == "" {
		return 1
	}
	return uint64(p.int(a, "term"))
}

func (p *player) result(res *Result) {
	if res.Code != Code_CODE_OK {
		fmt.Fprintf(&p.out, "  = %s\n", strings.TrimPrefix(res.Code.String(), "CODE_"))
	}
	for _, a := range p.eff.Assigned {
		fmt.Fprintf(&p.out, "  assigned: due %s to %s/%d, attempt %d, token %d, version %d\n",
			short(a.Execution.Due), a.Execution.Node, a.Execution.Incarnation, a.Execution.Attempts, a.Execution.Token, a.Record.Version)
	}
	for _, list := range []struct {
		what string
		h    []Holding
	}{{"recalled", p.eff.Recalled}, {"canceled", p.eff.Canceled}, {"revoked", p.eff.Revoked}} {
		for _, h := range list.h {
			due, _ := store.KeyDue(h.Exec)
			fmt.Fprintf(&p.out, "  %s: due %s, token %d at %s/%d\n", list.what, short(due), h.Token, h.Node, h.Incarnation)
		}
	}
	for _, c := range p.eff.Changes {
		if c.Kind == ExecutionEnded {
			fmt.Fprintf(&p.out, "  ended: due %s, %s\n", short(c.Execution.Due), outcomeText(c.Execution))
		}
	}
}

func short(ns int64) string { return strconv.FormatFloat(float64(ns)/1e9, 'f', -1, 64) }

func outcomeText(x *store.Execution) string {
	text := strings.ToLower(strings.TrimPrefix(x.Status.String(), "STATUS_"))
	if x.Status == store.Status_STATUS_PENDING {
		text += " " + strings.ToLower(strings.TrimPrefix(x.Wait.String(), "WAIT_"))
	}
	if x.Reason != store.Reason_REASON_NONE {
		text += " (" + strings.ToLower(strings.TrimPrefix(x.Reason.String(), "REASON_")) + ")"
	}
	if x.RangeCount > 0 {
		text += fmt.Sprintf(", %d instants to %s", x.RangeCount, short(x.RangeTo))
	}
	return text
}

func (p *player) show(job string) {
	err := p.f.st.View(func(r *store.Reader) error {
		st, err := r.Schedule(job)
		if err != nil || st == nil {
			return err
		}
		fmt.Fprintf(&p.out, "  next due %s, unfinished %d, buffered %d, runs %d\n", short(st.NextDue), st.Active, len(st.Buffer), st.Runs)
		rec, err := r.Job(job)
		if by := SucceedBy(rec.GetDefinition(), st); by != 0 {
			fmt.Fprintf(&p.out, "  to succeed by %s\n", short(by))
		}
		if err != nil {
			return err
		}
		return r.Executions(job, "", func(_ string, x *store.Execution) (bool, error) {
			fmt.Fprintf(&p.out, "  due %s: %s, attempts %d\n", short(x.Due), outcomeText(x), x.Attempts)
			return true, nil
		})
	})
	if err != nil {
		p.t.Fatal(err)
	}
}
