package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long something may take that is to happen.
const patience = 30 * time.Second

// browser is one tab of a headless Chromium. What its console says against the
// page is kept.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu   sync.Mutex
	said []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CHRONOS_BROWSER") == "required" {
			t.Fatal("chromium is missing: apt-get install chromium")
		}
		t.Skip("chromium is missing: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.WindowSize(1200, 800))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {})) // it does not know all events of a new Chromium
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	if err := chromedp.Run(ctx); err != nil { // starts it; it lives as long as this context
		t.Fatal(err)
	}
	b.run(log.Enable(), runtime.Enable(), page.Enable())
	return b
}

func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, "exception: "+ev.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.LevelError || ev.Entry.Level == log.LevelWarning {
			b.said = append(b.said, fmt.Sprintf("%s: %s (%s)", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL))
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeWarning {
			b.said = append(b.said, fmt.Sprintf("console: %d arguments", len(ev.Args)))
		}
	}
}

// complaints are what the console said since the last call.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.said
	b.said = nil
	return out
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func eval[T any](b *browser, js string) T {
	b.t.Helper()
	var v T
	b.run(chromedp.Evaluate(js, &v))
	return v
}

// wait waits until an expression is true.
func (b *browser) wait(js string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if eval[bool](b, "Boolean("+js+")") {
			return
		}
	}
	b.t.Fatalf("the page has:\n%s\nand in vain was waited for: %s", eval[string](b, "document.body.innerText.replace(/\\s+/g, ' ')"), js)
}

func quote(s string) string {
	out, _ := json.Marshal(s)
	return string(out)
}

// has waits until an element has a text.
func (b *browser) has(selector, text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("[...document.querySelectorAll(%s)].some((e) => e.innerText.includes(%s))", quote(selector), quote(text)))
}

func (b *browser) lacks(selector, text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("![...document.querySelectorAll(%s)].some((e) => e.innerText.includes(%s))", quote(selector), quote(text)))
}

// open goes to a page, by what follows #/ in its address.
func (b *browser) open(base, fragment string) {
	b.t.Helper()
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(base+"#/"+fragment))
	b.settled()
}

// settled waits until the page shows what it has read.
func (b *browser) settled() {
	b.t.Helper()
	b.wait("document.querySelector('main h1') && !document.querySelector('main').hasAttribute('aria-busy')")
}

// click clicks on an element that nothing covers. It happens in one step of the page:
// what is read meanwhile cannot move the element away (see press for that).
func (b *browser) click(selector string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => { const e = document.querySelector(%s); if (!e || e.disabled) return false;
		e.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
		const r = e.getBoundingClientRect(); const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
		if (!e.contains(top)) return false;
		e.focus(); e.click(); return true; })()`, quote(selector)))
}

// press holds the mouse down on an element for a while.
func (b *browser) press(selector string, d time.Duration) {
	b.t.Helper()
	b.wait(fmt.Sprintf("document.querySelector(%s)", quote(selector)))
	at := eval[[]float64](b, fmt.Sprintf(`(() => { const e = document.querySelector(%s); e.scrollIntoView({ block: 'center', behavior: 'instant' });
		const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })()`, quote(selector)))
	mouse := func(what input.MouseType) chromedp.Action {
		return chromedp.MouseEvent(what, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1))
	}
	b.run(mouse(input.MousePressed))
	time.Sleep(d)
	b.run(mouse(input.MouseReleased))
}

// button clicks on one by its accessible name.
func (b *browser) button(name string) {
	b.t.Helper()
	b.click(`button[aria-label="` + name + `"]`)
}

func (b *browser) confirm() {
	b.t.Helper()
	b.click("#dialog-confirm")
	b.wait("!document.querySelector('dialog').open")
}

// set gives a field a value, as if it had been chosen or typed.
func (b *browser) set(selector, value string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf(`(() => { const e = document.querySelector(%s); e.value = %s;
		for (const name of ['input', 'change']) e.dispatchEvent(new Event(name, { bubbles: true })); return true; })()`, quote(selector), quote(value)))
}

func (b *browser) keys(keys string) { b.t.Helper(); b.run(chromedp.KeyEvent(keys)) }

// focus is what has the focus, by its name.
func (b *browser) focus() string {
	b.t.Helper()
	return eval[string](b, "(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText || document.activeElement.id || document.activeElement.tagName).trim()")
}

func (b *browser) tabTo(name string) {
	b.t.Helper()
	for range 60 {
		if b.focus() == name {
			return
		}
		b.keys(kb.Tab)
	}
	b.t.Fatalf("no way to %q by the tab key", name)
}

// look sets the size of the window and the theme of the system.
func (b *browser) look(width, height int64, theme string) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}))
}

func (b *browser) shot() []byte {
	b.t.Helper()
	var png []byte
	b.run(chromedp.CaptureScreenshot(&png))
	return png
}

func unexpected(said []string, allowed ...string) (out []string) {
	for _, s := range said {
		ok := false
		for _, a := range allowed {
			ok = ok || strings.Contains(s, a)
		}
		if !ok {
			out = append(out, s)
		}
	}
	return out
}
