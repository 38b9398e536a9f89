package browsertest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronoshttp"
)

var images = flag.String("images", "", "the directory to write screenshots to")

// TestDashboard goes through the pages of a cluster as a person does. Its parts
// follow each other: the last one kills the leader.
func TestDashboard(t *testing.T) {
	b := newBrowser(t)
	w := newWorld(t)
	w.declare()
	b.look(1200, 800, "light")
	base := w.url(w.follower())
	part := func(name string, test func(t *testing.T)) {
		t.Helper()
		ok := t.Run(name, func(t *testing.T) {
			outer := b.t
			b.t = t
			defer func() { b.t = outer }()
			test(t)
			if said := unexpected(b.complaints()); len(said) > 0 {
				t.Errorf("the console says:\n%s", strings.Join(said, "\n"))
			}
		})
		if !ok {
			t.FailNow()
		}
	}
	part("list", func(t *testing.T) { testList(t, b, base) })
	part("trigger", func(t *testing.T) { testTrigger(t, b, w, base) })
	part("pause", func(t *testing.T) { testPause(t, b, w, base) })
	part("cancel", func(t *testing.T) { testCancel(t, b, w, base) })
	part("rollback", func(t *testing.T) { testRollback(t, b, w, base) })
	part("keyboard", func(t *testing.T) { testKeyboard(t, b, base) })
	part("viewer", func(t *testing.T) { testViewer(t, b, w, base) })
	part("theme", func(t *testing.T) { testTheme(t, b, base) })
	part("pages", func(t *testing.T) { testPages(t, b, w, base) })
	part("a leader is killed", func(t *testing.T) { testKill(t, b, w) })
}

func testList(t *testing.T, b *browser, base string) {
	b.open(base, "")
	for _, id := range []string{"billing/invoices", "newsletter", "legacy/export"} {
		b.has("#list tbody tr", id)
	}
	b.has("#list tbody tr", "Every 5 seconds")
	b.has("#list tbody tr", "paused")
	b.has("#live", "live")
	b.has("#who", "ann")
	b.run(chromedp.SendKeys("#search", "BILLING/inv", chromedp.ByQuery))
	b.wait("document.querySelectorAll('#list tbody tr').length === 1")
	b.set("#search", "nothing like it")
	b.has("#list", "No job is like this")
	b.open(base, "jobs")
	b.set("#state", "paused")
	b.wait("document.querySelectorAll('#list tbody tr').length === 1")
	b.has("#list", "newsletter")
	b.has("#list", "the list is being cleaned")
}

func testTrigger(t *testing.T, b *browser, w *world, base string) {
	b.open(base, "jobs")
	b.button("Trigger report/nightly")
	b.has("dialog", "Trigger report/nightly?")
	b.run(chromedp.SendKeys("#dialog-note", "asked by support", chromedp.ByQuery))
	b.confirm()
	b.has("#toasts", "report/nightly was triggered")
	b.open(base, "jobs/report%2Fnightly")
	b.has("main table", "succeeded") // live: it ends after a while
	b.has("main table", "trigger")
	for x, err := range w.nodes[w.leader()].Executions(t.Context(), chronos.Query{Job: "report/nightly"}) {
		if err != nil || x.Note != "asked by support" || x.Actor != "ann" || x.Origin != chronos.OriginTrigger || x.Key == "" {
			t.Errorf("%+v, %v", x, err)
		}
	}
}

func testPause(t *testing.T, b *browser, w *world, base string) {
	b.open(base, "jobs/mail%2Freminders")
	b.button("Pause mail/reminders")
	b.run(chromedp.SendKeys("#dialog-note", "too many", chromedp.ByQuery))
	b.confirm()
	b.has(".head", "paused")
	b.has("main", "too many")
	b.has("main", "The job is paused.")
	j, err := w.nodes[w.leader()].Get(t.Context(), "mail/reminders")
	if err != nil || !j.State.Paused || j.State.PausedBy != "ann" {
		t.Errorf("%+v, %v", j.State, err)
	}
	// Somebody else resumes it: the page sees that by itself.
	if err := w.nodes[w.leader()].Resume(t.Context(), "mail/reminders"); err != nil {
		t.Fatal(err)
	}
	b.lacks(".head", "paused")
	// What is pressed is not replaced before it is let go, though the page reads anew.
	b.press(`button[aria-label="Pause mail/reminders"]`, 2500*time.Millisecond)
	b.has("dialog", "Pause mail/reminders?")
	b.keys(kb.Escape) // thought better of it
	b.wait("!document.querySelector('dialog').open")
	if j, _ := w.nodes[w.leader()].Get(t.Context(), "mail/reminders"); j.State.Paused {
		t.Error("it was paused without a yes")
	}
}

func testCancel(t *testing.T, b *browser, w *world, base string) {
	x, err := w.nodes[w.leader()].Trigger(t.Context(), "index/rebuild", chronos.TriggerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	b.open(base, "jobs/index%2Frebuild")
	b.has("main table", "running")
	b.button("Cancel " + x.ID)
	b.has("dialog", "Cancel this execution?")
	b.confirm()
	b.has("main table", "canceled (request)")
	b.click("main table tbody th a")
	b.has("main h1", "Execution")
	b.has("main", "canceled (request)")
	b.has("main", x.ID)
	b.button("Run again " + x.ID)
	b.confirm()
	b.has(".head", "running")
	b.button("Terminate " + x.ID)
	b.confirm()
	b.has(".head", "terminated")
}

func testRollback(t *testing.T, b *browser, w *world, base string) {
	b.open(base, "jobs/billing%2Finvoices")
	b.has("main", "longer time-out")
	b.click("input[aria-label='Compare from version 1']")
	b.click("button[data-key=compare]")
	b.has(".diff", "retry.max_attempts")
	b.has(".diff", "1m0s")
	b.button("Roll back to version 2")
	b.has("dialog", "Roll billing/invoices back to version 2?")
	b.confirm()
	b.has("main", "back to 2")
	j, err := w.nodes[w.leader()].Get(t.Context(), "billing/invoices")
	if err != nil || j.Version != 4 || j.Timeout != 0 || j.State.Actor != "ann" {
		t.Errorf("%+v, %v", j, err)
	}
	// A version that is gone by the time of the yes: the dialog says so and stays.
	b.button("Roll back to version 1")
	if err := w.nodes[w.leader()].Delete(t.Context(), "billing/invoices"); err != nil {
		t.Fatal(err)
	}
	b.click("#dialog-confirm")
	b.has("dialog .wrong", "does not exist")
	b.keys(kb.Escape)
	b.has(".head", "This job was deleted")
	w.declare()
	b.has(".head", "scheduled")
	b.complaints() // the refused call
}

// testKeyboard pauses a job without a mouse.
func testKeyboard(t *testing.T, b *browser, base string) {
	b.open(base, "jobs")
	b.tabTo("Skip to content")
	b.keys(kb.Enter)
	if got := eval[string](b, "document.activeElement.id"); got != "main" {
		t.Errorf("skipped to %s", got)
	}
	b.tabTo("Pause report/hourly")
	b.keys(kb.Enter)
	b.wait("document.querySelector('dialog').open")
	if got := eval[string](b, "document.activeElement.id"); got != "dialog-note" {
		t.Errorf("in the dialog the focus is on %s", got)
	}
	b.keys("typed")
	b.keys(kb.Enter)
	b.wait("!document.querySelector('dialog').open")
	b.has("#list", "typed")
	b.wait("document.activeElement.getAttribute('aria-label') === 'Resume report/hourly'") // where it was
	b.keys(kb.Enter)
	b.tabTo("Resume")
	b.keys(kb.Enter)
	b.wait("!document.querySelector('dialog').open")
	b.lacks("#list", "typed")
	b.tabTo("report/hourly")
	b.keys(kb.Enter)
	b.has("h1", "report/hourly")
	if got := eval[string](b, "document.activeElement.id"); got != "main" {
		t.Errorf("on the new page the focus is on %s", got)
	}
}

func testViewer(t *testing.T, b *browser, w *world, base string) {
	w.viewer.Store(true)
	defer w.viewer.Store(false)
	b.open(base, "jobs")
	b.has("#list", "newsletter")
	for _, page := range []string{"jobs", "timeline", "jobs/billing%2Finvoices"} {
		b.open(base, page)
		for _, verb := range []string{"Trigger", "Pause", "Resume", "Cancel", "Terminate", "Run again", "Roll back"} {
			b.wait(`!document.querySelector('button[aria-label^="` + verb + `"]')`)
		}
	}
}

func testTheme(t *testing.T, b *browser, base string) {
	background := func() string { return eval[string](b, "getComputedStyle(document.body).backgroundColor") }
	b.look(1200, 800, "light")
	b.open(base, "jobs")
	light := background()
	b.look(1200, 800, "dark")
	dark := background()
	if light == dark {
		t.Errorf("light and dark are both %s", light)
	}
	choose := func(theme string) {
		b.set("#theme", theme)
	}
	choose("light")
	if got := background(); got != light {
		t.Errorf("light was chosen: %s", got)
	}
	b.open(base, "jobs") // it is remembered
	if got := background(); got != light {
		t.Errorf("light was chosen before: %s", got)
	}
	choose("auto")
	if got := background(); got != dark {
		t.Errorf("auto was chosen: %s", got)
	}
	b.look(1200, 800, "light")
}

// pages are all there are, with the height of their pictures.
var pages = []struct {
	name, fragment string
	height         int64
}{
	{"jobs", "jobs", 1010}, {"job", "jobs/billing%2Finvoices", 1500}, {"timeline", "timeline", 900}, {"plots", "plots", 900},
	{"week", "week", 900}, {"cluster", "cluster", 760}, {"execution", "", 700},
}

// testPages looks at every page in light and dark, wide and narrow: that what is
// there has a name, can be read and fits. With -images it keeps pictures.
func testPages(t *testing.T, b *browser, w *world, base string) {
	for end := time.Now().Add(20 * time.Second); *images != "" && time.Now().Before(end); { // for some history
		time.Sleep(time.Second)
	}
	for _, p := range pages {
		fragment := p.fragment
		if p.name == "execution" {
			for x, err := range w.nodes[w.leader()].Executions(t.Context(), chronos.Query{Job: "sync/inventory", Status: []chronos.Status{chronos.StatusSucceeded}, Limit: 1}) {
				if err != nil {
					t.Fatal(err)
				}
				fragment = "executions/" + strings.ReplaceAll(x.ID, "/", "%2F")
			}
		}
		for _, theme := range []string{"light", "dark"} {
			b.look(1200, p.height, theme)
			b.open(base, fragment)
			if p.name == "timeline" || p.name == "plots" {
				b.set("#range", "60000")
				b.wait("document.querySelector('main svg')")
				time.Sleep(300 * time.Millisecond)
			}
			for _, wrong := range eval[[]string](b, audit) {
				t.Errorf("%s, %s: %s", p.name, theme, wrong)
			}
			b.rightLooks(p.name+", "+theme, 1200)
			b.keep(p.name + "-" + theme)
			b.look(380, 800, theme)
			time.Sleep(200 * time.Millisecond)
			b.rightLooks(p.name+", "+theme, 380)
			if p.name == "jobs" || p.name == "timeline" {
				b.keep(p.name + "-narrow-" + theme)
			}
		}
	}
	for _, theme := range []string{"light", "dark"} {
		b.look(1200, 760, theme)
		b.open(base, "jobs/billing%2Finvoices")
		b.click("input[aria-label='Compare from version 1']")
		b.click("button[data-key=compare]")
		b.has(".diff", "timeout")
		eval[bool](b, "(document.querySelector('.diff').scrollIntoView({ block: 'end' }), true)")
		b.keep("versions-" + theme)
		b.button("Trigger billing/invoices")
		b.has("dialog", "Trigger")
		for _, wrong := range eval[[]string](b, audit) {
			t.Errorf("dialog, %s: %s", theme, wrong)
		}
		b.keep("dialog-" + theme)
		b.keys(kb.Escape)
	}
	b.look(1200, 800, "light")
}

// rightLooks checks what is shown on a screen of a width.
func (b *browser) rightLooks(page string, width int) {
	b.t.Helper()
	if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > width {
		b.t.Errorf("%s: %d wide on a screen of %d: %s", page, wide, width, eval[string](b, widest))
	}
	for _, wrong := range eval[[]string](b, looks) {
		b.t.Errorf("%s, %d wide: %s", page, width, wrong)
	}
}

// TestLongTexts looks at what is long, and at what is not there.
func TestLongTexts(t *testing.T) {
	b := newBrowser(t)
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	base := serve(t, s, func(*http.Request, chronoshttp.Access) (string, error) { return "", nil }).URL + "/ops/chronos/"
	look := func(pages ...string) {
		for _, p := range pages {
			for _, width := range []int64{320, 380, 820, 980, 1200} {
				b.look(width, 800, "light")
				b.open(base, p)
				b.rightLooks(p, int(width))
			}
		}
	}
	look("jobs", "timeline", "plots", "week", "cluster") // nothing at all
	const id = "one/with/a/very-long-name-that-goes-on-and-on-for-more-than-a-line-would-hold-on-any-telephone"
	for _, j := range []chronos.Job{
		{ID: id, Description: "A description in a whole sentence, and then some more of it, so that it needs several lines", Schedule: chronos.Cron("CRON_TZ=America/Argentina/Buenos_Aires 0,5,10,15,20,25 1-23/2 1,15 JAN-JUN MON-FRI"),
			Payload: []byte(strings.Repeat("x", 300)), Labels: map[string]string{"a-long-key-of-a-label": "with-a-long-value"}},
		{ID: "paused", Schedule: chronos.Every(time.Hour)}, {ID: "report/hourly", Schedule: chronos.Cron("0 * * * *")}, {ID: "delay/remarks", Schedule: chronos.After(time.Hour)},
	} {
		j.Handler = "h"
		if _, err := s.Put(context.Background(), j); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Pause(context.Background(), "paused", "for a reason that takes several words"); err != nil {
		t.Fatal(err)
	}
	look("jobs", "jobs/"+strings.ReplaceAll(id, "/", "%2F"), "week")
	b.open(base, "jobs/report%2Fhourly")
	b.has("main dd", "none") // of retries
	b.lacks("main", "up to 1 attempts")
	b.wait("!document.querySelector('input[type=radio]')") // one version cannot be compared
	b.open(base, "jobs/none")
	b.lacks("[role=alert]", "chronos: chronos:")
	b.wait("document.querySelector('h1').compareDocumentPosition(document.querySelector('[role=alert]')) & Node.DOCUMENT_POSITION_FOLLOWING")
}

// TestAudit plants what the audit is to find.
func TestAudit(t *testing.T) {
	b := newBrowser(t)
	b.run(chromedp.Navigate("data:text/html,<h1>a</h1><h3>b</h3><button></button><input><table><tr><td>c</td></tr></table><p style='color:%23999'>pale</p>"))
	found := strings.Join(eval[[]string](b, audit), "\n")
	for _, want := range []string{"no name", "no label", "leaves out a level", "without headers", "without a caption", "no main", "no language", "contrast 2.85"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q was not found, but:\n%s", want, found)
		}
	}
	b.run(chromedp.Navigate("data:text/html,<main><nav id=nav style='display:block;width:40px;overflow:auto;white-space:nowrap'>much-too-long-for-it</nav><section class=card><h2>empty</h2></section>" +
		"<table><tbody><tr><td data-label=a style='display:grid'><i>one</i><i>two</i></table><p style='width:20px'><a class=id style='overflow-wrap:anywhere'>broken</a></main>"))
	found = strings.Join(eval[[]string](b, looks), "\n")
	for _, want := range []string{"cut off: much", "nothing in it: empty", "beside its place: one", "a broken word: broken"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q was not found, but:\n%s", want, found)
		}
	}
}

// keep writes a picture, if that is asked for.
func (b *browser) keep(name string) {
	b.t.Helper()
	if *images == "" {
		return
	}
	img, err := png.Decode(bytes.NewReader(b.shot()))
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small(img)); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*images, "dashboard-"+name+".png"), out.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// testKill kills the leader while a page of another node is open.
func testKill(t *testing.T, b *browser, w *world) {
	leader := w.leader()
	b.open(w.url(w.follower()), "cluster")
	b.has(".node.leads h2", leader)
	w.kill(leader)
	b.wait("!['" + leader + "', ''].includes(document.querySelector('.node.leads h2')?.innerText ?? '')")
	b.has("#toasts", "leads now")
	b.has(".node.away", leader)
	b.has(".node.away", "not heard of")
	b.open(w.url(w.follower()), "jobs/mail%2Freminders")
	done := "[...document.querySelectorAll('main table tbody tr')].filter((r) => r.innerText.includes('succeeded') && !r.innerText.includes('" + leader + "')).length"
	before := eval[int](b, done)
	b.wait(done + " > " + itoa(before+1)) // jobs go on, and the page goes with them
}

// TestWeekCut has more due in a week than is counted, and the page says so.
func TestWeekCut(t *testing.T) {
	b := newBrowser(t)
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, schedule := range map[string]chronos.Schedule{"often": chronos.Every(10 * time.Millisecond), "hourly": chronos.Cron("0 * * * *")} {
		if _, err := s.Put(context.Background(), chronos.Job{ID: id, Handler: "h", Schedule: schedule}); err != nil {
			t.Fatal(err)
		}
	}
	server := serve(t, s, func(*http.Request, chronoshttp.Access) (string, error) { return "", nil })
	b.look(1200, 800, "light")
	b.open(server.URL+"/ops/chronos/", "week")
	b.has("main [role=status]", "168 instants")
	b.has("main [role=status]", "Left out: 1 job that is due more often")
	b.lacks("main", "too much to count")
	b.set("#which", "all")
	b.has("main .notice", "too much to count it all")
	b.has("main .notice", "without 1 job")
	b.has("main table", "counted up to")
	b.wait("document.querySelector('td[title*=\"at least 1 instant\"]')") // the hourly one, after the other was cut off
	b.keep("week-cut-light")
	b.look(380, 800, "dark")
	if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > 380 {
		t.Errorf("%d wide on a screen of 380: %s", wide, eval[string](b, widest))
	}
}

// TestReconnect takes the server away from an open page, and brings it back.
func TestReconnect(t *testing.T) {
	b := newBrowser(t)
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var refuse bool
	server := serve(t, s, func(*http.Request, chronoshttp.Access) (string, error) {
		if refuse {
			return "", errors.New("no")
		}
		return "", nil
	})
	b.open(server.URL+"/ops/chronos/", "jobs")
	b.has("#list", "There are no jobs yet")
	b.has(".tile", "does not run")
	b.has("#live", "live")
	server.CloseClientConnections()
	b.has("#live", "reconnecting")
	if _, err := s.Put(context.Background(), chronos.Job{ID: "meanwhile", Handler: "h"}); err != nil {
		t.Fatal(err)
	}
	b.has("#live", "live")
	b.has("#list", "meanwhile")
	if _, err := s.Put(context.Background(), chronos.Job{ID: "afterwards", Handler: "h"}); err != nil {
		t.Fatal(err)
	}
	b.has("#list", "afterwards")
	for _, page := range []string{"timeline", "plots", "week", "cluster"} {
		b.open(server.URL+"/ops/chronos/", page)
		b.has("main", map[string]string{"timeline": "Nothing was due", "plots": "Nothing ran", "week": "Nothing is due", "cluster": "a single process"}[page])
	}
	b.open(server.URL+"/ops/chronos/", "jobs/none")
	b.has("[role=alert]", "never existed")
	b.open(server.URL+"/ops/chronos/", "jobs")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.has("[role=alert]", "closed")
}
