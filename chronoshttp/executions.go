package chronoshttp

import (
	"fmt"

	"github.com/chronos-go/chronos"
)

// executionsJSON is a page of the ledger.
type executionsJSON struct {
	Items      []executionJSON `json:"items" doc:"newest due instant first"`
	NextCursor string          `json:"next_cursor,omitempty" doc:"for the next page; absent: this is the last one"`
}

func (c *call) query() (q chronos.Query, err error) {
	q = chronos.Query{Job: c.param("job"), After: c.param("cursor")}
	for _, s := range c.params("status") {
		if !statuses[chronos.Status(s)] {
			return q, invalid("status", fmt.Sprintf("%q is none", s))
		}
		q.Status = append(q.Status, chronos.Status(s))
	}
	if q.From, err = c.instant("from"); err != nil {
		return q, err
	}
	q.To, err = c.instant("to")
	return q, err
}

var statuses = map[chronos.Status]bool{
	chronos.StatusPending: true, chronos.StatusRunning: true, chronos.StatusSucceeded: true, chronos.StatusFailed: true,
	chronos.StatusCanceled: true, chronos.StatusTerminated: true, chronos.StatusTimedOut: true, chronos.StatusLost: true,
	chronos.StatusSkipped: true, chronos.StatusMissed: true, chronos.StatusDropped: true,
}

func listExecutions(c *call) error {
	limit, err := c.page()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	origin, node := chronos.Origin(c.param("origin")), c.param("node")
	switch origin {
	case "", chronos.OriginSchedule, chronos.OriginTrigger, chronos.OriginBackfill:
	default:
		return invalid("origin", fmt.Sprintf("%q is none", origin))
	}
	if origin == "" && node == "" {
		q.Limit = limit + 1
	}
	out := executionsJSON{Items: []executionJSON{}}
	for x, err := range c.sched().Executions(c.ctx, q) {
		if err != nil {
			return err
		}
		if origin != "" && x.Origin != origin || node != "" && x.Node != node {
			continue
		}
		if len(out.Items) == limit {
			out.NextCursor = out.Items[limit-1].ID
			break
		}
		out.Items = append(out.Items, showExecution(x, false))
	}
	return c.send(out)
}

func getExecution(c *call) error {
	x, err := c.sched().Execution(c.ctx, c.id)
	if err != nil {
		return err
	}
	return c.send(showExecution(x, true))
}

func cancelExecution(c *call) error    { return c.ended(c.sched().Cancel(c.ctx, c.id)) }
func terminateExecution(c *call) error { return c.ended(c.sched().Terminate(c.ctx, c.id)) }

func redriveExecution(c *call) error {
	_, err := c.sched().Redrive(c.ctx, c.id)
	return c.ended(err)
}

// ended answers with the execution as it is after a call.
func (c *call) ended(err error) error {
	if err != nil {
		return err
	}
	return getExecution(c)
}
