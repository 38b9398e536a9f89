// TLS shows a cluster whose nodes prove themselves to each other by certificates
// of an authority that is made on the fly: who has none, or one of somebody else,
// is refused. Then everything is renewed while the cluster works, the authority
// included, and what was signed by the old one is refused, too.
//
//	go run ./examples/tls
//
// The three nodes are in this one process, on the loopback interface; it ends by
// itself. identity.go is what a node of yours needs, authority.go stands for
// the one that you have: cert-manager, Vault, step-ca. For three processes, and
// what happens when one is killed, see examples/cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := show(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func show(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "chronos-tls-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	first, err := newAuthority("the first authority")
	if err != nil {
		return err
	}
	t, err := form(ctx, dir, first)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	fmt.Fprintln(out, "Three nodes, each with a certificate of the first authority:")
	if err := t.work(ctx, out); err != nil {
		return err
	}
	if err := refuse(ctx, out, t[0].addr, first); err != nil {
		return err
	}
	return rotate(ctx, out, t, first)
}

// rotate replaces the authority in three steps, each of which is done on all
// nodes before the next one begins. A renewal of certificates alone is the second
// step, and the closing of connections.
func rotate(ctx context.Context, out io.Writer, t team, old *authority) error {
	next, err := newAuthority("the second authority")
	if err != nil {
		return err
	}
	stolen, err := old.issue("a") // valid, and soon worth nothing
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what    string
		issuer  *authority
		trusted []*authority
	}{
		{"1. All trust both authorities", old, []*authority{old, next}},
		{"2. All have certificates of the second one", next, []*authority{old, next}},
		{"3. All trust only the second one", next, []*authority{next}},
	} {
		fmt.Fprintf(out, "\n%s:\n", step.what)
		for _, n := range t {
			cert, err := step.issuer.issue(n.name)
			if err != nil {
				return err
			}
			n.id.use(mutual(cert, step.trusted...))
		}
		for _, n := range t {
			n.id.hangUp() // they dial again, with what is valid now
		}
		if err := t.work(ctx, out); err != nil {
			return err
		}
	}
	return refused(ctx, out, "who has a certificate of the first authority", t[0].addr, mutual(stolen, next))
}
