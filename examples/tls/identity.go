package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// serverName is in the certificate of every node, and what each asks of the other.
// Which node answers is found out by the cluster: addresses may change.
const serverName = "chronos"

// mutual is the configuration of a node for both directions: it shows its
// certificate, and wants one of an authority that it trusts.
func mutual(cert tls.Certificate, trusted ...*authority) *tls.Config {
	pool := x509.NewCertPool()
	for _, a := range trusted {
		pool.AddCert(a.cert)
	}
	config := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		ClientAuth:             tls.RequireAndVerifyClientCert, // when listening
		ClientCAs:              pool,
		RootCAs:                pool, // when dialing
		ServerName:             serverName,
		SessionTicketsDisabled: true, // a session must not outlive the certificate that began it
		// The default shows no certificate to who seems not to trust its authority.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
	}
	if cert.Certificate != nil {
		config.Certificates = []tls.Certificate{cert}
	}
	return config
}

// identity is what a node proves itself with. It may be changed while the node
// works: Chronos leaves listening and dialing to its host, so nothing has to be
// restarted. In production something watches the files and calls use and hangUp.
type identity struct {
	config atomic.Pointer[tls.Config]

	mu    sync.Mutex
	conns map[net.Conn]struct{} // that this node has dialed or taken
}

// use is for connections from now on.
func (i *identity) use(config *tls.Config) { i.config.Store(config) }

// listen asks for the configuration anew at each connection.
func (i *identity) listen(ctx context.Context, addr string) (net.Listener, error) {
	plain, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &listener{tls.NewListener(plain, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return i.config.Load(), nil },
	}), i}, nil
}

// listener keeps what it has taken. The handshake comes later, with what is valid then.
type listener struct {
	net.Listener
	of *identity
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	return l.of.keep(conn), nil
}

var errRenewed = errors.New("renewed while dialing; dial again")

// dial is for chronos.Cluster.Dial.
func (i *identity) dial(ctx context.Context, addr string) (net.Conn, error) {
	config := i.config.Load()
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 2 * time.Second}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.config.Load() != config { // hangUp has been, and would not come back for this one
		return nil, errors.Join(errRenewed, conn.Close())
	}
	return i.keep(conn), nil
}

// keep is called with i.mu held.
func (i *identity) keep(conn net.Conn) net.Conn {
	if i.conns == nil {
		i.conns = map[net.Conn]struct{}{}
	}
	i.conns[conn] = struct{}{}
	return &counted{Conn: conn, of: i}
}

// hangUp closes all connections: a certificate is looked at when a connection begins,
// and those of a cluster last for weeks, also that of somebody who has stolen one.
// Between nodes this costs a moment, and no work.
func (i *identity) hangUp() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for conn := range i.conns {
		conn.Close()
	}
	clear(i.conns)
}

// counted is a connection that is forgotten when it is closed.
type counted struct {
	net.Conn
	of *identity
}

func (c *counted) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c.Conn)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
