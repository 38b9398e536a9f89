// Package jobfile takes jobs from files: it reads and writes them as JSON, imports
// crontabs, and makes a scheduler's jobs what a file declares.
//
//	jobs, err := jobfile.Parse(file)
//	plan, err := jobfile.Reconcile(ctx, s, "jobs.json", jobs, jobfile.ReconcileOptions{})
//	fmt.Println(plan) // + nightly ... 1 to add, 0 to change, 0 to remove, 12 unchanged
//
// # The file
//
// A file is one object with a list of jobs. Fields are those of [chronos.Job], in small
// letters with underscores; what is left out has its default. Durations are texts
// ("5m", "1h30m"), schedules are in the text form of docs/schedules.md:
//
//	{
//	  "jobs": [
//	    {
//	      "id": "nightly",
//	      "schedule": "CRON_TZ=Europe/Berlin 30 2 * * *",
//	      "handler": "report",
//	      "payload_json": {"format": "pdf"},
//	      "retry": {"max_attempts": 3, "initial": "1m"}
//	    },
//	    {
//	      "id": "ping",
//	      "schedule": "@every 5m",
//	      "webhook": {"url": "https://example.com/ping", "bearer": {"env": "PING_TOKEN"}}
//	    }
//	  ]
//	}
//
// A payload is a text (payload), any JSON (payload_json, which the handler gets without
// blanks), or bytes (payload_base64). A name that is not known, or is there twice, is
// refused, with its line and what was meant, perhaps: a misspelled field would be a
// policy that is not there. All that is wrong comes in one [Error].
//
// YAML is read by a module of its own, github.com/chronos-go/chronos/jobfile/yaml.
//
// # Secrets
//
// A file holds no secrets, but says where they are: {"env": NAME} or {"file": PATH};
// {"keep": true} leaves what the scheduler has. One that is written out is refused. No
// error shows any of them. [Write] never writes one.
//
// # Reconcile
//
// [Reconcile] takes jobs with an owner: the name of the file or the program. It sets the
// label [OwnerLabel] on each, and knows by it, the next time, which jobs it may remove.
// Jobs of others with the same ID are a [ConflictError]; ReconcileOptions.Adopt takes
// them over. Give each file its own owner, and do not change it: under another name
// nothing is that owner's. Adding, changing and removing is all it does: whether a job is
// paused, and its history, stay as they are.
//
// With DryRun the [Plan] is made and nothing else; everything is checked then as Put
// would, secrets included. A file without jobs, which may be one that is not there,
// removes nothing unless AllowEmpty says so, and MaxRemove bounds how much goes at once.
//
// A job that removes itself when it has run its course (remove_after) may stay in the
// file: it is [Over], which the plan says, and not run again. It is added when its
// schedule or max_runs is another one than before. Where only max_runs ends it, its history
// has to tell: take it out of the file before that is forgotten (Retention), or it runs
// again.
//
// Two processes may reconcile at the same time, as they do when they start together: each
// job is put, or deleted, only if it is still what the plan was made for. With the same
// file both succeed. With different files, during a deployment, the later one wins, or
// both find a conflict for some job: do it again, with the newer one.
//
// # Crontabs
//
// [ParseCrontab] makes jobs of the lines of a crontab: once, to move over, or each time,
// with Reconcile, where a crontab stays the source. Its comment tells what becomes of
// each part.
package jobfile
