// Package browsertest tests the dashboard in headless Chromium. It is a module of
// its own, so that hosts do not pay for what drives the browser.
package browsertest
