package dispatch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks specification.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

const (
	secretPrefix     = "whsec_"
	minKey, maxKey   = 24, 64 // bytes of a decoded signing secret
	signatureVersion = "v1,"

	defaultTolerance = 5 * time.Minute
	maxSignatures    = 32 // in one header; a receiver does not compare without bound
)

// decodeSecret returns the key of a signing secret: base64, with or without the
// prefix whsec_. The error does not quote the secret.
func decodeSecret(secret string) ([]byte, error) {
	encoded := strings.TrimPrefix(secret, secretPrefix)
	if strings.ContainsAny(encoded, "\r\n") { // the decoder would skip them
		return nil, errors.New("signing secret is not base64: it contains a line break")
	}
	k, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("signing secret is not base64; it has the form whsec_<base64>")
	}
	if len(k) < minKey || len(k) > maxKey {
		return nil, fmt.Errorf("signing secret has %d bytes; %d to %d are required", len(k), minKey, maxKey)
	}
	return k, nil
}

// checkID refuses IDs that would make a signature ambiguous. A dot would, for it
// separates the parts of what is signed.
func checkID(id string) error {
	if id == "" {
		return errors.New("the webhook ID is empty")
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '.' {
			return fmt.Errorf("the webhook ID has %q at byte %d; dots and all but visible ASCII are not allowed", c, i)
		}
	}
	return nil
}

// Sign returns the signature of one webhook as the Standard Webhooks
// specification defines it: "v1," and the base64 HMAC-SHA256 of ID, seconds and
// body. The secret is base64, with or without the prefix whsec_. An ID with a dot
// is refused, as the specification asks.
func Sign(secret string, id string, ts time.Time, body []byte) (string, error) {
	k, err := decodeSecret(secret)
	if err != nil {
		return "", fmt.Errorf("dispatch: %w", err)
	}
	if err := checkID(id); err != nil {
		return "", fmt.Errorf("dispatch: %w", err)
	}
	return signature(k, id, ts.Unix(), body), nil
}

func signature(k []byte, id string, seconds int64, body []byte) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(id))
	mac.Write([]byte("." + strconv.FormatInt(seconds, 10) + "."))
	mac.Write(body)
	return signatureVersion + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Verify checks the signature of a received webhook: header and body are those of
// the request, now is the receiver's clock, and tolerance how far the webhook's
// timestamp may be from it (0: 5 minutes). One matching v1 signature suffices,
// so that the sender can rotate its secrets; to rotate a receiver's, call Verify
// with each. Every error wraps ErrSignature.
//
// A verified webhook may still be a repetition: the ID in header webhook-id is
// the same in every attempt, and remembering it is the receiver's part.
func Verify(secret string, header http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	k, err := decodeSecret(secret)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	id, err := single(header, headerID)
	if err != nil {
		return err
	}
	if err := checkID(id); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	stamp, err := single(header, headerTimestamp)
	if err != nil {
		return err
	}
	seconds, err := checkTimestamp(stamp, now, tolerance)
	if err != nil {
		return err
	}
	want := []byte(signature(k, id, seconds, body))
	offered := strings.Fields(strings.Join(header.Values(headerSignature), " "))
	if len(offered) > maxSignatures {
		return fmt.Errorf("%w: more than %d signatures", ErrSignature, maxSignatures)
	}
	match := false
	for _, s := range offered {
		// hmac.Equal takes the same time wherever the two differ.
		match = hmac.Equal([]byte(s), want) || match
	}
	if !match {
		return fmt.Errorf("%w: none of %d signatures matches", ErrSignature, len(offered))
	}
	return nil
}

// single returns the value of a header that must be there exactly once.
func single(header http.Header, name string) (string, error) {
	values := header.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", fmt.Errorf("%w: header %s must be there once, not %d times",
			ErrSignature, strings.ToLower(name), len(values))
	}
	return values[0], nil
}

// checkTimestamp reads the seconds of a webhook and compares them with the clock.
func checkTimestamp(stamp string, now time.Time, tolerance time.Duration) (int64, error) {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 || strconv.FormatInt(seconds, 10) != stamp {
		return 0, fmt.Errorf("%w: the timestamp is not in seconds", ErrSignature)
	}
	if tolerance <= 0 {
		tolerance = defaultTolerance
	}
	switch age := now.Sub(time.Unix(seconds, 0)); {
	case age > tolerance:
		return 0, fmt.Errorf("%w: the timestamp is older than %v", ErrSignature, tolerance)
	case age < -tolerance:
		return 0, fmt.Errorf("%w: the timestamp is more than %v ahead", ErrSignature, tolerance)
	}
	return seconds, nil
}
