package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// serverName is in the certificate of every node, and what each asks of the
// other. Which node answers is found out by the cluster: addresses may change.
const serverName = "chronos"

// The files of a node, in its directory.
const (
	caFile   = "ca.pem"
	certFile = "node.pem"
	keyFile  = "node.key"
)

// authority signs the certificates of one cluster, and of nothing else: who has
// one of them can take part. Its key is forgotten with the process.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := validToday(&x509.Certificate{
		Subject: pkix.Name{CommonName: "a cluster of the example"},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// issue makes a key and a certificate for a node, which both listens and dials.
func (a *authority) issue(node string) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := validToday(&x509.Certificate{
		Subject: pkix.Name{CommonName: node}, DNSNames: []string{serverName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return encode("CERTIFICATE", cert), encode("PRIVATE KEY", der), nil
}

func validToday(c *x509.Certificate) *x509.Certificate {
	now := time.Now()
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(24*time.Hour)
	return c
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// makeCerts gives each node a directory with what it needs to prove itself and
// to know the others.
func makeCerts(dir string, names []string) error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	for _, name := range names {
		cert, key, err := ca.issue(name)
		if err != nil {
			return err
		}
		home := filepath.Join(dir, name)
		err = errors.Join(
			os.Mkdir(home, 0o700),
			os.WriteFile(filepath.Join(home, caFile), encode("CERTIFICATE", ca.cert.Raw), 0o600),
			os.WriteFile(filepath.Join(home, certFile), cert, 0o600),
			os.WriteFile(filepath.Join(home, keyFile), key, 0o600),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// mutualTLS is the configuration of a node for both directions: it shows its
// certificate, and wants one of the same authority.
func mutualTLS(home string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(home, certFile), filepath.Join(home, keyFile))
	if err != nil {
		return nil, err
	}
	pool, err := trusted(home)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert, // when listening
		ClientCAs:    pool,
		RootCAs:      pool, // when dialing
		ServerName:   serverName,
	}, nil
}

// trusted holds the cluster's authority, and no other.
func trusted(home string) (*x509.CertPool, error) {
	text, err := os.ReadFile(filepath.Join(home, caFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(home, caFile))
	}
	return pool, nil
}
