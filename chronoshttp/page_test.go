package chronoshttp

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		page := r.get("/").want(http.StatusOK)
		equal(t, "media", page.header.Get("Content-Type"), "text/html; charset=utf-8")
		equal(t, "again", r.call("GET", "/", nil, "If-None-Match", page.header.Get("ETag")).status, http.StatusNotModified)
		equal(t, "script", r.get("/assets/app.js").want(http.StatusOK).header.Get("Content-Type"), "text/javascript; charset=utf-8")
		equal(t, "style", r.get("/assets/style.css").want(http.StatusOK).header.Get("Content-Type"), "text/css; charset=utf-8")
		r.get("/assets/").want(http.StatusNotFound)
		r.get("/assets/index.html").want(http.StatusNotFound)
		r.get("/assets/../page.go").want(http.StatusNotFound)
		r.call("POST", "/", nil).want(http.StatusNotFound)
	})
	bubble(t, Config{Authorize: anybody, NoDashboard: true}, func(t *testing.T, r *rig) {
		r.get("/").want(http.StatusNotFound)
		r.get(base + "/jobs").want(http.StatusOK)
	})
}

// TestAssetsNeedNothing looks for anything that would be loaded from elsewhere, and
// for what the content security policy bars.
func TestAssetsNeedNothing(t *testing.T) {
	for name, file := range loadAssets() {
		text := string(file.body)
		for _, m := range regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s"'<>]*`).FindAllString(text, -1) {
			if !strings.HasPrefix(m, "http://www.w3.org/") { // the name of a namespace
				t.Errorf("%s names %s", name, m)
			}
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "<style", "style=\"", "onclick=", "javascript:", "@import", "url(", "cssText"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^(?:import|export) .*from '(.*)'`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "./") {
				t.Errorf("%s imports %s", name, m[1])
			}
		}
	}
}
