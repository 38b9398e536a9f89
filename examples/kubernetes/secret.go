package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"time"
)

// printSecret writes a secret with a new authority's certificate, and one that it
// has signed, which all pods share. The authority's key is forgotten. It is for a
// trial: in production something renews them, such as cert-manager.
func printSecret(w io.Writer) error {
	ca, caKey, err := certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: "chronos example"},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return err
	}
	cert, key, err := certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: "chronos node"}, DNSNames: []string{serverName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca, caKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	out := json.NewEncoder(w) // kubectl takes JSON, too
	out.SetIndent("", "  ")
	return out.Encode(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
		"metadata": map[string]string{"name": "chronos-tls"},
		"stringData": map[string]string{
			"ca.crt": encode("CERTIFICATE", ca.Raw), "tls.crt": encode("CERTIFICATE", cert.Raw), "tls.key": encode("PRIVATE KEY", der),
		},
	})
}

// certificate makes a key, and a certificate for it that is valid for 90 days. Without
// a signer it signs itself.
func certificate(template, signer *x509.Certificate, signerKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(0, 0, 90)
	if signer == nil {
		signer, signerKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}
