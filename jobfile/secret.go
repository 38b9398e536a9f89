package jobfile

import (
	"fmt"
	"strings"

	"github.com/chronos-go/chronos"
)

// Reference says where a secret is, since a job file never holds one. Exactly one
// field is set.
type Reference struct {
	Env  string `json:"env,omitempty"`  // an environment variable
	File string `json:"file,omitempty"` // a file; one line's end behind the secret is no part of it
	Keep bool   `json:"keep,omitempty"` // what the scheduler has stored for the job stays
}

const secretForm = `write {"env": "NAME"}, {"file": "PATH"} or, to keep what is stored, {"keep": true}`

// secret reads a reference and follows it. Nothing that it says has a part of a value:
// who writes a secret into the file by mistake does not find it in a log.
func secret(to *chronos.Secret) func(spot) {
	return func(p spot) {
		if p.v.Kind == String {
			p.problem("is written out, and secrets do not belong in a job file; %s", secretForm)
			return
		}
		if p.v.Kind != Object || len(p.v.Fields) != 1 {
			p.problem("is no reference to a secret; %s", secretForm)
			return
		}
		f := p.v.Fields[0]
		at := spot{p.d, join(p.path, f.Name), f.Value}
		switch {
		case f.Name == "env" && f.Value.Kind == String:
			*to = at.fromEnv()
		case f.Name == "file" && f.Value.Kind == String:
			*to = at.fromFile()
		case f.Name == "keep" && f.Value.Kind == Bool && f.Value.Text == "true":
			*to = chronos.SecretKept
		default:
			p.problem("is no reference to a secret; %s", secretForm)
		}
	}
}

func (p spot) fromEnv() chronos.Secret {
	value, ok := p.d.options.LookupEnv(p.v.Text)
	switch {
	case !ok:
		p.problem("names the environment variable %.80q, which is not set; set it for this process", p.v.Text)
	case value == "":
		p.problem("names the environment variable %.80q, which is empty; set it for this process", p.v.Text)
	}
	return p.value(value)
}

func (p spot) fromFile() chronos.Secret {
	b, err := p.d.options.ReadFile(p.v.Text)
	if err != nil {
		p.problem("cannot be read: %v", err)
		return ""
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" {
		p.problem("names the file %.200q, which is empty", p.v.Text)
	}
	return p.value(value)
}

// value refuses what would not be taken as a value.
func (p spot) value(v string) chronos.Secret {
	if chronos.Secret(v) == chronos.SecretKept {
		p.problem(`leads to the text that stands for a secret, not to one; write {"keep": true} to keep what is stored`)
	}
	return chronos.Secret(v)
}

// check says what is wrong with a reference that is to be written.
func (r Reference) check() error {
	n := 0
	for _, set := range []bool{r.Env != "", r.File != "", r.Keep} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("the reference to it has %d of Env, File and Keep set; set one", n)
	}
	return nil
}
