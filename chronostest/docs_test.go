package chronostest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

// The tests of docs/testing-your-jobs.md; the examples are there, too.

func TestNightly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		due := k.AdvanceToDue("nightly")
		k.AdvanceToEnd("nightly")
		k.AssertRan("nightly", due)
	})
}

func TestNightlyOnDSTSunday(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{
			Declare: declareShop,
			Start:   time.Date(2026, 3, 28, 12, 0, 0, 0, berlin),
			Zone:    berlin,
		})
		k.Advance(24 * time.Hour)
		k.AssertLedger("nightly", "2026-03-29T03:00:00+02:00 succeeded") // 02:30 does not exist
	})
}

func TestReportSurvivesANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{
			Declare: declareShop,
			Nodes:   3,
			Start:   time.Date(2026, 7, 1, 0, 29, 50, 0, time.UTC), // 02:29:50 in Berlin
		})
		due := k.AdvanceToDue("nightly")
		k.Advance(20 * time.Second)
		k.Kill(k.Executions("nightly")[0].Node)
		k.AdvanceToEnd("nightly")
		x := k.AssertRan("nightly", due)
		if x.Attempt != 2 {
			t.Errorf("%d attempts", x.Attempt)
		}
	})
}

func TestReportAlone(t *testing.T) {
	job := chronos.Job{ID: "nightly", Payload: []byte(`{"day": "2026-03-29"}`), Timeout: time.Hour}
	synctest.Test(t, func(t *testing.T) { // only because this handler waits for a minute
		x := chronostest.RunNow(t, job, report)
		if x.Status != chronos.StatusSucceeded {
			t.Errorf("%s: %s", x.Status, x.Error)
		}
	})
}

func TestWeekOfTheClockChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		from := time.Date(2026, 10, 19, 0, 0, 0, 0, time.UTC)
		sim, err := chronos.Simulate(k.Jobs(), from, from.AddDate(0, 0, 7))
		if err != nil {
			t.Fatal(err)
		}
		if sim.Peak.Starts > 2 {
			t.Errorf("%d jobs start at %s: spread them", sim.Peak.Starts, sim.Peak.At)
		}
		for _, c := range sim.Clock {
			t.Log(c.Job, "at", c.At, c.What)
		}
	})
}

// Every snippet of the page is in a test of this package, and so compiles.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/testing-your-jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(squeezed(string(text)))
	}
	snippets := 0
	for i, block := range strings.Split(string(page), "```") {
		code, ok := strings.CutPrefix(block, "go\n")
		if i%2 == 0 || !ok {
			continue
		}
		snippets++
		if !strings.Contains(all.String(), squeezed(code)) {
			t.Errorf("this snippet is in no test of the package:\n%s", code)
		}
	}
	if snippets < 5 {
		t.Errorf("only %d snippets were found", snippets)
	}
}

// squeezed is code without its indentation.
func squeezed(code string) string { return strings.Join(strings.Fields(code), " ") + " " }
