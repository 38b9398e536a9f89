package chronoshttp

import (
	"time"

	"github.com/chronos-go/chronos"
)

// triggerJSON is the body of a trigger.
type triggerJSON struct {
	Payload       *string         `json:"payload,omitempty" doc:"in place of the job's, if it is text"`
	PayloadBase64 string          `json:"payload_base64,omitempty" doc:"in place of the job's, if it is no text"`
	Overlap       chronos.Overlap `json:"overlap,omitempty" doc:"in place of the job's policy"`
	Note          string          `json:"note,omitempty" doc:"kept with the execution; at most 1 KiB"`
}

func triggerJob(c *call) error {
	var body triggerJSON
	if err := c.read(&body); err != nil {
		return err
	}
	payload, err := fromText("payload", body.Payload, body.PayloadBase64)
	if err != nil {
		return err
	}
	x, err := c.sched().Trigger(c.ctx, c.id, chronos.TriggerRequest{
		Key: c.r.Header.Get("Idempotency-Key"), Payload: payload, Overlap: body.Overlap, Note: body.Note,
	})
	if err != nil {
		return err
	}
	return c.send(showExecution(x, true))
}

// backfillJSON is the body of a backfill.
type backfillJSON struct {
	From    time.Time       `json:"from" doc:"the first instant"`
	To      time.Time       `json:"to" doc:"the last instant; both are included"`
	Overlap chronos.Overlap `json:"overlap,omitempty" doc:"default buffer_all: one after the other"`
	Note    string          `json:"note,omitempty" doc:"kept with the executions"`
}

type backfilledJSON struct {
	Count int `json:"count" doc:"how many executions were made"`
}

func backfillJob(c *call) error {
	var body backfillJSON
	if err := c.read(&body); err != nil {
		return err
	}
	n, err := c.sched().Backfill(c.ctx, c.id, chronos.BackfillRequest{
		From: body.From, To: body.To, Overlap: body.Overlap, Key: c.r.Header.Get("Idempotency-Key"), Note: body.Note,
	})
	if err != nil {
		return err
	}
	return c.send(backfilledJSON{n})
}
