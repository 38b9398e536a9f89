package chronoshttp

import (
	"fmt"
	"time"
)

// duration is a time.Duration that is written as text: "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return invalid("body", fmt.Sprintf("has %q where a duration is wanted, such as 1m30s", text))
	}
	*d = duration(v)
	return nil
}
