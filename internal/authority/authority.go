// Package authority makes the certificates of a cluster, for tests: an authority
// that signs those of one cluster and of nothing else, so that whoever has one
// of them can take part.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"time"
)

// serverName is in every certificate, and what each node asks of the other.
const serverName = "chronos"

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Identity is what a node needs to prove itself and to know the others, in PEM.
type Identity struct{ CA, Cert, Key []byte }

// New makes an authority whose certificates are valid for a day.
func New() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := validToday(&x509.Certificate{
		Subject: pkix.Name{CommonName: "a cluster under test"},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key}, err
}

// Issue makes a key and a certificate for a node, which both listens and dials.
func (a *Authority) Issue(node string) (Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	template := validToday(&x509.Certificate{
		Subject: pkix.Name{CommonName: node}, DNSNames: []string{serverName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return Identity{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return Identity{
		CA: encode("CERTIFICATE", a.cert.Raw), Cert: encode("CERTIFICATE", cert), Key: encode("PRIVATE KEY", der),
	}, err
}

func validToday(c *x509.Certificate) *x509.Certificate {
	now := time.Now()
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(24*time.Hour)
	return c
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// TLS is mutual TLS 1.3, for listening and for dialing.
func (i Identity) TLS() (*tls.Config, error) {
	cert, err := tls.X509KeyPair(i.Cert, i.Key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(i.CA) {
		return nil, errors.New("authority: no certificate in CA")
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		RootCAs:      pool,
		ServerName:   serverName,
	}, nil
}
