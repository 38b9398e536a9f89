package chronos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/chronos-go/chronos/store"
)

// Backup writes everything there is to w: jobs with their versions, the ledger,
// pauses, idempotency keys. It may be called on any node, running or not, and
// holds nothing up: what is written is the state at one moment, which includes
// everything that was acknowledged anywhere before the call (as with Sync, it
// needs a leader for that). Restore reads it, and refuses one that is not
// complete.
//
// The secrets of webhooks are in it as they are, and so are payloads and
// outputs: treat the file as a secret, and encrypt it where others can reach it.
//
// When ctx ends, or w fails, what was written so far is no backup; an error of
// w is wrapped.
func (s *Scheduler) Backup(ctx context.Context, w io.Writer) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.Sync(ctx); err != nil {
		return err
	}
	if l, err := s.loading(); err != nil || l != nil {
		return restoreUnderWay(l, err)
	}
	content := s.node.Store().Snapshot()
	defer content.Release()
	head := &store.Backup{LogId: s.node.Store().LogID(), Node: s.options.Node, At: time.Now().UnixNano()}
	if c := s.options.Cluster; c != nil {
		head.Cluster = c.ID
	}
	out := bufio.NewWriterSize(contextWriter{ctx, w}, backupBuffer)
	err := content.WriteBackup(out, head)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return translate(fmt.Errorf("backup: %w", err))
	}
	return nil
}

const backupBuffer = 256 << 10

// contextWriter and contextReader fail when their context has ended.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
