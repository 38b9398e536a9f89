package chronoshttp

import (
	"errors"
	"net/http"
)

// ErrUnauthenticated is what Config.Authorize answers with when it is not known
// who asks: the caller gets 401 and Config.Challenge.
var ErrUnauthenticated = errors.New("chronoshttp: not authenticated")

// Action is what a request wants to do.
type Action string

// The actions.
const (
	ActionRead      Action = "read" // every GET, the pages, and simulate
	ActionPut       Action = "put"
	ActionDelete    Action = "delete"
	ActionPause     Action = "pause"
	ActionResume    Action = "resume"
	ActionRollback  Action = "rollback"
	ActionTrigger   Action = "trigger"
	ActionBackfill  Action = "backfill"
	ActionCancel    Action = "cancel"
	ActionTerminate Action = "terminate"
	ActionRedrive   Action = "redrive"
)

// actions are all there are.
var actions = []Action{
	ActionRead, ActionPut, ActionDelete, ActionPause, ActionResume, ActionRollback,
	ActionTrigger, ActionBackfill, ActionCancel, ActionTerminate, ActionRedrive,
}

// Access is what is to be allowed or refused. A list over all jobs, and a stream
// of all events, are asked for once, with Job empty: who may read that sees all
// jobs.
type Access struct {
	Action    Action
	Job       string // empty: no particular one
	Execution string // empty: no particular one
	// Probe: nothing is to be done. The dashboard asks what to offer.
	Probe bool
}

// allow asks the host. It answers with who asks, or with a refusal.
func (h *Handler) allow(r *http.Request, a Access) (string, *problem) {
	if h.config.Authorize == nil {
		h.log.Warn("chronoshttp: everything is refused, because Config.Authorize is not set")
		return "", &problem{Status: http.StatusForbidden, Code: codeForbidden,
			Detail: "nobody has access yet: the program has to set Config.Authorize of chronoshttp, a function that says who may do what"}
	}
	actor, err := h.config.Authorize(r, a)
	if err == nil {
		return actor, nil
	}
	if a.Probe {
		return "", &problem{Status: http.StatusForbidden}
	}
	h.log.Info("chronoshttp: refused", "action", a.Action, "job", a.Job, "execution", a.Execution, "remote", r.RemoteAddr, "error", err)
	if errors.Is(err, ErrUnauthenticated) {
		return "", &problem{Status: http.StatusUnauthorized, Code: codeUnauthenticated, Detail: "say who you are", challenge: h.config.Challenge}
	}
	return "", &problem{Status: http.StatusForbidden, Code: codeForbidden, Detail: "you may not do this (" + string(a.Action) + ")"}
}
