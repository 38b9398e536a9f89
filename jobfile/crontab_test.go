package jobfile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

func crontab(t *testing.T, text string, o jobfile.CrontabOptions) ([]chronos.Job, []jobfile.Note) {
	t.Helper()
	if o.Zone == nil {
		o.Zone = berlin(t)
	}
	jobs, notes, err := jobfile.ParseCrontab(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return jobs, notes
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func command(t *testing.T, j chronos.Job) (c jobfile.Command) {
	t.Helper()
	if err := json.Unmarshal(j.Payload, &c); err != nil {
		t.Fatalf("%s: %v: %s", j.ID, err, j.Payload)
	}
	return c
}

func TestCrontab(t *testing.T) {
	jobs, notes := crontab(t, `
# a comment
PATH=/usr/local/bin:/usr/bin
MAILTO = "ops@example.com"
  30 2 * * *	/usr/local/bin/backup --full
CRON_TZ=America/New_York
NAME = " quoted "
0 9 * * mon-fri  report | mail -s "done" a=b
@daily           date +\%F
*/5 0-6,22 1,15 jan * feed%line one%line two\%
-@HOURLY         quiet
`, jobfile.CrontabOptions{Job: chronos.Job{Timeout: time.Hour, Labels: map[string]string{"from": "cron"}}})
	var got []string
	for _, j := range jobs {
		c := command(t, j)
		got = append(got, fmt.Sprintf("%s: %s: %s %q %q %v", j.ID, j.Handler, j.Schedule, c.Command, c.Stdin, len(c.Env)))
		if j.Timeout != time.Hour || j.Labels["from"] != "cron" || c.Env["PATH"] != "/usr/local/bin:/usr/bin" {
			t.Errorf("%+v", j)
		}
	}
	want := []string{ // IDs are frozen: others would be other jobs
		`backup-full-f3e91709: shell: CRON_TZ=Europe/Berlin 30 2 * * * "/usr/local/bin/backup --full" "" 1`,
		`report-mail-s-done-a-b-ec8092e1: shell: CRON_TZ=America/New_York 0 9 * * mon-fri "report | mail -s \"done\" a=b" "" 2`,
		`date-F-2c30f6cf: shell: CRON_TZ=America/New_York @daily "date +%F" "" 2`,
		`feed-ee8bb4c1: shell: CRON_TZ=America/New_York */5 0-6,22 1,15 jan * "feed" "line one\nline two%\n" 2`,
		`quiet-ae3eaf7a: shell: CRON_TZ=America/New_York @hourly "quiet" "" 2`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	if c := command(t, jobs[1]); c.Env["NAME"] != " quoted " {
		t.Errorf("%v", c.Env)
	}
	if len(notes) != 2 || notes[0].Line != 4 || !strings.HasPrefix(notes[0].String(), "line 4: MAILTO is not carried over: ") || notes[1].Line != 11 {
		t.Errorf("%v", notes)
	}
}

// Cron ends the last line of the input, if it has one that is not ended.
func TestCrontabInput(t *testing.T) {
	for line, want := range map[string]string{"x": "", "x%": "", "x%a": "a\n", "x%a%": "a\n", "x%a%%": "a\n\n", "x%%": "\n", "x%%a": "\na\n"} {
		jobs, _ := crontab(t, "* * * * * "+line+"\n", jobfile.CrontabOptions{})
		if c := command(t, jobs[0]); c.Command != "x" || c.Stdin != want {
			t.Errorf("%s: %q", line, c)
		}
	}
}

func TestCrontabOfTheSystem(t *testing.T) {
	jobs, _ := crontab(t, "17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n@weekly www-data tidy\n", jobfile.CrontabOptions{System: true, Prefix: "etc/", Zone: time.UTC})
	if len(jobs) != 2 || !strings.HasPrefix(jobs[0].ID, "etc/cd-run-parts-report-etc-cron-hourly-") || jobs[0].Schedule.String() != "17 * * * *" {
		t.Fatalf("%+v", jobs)
	}
	want := jobfile.Command{Command: "cd / && run-parts --report /etc/cron.hourly", User: "root"}
	if c := command(t, jobs[0]); !reflect.DeepEqual(c, want) {
		t.Errorf("%+v", c)
	}
}

func TestCrontabHandlers(t *testing.T) {
	jobs, notes := crontab(t, "A=1\n5 4 * * * root clean-up\n", jobfile.CrontabOptions{System: true, CommandIsHandler: true})
	if jobs[0].Handler != "clean-up" || jobs[0].Payload != nil || len(notes) != 2 {
		t.Errorf("%+v, %v", jobs, notes)
	}
	jobs, _ = crontab(t, "5 4 * * * clean-up\n", jobfile.CrontabOptions{Handler: "run"})
	if jobs[0].Handler != "run" {
		t.Errorf("%+v", jobs)
	}
}

// The same jobs come of a crontab that was only put in another form; a changed
// schedule leaves the ID as it is.
func TestCrontabIDs(t *testing.T) {
	ids := func(text string) []string {
		jobs, _ := crontab(t, text, jobfile.CrontabOptions{})
		var out []string
		for _, j := range jobs {
			out = append(out, j.ID)
		}
		slices.Sort(out)
		return out
	}
	a := ids("1 2 * * * one\n2 3 * * * two x\n3 4 * * * two x\n")
	for _, other := range []string{
		"# said\n\n  3   4 *\t* *   two x  \r\n2 3 * * * two x\n\t1 2 * * *\tone\n",
		"X=y\n1 2 * * * one\n2 3 * * * two x\n3 4 * * * two x",
		"59 23 * * * one\n2 3 * * * two x\n3 4 * * * two x",
	} {
		if b := ids(other); !slices.Equal(a, b) {
			t.Errorf("%q\n\tgives %q\n\tand not %q", other, b, a)
		}
	}
	if b := ids("1 2 * * * one --more\n2 3 * * * two x\n3 4 * * * two x"); slices.Equal(a, b) {
		t.Error("another command is the same job")
	}
	if name := ids("* * * * * ./$$$\n")[0]; !strings.HasPrefix(name, "job-") {
		t.Errorf("named %s", name)
	}
	if long := ids("* * * * * x " + strings.Repeat("long-", 1000))[0]; len(long) > 60 {
		t.Errorf("named %s", long)
	}
}

func TestCrontabProblems(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		o          jobfile.CrontabOptions
	}{
		{"\n@reboot start", "line 2: @reboot is no instant; call what it runs when your program starts", jobfile.CrontabOptions{}},
		{"* * * * *", "line 1: has no command", jobfile.CrontabOptions{}},
		{"* * * * * root", "line 1: has no command behind the user", jobfile.CrontabOptions{System: true}},
		{"* * * *", "line 1: is neither NAME=value nor five fields and a command", jobfile.CrontabOptions{}},
		{"hello", "line 1: is neither NAME=value", jobfile.CrontabOptions{}},
		{"* * * * * a\n61 * * * * b", "line 2: ", jobfile.CrontabOptions{}},
		{"@every_minute x", "line 1: \"@every_minute\" is no word that a crontab has", jobfile.CrontabOptions{}},
		{"0~59 * * * * x", "line 1: has a random value (~); use H", jobfile.CrontabOptions{}},
		{"CRON_TZ=Mars/Olympus\n* * * * * x", "line 1: CRON_TZ=\"Mars/Olympus\" is no time zone", jobfile.CrontabOptions{}},
		{"CRON_TZ=Local\n* * * * * x", "line 1: CRON_TZ=\"Local\"", jobfile.CrontabOptions{}},
		{"* * * * * x\n\n*  *  *  *  *  x", "line 3: is the same as line 1; cron would start it twice at once", jobfile.CrontabOptions{}},
		{"* * * * * x%in", "line 1: has standard input behind a %", jobfile.CrontabOptions{CommandIsHandler: true}},
		{"* * * * * " + strings.Repeat("x", 200), "line 1: the command has 200 bytes", jobfile.CrontabOptions{CommandIsHandler: true}},
		{"* * * * * x\n\x7fELF\x01", "line 2: has a control character", jobfile.CrontabOptions{}},
		{"* * * * * x\n\xff", "line 2: is not UTF-8", jobfile.CrontabOptions{}},
	} {
		tc.o.Zone = berlin(t)
		jobs, _, err := jobfile.ParseCrontab(strings.NewReader(tc.text), tc.o)
		var bad *jobfile.Error
		if jobs != nil || !errors.As(err, &bad) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60q: %v\nand not\n%s", tc.text, err, tc.want)
		}
	}
	for _, o := range []jobfile.CrontabOptions{
		{}, {Zone: time.UTC, Handler: "x", CommandIsHandler: true}, {Zone: time.UTC, Job: chronos.Job{ID: "x"}},
	} {
		if _, _, err := jobfile.ParseCrontab(strings.NewReader(""), o); !errors.Is(err, chronos.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// What is imported can be put, is the owner's from then on, and follows the crontab.
func TestCrontabReconcile(t *testing.T) {
	bubble(t, func(r *rig) {
		for text, want := range map[string]string{
			"0 3 * * * backup\n@daily report\n": "2 to add, 0 to change, 0 to remove, 0 unchanged",
		} {
			jobs, _ := crontab(t, text, jobfile.CrontabOptions{})
			if p := r.declare("crontab", jobfile.ReconcileOptions{}, jobs...); !strings.HasSuffix(p.String(), want) {
				t.Error(p)
			}
		}
		jobs, _ := crontab(t, "# later\n0 4 * * * backup\n", jobfile.CrontabOptions{})
		if p := r.declare("crontab", jobfile.ReconcileOptions{}, jobs...); !strings.HasPrefix(p.String(), "~ backup-") || p.Count(jobfile.Remove) != 1 {
			t.Error(p)
		}
	})
}

// Whatever a crontab holds, it gives jobs with IDs of their own that can be written to a
// job file and read again, or an error that names a line.
func FuzzParseCrontab(f *testing.F) {
	for _, seed := range []string{
		"", "# c\nA=b\n* * * * * x\n", "CRON_TZ=Europe/Berlin\n1-5/2 0 1,2 jan sun a%b\\%c\n", "@reboot x\n@daily y", "-0 0 * * * root z", "\"A\" = ' b '\n",
	} {
		f.Add(seed, false, false)
		f.Add(seed, true, true)
	}
	f.Fuzz(func(t *testing.T, text string, system, handlers bool) {
		o := jobfile.CrontabOptions{Zone: time.UTC, System: system, CommandIsHandler: handlers}
		jobs, notes, err := jobfile.ParseCrontab(strings.NewReader(text), o)
		lines := strings.Count(text, "\n") + 1
		for _, n := range notes {
			if n.Line < 1 || n.Line > lines || n.Text == "" {
				t.Fatalf("%v", n)
			}
		}
		if err != nil {
			var bad *jobfile.Error
			if jobs != nil || !errors.As(err, &bad) || len(bad.Problems) == 0 || bad.Problems[0].Line < 1 || bad.Problems[0].Line > lines {
				t.Fatalf("%v, %v", jobs, err)
			}
			return
		}
		first := write(t, jobs, jobfile.WriteOptions{})
		again, err := jobfile.Parse(strings.NewReader(string(first)))
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		for i, j := range again {
			if j.ID != jobs[i].ID || string(j.Payload) != string(jobs[i].Payload) || j.Schedule.Err() != nil {
				t.Fatalf("%+v\n%+v", j, jobs[i])
			}
		}
	})
}
