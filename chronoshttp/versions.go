package chronoshttp

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/chronos-go/chronos"
)

// versionJSON is one definition that a job had.
type versionJSON struct {
	Number       uint64         `json:"number" doc:"of the version"`
	At           time.Time      `json:"at" doc:"when it was made"`
	Actor        string         `json:"actor,omitempty" doc:"by whom"`
	Note         string         `json:"note,omitempty" doc:"and why"`
	Deleted      bool           `json:"deleted,omitempty" doc:"this version is the job's deletion"`
	RolledBackTo uint64         `json:"rolled_back_to,omitempty" doc:"the version whose definition was taken up"`
	Definition   definitionJSON `json:"definition" doc:"what the job was"`
}

type versionsJSON struct {
	Items      []versionJSON `json:"items" doc:"newest first"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"for the next page; absent: this is the last one"`
}

func showVersion(v chronos.Version) versionJSON {
	return versionJSON{Number: v.Number, At: v.At, Actor: v.Actor, Note: v.Note, Deleted: v.Deleted, RolledBackTo: v.RolledBackTo, Definition: showDefinition(v.Job)}
}

// listVersions lists the newest first. The library has them oldest first, so what
// may be in the page is kept while the others pass by.
func listVersions(c *call) error {
	limit, err := c.page()
	if err != nil {
		return err
	}
	below := ^uint64(0)
	if c.param("cursor") != "" {
		if below, err = c.version("cursor"); err != nil {
			return err
		}
	}
	var kept []chronos.Version
	for v, err := range c.sched().Versions(c.ctx, c.id) {
		if err != nil {
			return err
		}
		if v.Number >= below {
			break
		}
		if kept = append(kept, v); len(kept) > limit+1 {
			kept = slices.Delete(kept, 0, 1)
		}
	}
	slices.Reverse(kept)
	out := versionsJSON{Items: []versionJSON{}}
	for i, v := range kept {
		if i == limit {
			out.NextCursor = strconv.FormatUint(kept[limit-1].Number, 10)
			break
		}
		out.Items = append(out.Items, showVersion(v))
	}
	return c.send(out)
}

// diffJSON is what changed from one version to another.
type diffJSON struct {
	From    uint64       `json:"from" doc:"the version before"`
	To      uint64       `json:"to" doc:"the version after"`
	Changes []changeJSON `json:"changes" doc:"by field; secrets are not compared, because they are never read"`
}

type changeJSON struct {
	Field  string `json:"field" doc:"of the definition, such as retry.max_attempts; a key of a map is in brackets"`
	Before any    `json:"before,omitempty" doc:"absent: it was not set"`
	After  any    `json:"after,omitempty" doc:"absent: it is not set"`
}

func diffVersions(c *call) error {
	out := diffJSON{Changes: []changeJSON{}}
	var err error
	if out.From, err = c.version("from"); err != nil {
		return err
	}
	if out.To, err = c.version("to"); err != nil {
		return err
	}
	var found [2]*chronos.Version
	for v, err := range c.sched().Versions(c.ctx, c.id) {
		if err != nil {
			return err
		}
		for i, number := range []uint64{out.From, out.To} {
			if v.Number == number {
				found[i] = &v
			}
		}
	}
	for i, number := range []uint64{out.From, out.To} {
		if found[i] == nil {
			return fmt.Errorf("%w: job %q has no version %d", chronos.ErrNotFound, c.id, number)
		}
	}
	if out.Changes, err = changes(definitionOf(*found[0]), definitionOf(*found[1])); err != nil {
		return err
	}
	return c.send(out)
}

// definitionOf is empty for a deletion.
func definitionOf(v chronos.Version) definitionJSON {
	if v.Deleted {
		return definitionJSON{}
	}
	return showDefinition(v.Job)
}

// rollbackJSON is the body of a rollback.
type rollbackJSON struct {
	Version uint64 `json:"version" doc:"the version whose definition is to be taken up, its secrets included"`
}

func rollbackJob(c *call) error {
	var body rollbackJSON
	if err := c.read(&body); err != nil {
		return err
	}
	if body.Version == 0 {
		return invalid("version", "is required")
	}
	j, err := c.sched().Rollback(c.ctx, c.id, body.Version)
	if err != nil {
		return err
	}
	return c.sendJob(j)
}
