package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	if _, err := Quarantine(dir, "nothing there", nil); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var places []string
	for i := range 4 {
		s := open(t, Options{Dir: dir})
		if s.Applied().Records != 0 {
			t.Fatal("state after a quarantine")
		}
		jobs(t, s, 0, i+1)
		if i == 0 {
			synctest.Test(t, func(t *testing.T) { // the wait for the lock takes no time
				if _, err := Quarantine(dir, "still open", nil); !errors.Is(err, ErrLocked) {
					t.Fatal(err)
				}
			})
		}
		closeStore(t, s)
		place, err := Quarantine(dir, fmt.Sprintf("reason %d", i), nil)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, place)
	}
	for i, place := range places {
		why, err := os.ReadFile(filepath.Join(filepath.Dir(place), nameWhy))
		if kept := err == nil; kept != (i >= 2) || kept && !strings.Contains(string(why), fmt.Sprintf("reason %d", i)) {
			t.Errorf("%d: %v %s", i, err, why)
		}
	}
	if _, err := os.Stat(filepath.Join(places[3], nameCurrent)); err != nil {
		t.Error(err)
	}
}
