package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// credentials are what one cluster's API server and its clients trust: they
// are made for the cluster and vanish with it.
type credentials struct {
	caPEM []byte
	token string
	// The files, in the cluster's work folder, readable by root alone.
	certFile, keyFile, saKeyFile, tokenFile string
}

// validity is how long a certificate lasts: longer than any run.
const validity = 30 * 24 * time.Hour

// newCredentials makes a certificate authority, a certificate for the API
// server at the address, a key for service accounts and a random token, and
// writes what the API server needs into dir.
func newCredentials(dir string, server netip.Addr) (*credentials, error) {
	c := &credentials{
		certFile:  filepath.Join(dir, "apiserver.crt"),
		keyFile:   filepath.Join(dir, "apiserver.key"),
		saKeyFile: filepath.Join(dir, "serviceaccount.key"),
		tokenFile: filepath.Join(dir, "tokens.csv"),
	}
	if err := c.makeCertificate(server); err != nil {
		return nil, fmt.Errorf("make certificate of the API server: %w", err)
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key for service accounts: %w", err)
	}
	if err := writeKey(c.saKeyFile, accounts); err != nil {
		return nil, fmt.Errorf("write key for service accounts: %w", err)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	c.token = hex.EncodeToString(random[:])
	line := c.token + `,svcbench,1,"system:masters"` + "\n"
	if err := os.WriteFile(c.tokenFile, []byte(line), 0o600); err != nil {
		return nil, fmt.Errorf("write token: %w", err)
	}
	return c, nil
}

func (c *credentials) makeCertificate(server netip.Addr) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	begin := time.Now().Add(-time.Hour)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "svcbench"},
		NotBefore: begin, NotAfter: begin.Add(validity),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: begin, NotAfter: begin.Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// The API server also talks to itself over the loopback device.
		IPAddresses: []net.IP{server.AsSlice(), net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	c.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(c.certFile, cert, 0o600); err != nil {
		return err
	}
	return writeKey(c.keyFile, key)
}

// writeKey writes a key in the SEC 1 form (RFC 5915), the one in which the API
// server also finds the public half.
func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
