package chronos_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chronos-go/chronos"
)

// wantField checks that err is an ErrInvalid that names the field.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var bad *chronos.FieldError
	if !errors.As(err, &bad) || !errors.Is(err, chronos.ErrInvalid) {
		t.Errorf("got error %v, want a FieldError of %s", err, field)
		return
	}
	if bad.Field != field || bad.Reason == "" || !strings.Contains(err.Error(), field) {
		t.Errorf("got field %q in %q, want %q", bad.Field, err, field)
	}
}

func wantError(t *testing.T, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("got error %v, want %v", err, class)
	}
}
