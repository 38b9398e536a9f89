package dispatch

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	redacted = "[redacted]"

	// shortSecret is the length below which a secret is replaced only where it
	// stands alone: a password of one letter must not make a text unreadable.
	shortSecret = 4

	// derivedSecret is the length from which parts and encodings of a secret are
	// looked for, too.
	derivedSecret = 8
)

// redactor replaces the secrets of one webhook in texts.
type redactor struct{ secrets []string } // longest first

// redactor collects what must not come back: the secrets, the words they consist
// of ("Bearer x" is also x), and the forms in which an echo may show them.
func (w *Webhook) redactor() redactor {
	var r redactor
	for _, value := range w.SecretHeaders {
		r.add(value)
		for _, word := range strings.Fields(value) {
			r.addPart(word)
		}
		if _, token, ok := strings.Cut(value, " "); ok {
			r.addPart(strings.TrimSpace(token))
		}
	}
	for _, value := range []string{w.Bearer, w.BasicPassword} {
		r.add(value)
		r.addPart(value)
	}
	if w.basic() {
		r.addDerived(base64.StdEncoding.EncodeToString([]byte(w.BasicUser + ":" + w.BasicPassword)))
	}
	for _, secret := range w.Secrets {
		r.add(secret)
		r.addPart(strings.TrimPrefix(secret, secretPrefix))
	}
	slices.SortFunc(r.secrets, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	r.secrets = slices.Compact(r.secrets)
	return r
}

func (r *redactor) add(secret string) {
	if secret == "" {
		return
	}
	r.secrets = append(r.secrets, secret)
	for _, form := range forms(secret) {
		if form != secret {
			r.addDerived(form)
		}
	}
}

// forms are the ways in which an echo, or an error that quotes it, writes a text:
// in a URL, in JSON, as Go quotes it, and quoted once more.
func forms(s string) []string {
	inner := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	inJSON, _ := json.Marshal(s)
	once := inner(strconv.Quote(s))
	return []string{
		url.QueryEscape(s), url.PathEscape(s), (&url.URL{Path: "/" + s}).EscapedPath()[1:],
		inner(string(inJSON)), once, inner(strconv.Quote(once)), (&url.URL{Path: "/" + once}).EscapedPath()[1:],
	}
}

// addPart adds a word of a secret, and what a URL that holds it takes apart.
func (r *redactor) addPart(part string) {
	for _, p := range append(strings.Split(part, "/"), part) {
		if len(p) >= derivedSecret {
			r.add(p)
		}
	}
}

func (r *redactor) addDerived(secret string) {
	if len(secret) >= derivedSecret {
		r.secrets = append(r.secrets, secret)
	}
}

// text returns s without the secrets. If s was cut off at its end, the beginning
// of a secret there is replaced, too.
func (r redactor) text(s string, cut bool) string {
	for _, secret := range r.secrets {
		s = replaceSecret(s, secret)
	}
	if !cut {
		return s
	}
	for _, secret := range r.secrets {
		for n := min(len(secret)-1, len(s)); n >= shortSecret; n-- {
			if strings.HasSuffix(s, secret[:n]) {
				return s[:len(s)-n] + redacted
			}
		}
	}
	return s
}

// replaceSecret replaces a secret everywhere, a short one only as a whole word.
func replaceSecret(s, secret string) string {
	if len(secret) >= shortSecret {
		return strings.ReplaceAll(s, secret, redacted)
	}
	var b strings.Builder
	rest, before := s, byte(' ')
	for {
		i := strings.Index(rest, secret)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		if i > 0 {
			before = rest[i-1]
		}
		end := i + len(secret)
		b.WriteString(rest[:i])
		if isWord(before) || end < len(rest) && isWord(rest[end]) {
			b.WriteString(secret)
		} else {
			b.WriteString(redacted)
		}
		before = secret[len(secret)-1]
		rest = rest[end:]
	}
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

var urlInText = regexp.MustCompile(`(?i)\bhttps?://[^\s"'<>]+`)

// scrubURLs cuts user names, passwords and queries out of the URLs in a text.
func scrubURLs(s string) string {
	return urlInText.ReplaceAllStringFunc(s, cleanURL)
}

// cleanURL returns scheme://host/path of a URL.
func cleanURL(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	raw, _, _ = strings.Cut(raw, "?")
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw
	}
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + host + path
}

// capText returns s as valid UTF-8 of at most limit bytes.
func capText(s string, limit int) string {
	const mark = "…"
	// Replacing what is not UTF-8 can make a text longer: cut before and after.
	long := len(s) > limit
	if long {
		s = s[:limit]
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if !long && len(s) <= limit {
		return s
	}
	s = s[:min(len(s), limit-len(mark))]
	for len(s) > 0 {
		if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + mark
}
