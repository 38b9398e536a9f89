package dispatch

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestGuard(t *testing.T) {
	const (
		never   = "never"   // refused always
		private = "private" // refused with BlockPrivate
		public  = "public"
	)
	for address, want := range map[string]string{
		"93.184.216.34:443":              public,
		"[2606:2800:220:1::1]:443":       public,
		"8.8.8.8:1":                      public,
		"[::ffff:8.8.8.8]:80":            public,
		"[64:ff9b::8.8.8.8]:80":          public, // NAT64 of a public host
		"127.0.0.1:80":                   private,
		"127.1.2.3:80":                   private,
		"0.0.0.0:80":                     private,
		"10.0.0.1:80":                    private,
		"172.16.0.1:80":                  private,
		"172.31.255.255:80":              private,
		"172.32.0.1:80":                  public,
		"192.168.1.1:80":                 private,
		"100.64.0.1:80":                  private,
		"198.18.0.1:80":                  private,
		"224.0.0.251:80":                 never, // link-local multicast
		"239.1.1.1:80":                   private,
		"255.255.255.255:80":             private,
		"[::1]:80":                       private,
		"[::]:80":                        private,
		"[::ffff:127.0.0.1]:80":          private,
		"[::ffff:10.0.0.1]:80":           private,
		"[fc00::1]:80":                   private,
		"[fd12:3456::1]:80":              private,
		"[64:ff9b::10.0.0.1]:80":         private,
		"[64:ff9b::127.0.0.1]:80":        private,
		"[2002:0a00:0001::1]:80":         private, // 6to4
		"[2001:0:1::1]:80":               private, // Teredo
		"[2001:db8::1]:80":               private,
		"[::8.8.8.8]:80":                 private, // IPv4-compatible
		"169.254.169.254:80":             never,
		"169.254.0.1:80":                 never,
		"169.254.170.2:80":               never,
		"168.63.129.16:80":               never,
		"168.63.129.17:80":               public,
		"100.100.100.200:80":             never,
		"192.0.0.192:80":                 never,
		"[fe80::1]:80":                   never,
		"[fe80::1%eth0]:80":              never,
		"[fe80::a9fe:a9fe]:80":           never,
		"[febf::1]:80":                   never,
		"[ff02::1]:80":                   never,
		"[fd00:ec2::254]:80":             never,
		"[fd00:ec2::23]:80":              never,
		"[fd20:ce::254]:80":              never,
		"[fd00:42::42]:80":               never,
		"[fd00:a9fe:a9fe::1]:80":         never,
		"[::ffff:169.254.169.254]:80":    never,
		"[::ffff:a9fe:a9fe]:80":          never,
		"[::ffff:168.63.129.16]:80":      never,
		"[64:ff9b::169.254.169.254]:80":  never,
		"[64:ff9b:1::a9fe:a9fe]:80":      never,
		"[64:ff9b:1:a9fe:a9:fe00::]:80":  never,
		"[2002:a9fe:a9fe::1]:80":         never,
		"[2001:0:1:2:3:4:5601:5601]:80":  never, // Teredo, inverted
		"[::169.254.169.254]:80":         never,
		"[::ffff:0:169.254.169.254]:80":  never, // SIIT
		"[::ffff:0:10.0.0.1]:80":         private,
		"[::ffff:0:8.8.8.8]:80":          private,
		"[::ffff:0.0.0.0]:80":            private,
		"[::ffff:100.64.0.1]:80":         private,
		"[64:ff9b:1::10.0.0.1]:80":       private,
		"[2002:7f00:1::]:80":             private,
		"[fec0::1]:80":                   private, // site-local
		"[ff05::1]:80":                   private,
		"[100::1]:80":                    private, // discard
		"[fe80::1%25eth0]:80":            never,
		"[fc00::1%eth0]:80":              private,
		"[fd00:ec2::254%1]:80":           never,
		"[::ffff:169.254.169.254%1]:80":  never,
		"[64:ff9b::100.100.100.200]:443": never,
	} {
		network := "tcp4"
		if strings.HasPrefix(address, "[") {
			network = "tcp6"
		}
		for _, block := range []bool{false, true} {
			err := Guard(block)(network, address, nil)
			refuse := want == never || want == private && block
			var blocked *BlockedError
			if (err != nil) != refuse || err != nil && !errors.As(err, &blocked) {
				t.Errorf("%s, block %v: %v, want %s", address, block, err, want)
				continue
			}
			if err != nil && (blocked.Always != (want == never) || blocked.Rule == "" || blocked.Addr == netip.Addr{}) {
				t.Errorf("%s, block %v: %+v", address, block, blocked)
			}
		}
	}
	for _, c := range [][2]string{{"udp4", "8.8.8.8:53"}, {"unix", "/run/x.sock"}, {"tcp4", "example.com:80"}, {"tcp4", ""}} {
		if Guard(false)(c[0], c[1], nil) == nil {
			t.Errorf("%v is allowed", c)
		}
	}
}

func TestBlockedErrorSaysWhatToDo(t *testing.T) {
	for address, want := range map[string][]string{
		"169.254.169.254:80": {"169.254.169.254", "link-local", "change the webhook's URL"},
		"168.63.129.16:80":   {"Azure", "168.63.129.16/32"},
		"10.1.2.3:80":        {"10.1.2.3", "10.0.0.0/8", "BlockPrivate"},
	} {
		err := Guard(true)("tcp4", address, nil)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v lacks %q", address, err, part)
			}
		}
	}
	err := Guard(true)("tcp6", "[fd12::1]:80", nil)
	if err == nil || !strings.Contains(err.Error(), "outside of the IPv6 Global Unicast range") {
		t.Errorf("%v", err)
	}
}

// sendWith sends one webhook by a dispatcher with this configuration.
func sendWith(t *testing.T, cfg Config, w *Webhook) Result {
	t.Helper()
	results := make(chan Result, 1)
	cfg.Report = func(r Result) { results <- r }
	d := New(cfg)
	defer d.Close()
	a := attempt("exec1", "")
	a.Webhook, a.Payload, a.Timeout = w, []byte(`{"a":1}`), 10*time.Second
	d.Assign([]*Attempt{a})
	return <-results
}

func TestOwnClientIsGuarded(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits.Add(1) }))
	defer server.Close()

	if r := sendWith(t, Config{}, &Webhook{URL: server.URL}); r.Outcome != Succeeded {
		t.Errorf("loopback, allowed: %+v", r)
	}
	r := sendWith(t, Config{BlockPrivate: true}, &Webhook{URL: server.URL + "/p?token=t"})
	if r.Outcome != Failed || !r.Permanent || !strings.Contains(r.Error, "127.0.0.0/8") || !strings.Contains(r.Error, "BlockPrivate") ||
		strings.Contains(r.Error, "token") || hits.Load() != 1 {
		t.Errorf("loopback, blocked: %+v", r)
	}
	for _, u := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/", "http://2852039166/",
		"http://[fe80::1%25lo]/", "http://168.63.129.16/", "http://[fd00:ec2::254]/latest",
	} {
		r := sendWith(t, Config{}, &Webhook{URL: u})
		if r.Outcome == Succeeded || r.HTTPStatus != 0 {
			t.Errorf("%s: %+v", u, r)
		}
		if numeric := strings.Contains(u, "0xa9") || strings.Contains(u, "2852"); !numeric && (!r.Permanent || !strings.Contains(r.Error, "refused")) {
			t.Errorf("%s: %+v", u, r)
		}
	}
}

func TestOwnClientUsesNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was used") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	if newTransport(false).Proxy != nil {
		t.Error("a proxy is set")
	}
	sendWith(t, Config{}, &Webhook{URL: "http://169.254.169.254/"})
}

func TestRedirectIntoMetadataIsRefused(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest?x=y", http.StatusTemporaryRedirect))
	defer server.Close()
	r := sendWith(t, Config{}, &Webhook{URL: server.URL, FollowRedirects: 5})
	if r.Outcome != Failed || !r.Permanent || !strings.Contains(r.Error, "link-local") || strings.Contains(r.Error, "x=y") {
		t.Errorf("%+v", r)
	}
}

// A name that resolves to something harmless when it is looked at and to the
// metadata service when it is connected to is refused at the connection.
func TestGuardHoldsAgainstRebinding(t *testing.T) {
	var hits, lookups atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())

	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, dns := net.Pipe()
		go answerDNS(dns, func() netip.Addr {
			if lookups.Add(1) == 1 {
				return netip.MustParseAddr("127.0.0.1")
			}
			return netip.MustParseAddr("169.254.169.254")
		})
		return client, nil
	}}
	transport := guardedTransport(&net.Dialer{Resolver: resolver, Control: Guard(false)})
	client := &http.Client{Transport: transport}
	hook := &Webhook{URL: "http://rebind.example:" + port + "/"}

	if r := sendWith(t, Config{Client: client}, hook); r.Outcome != Succeeded || hits.Load() != 1 {
		t.Fatalf("first: %+v", r)
	}
	transport.CloseIdleConnections()
	r := sendWith(t, Config{Client: client}, hook)
	if r.Outcome != Failed || !r.Permanent || !strings.Contains(r.Error, "169.254.169.254 is refused") || hits.Load() != 1 {
		t.Errorf("second: %+v", r)
	}
	if lookups.Load() < 2 {
		t.Errorf("%d lookups", lookups.Load())
	}
}

// answerDNS answers the A questions on a stream connection with what addr says,
// and all others with nothing.
func answerDNS(conn net.Conn, addr func() netip.Addr) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		end := 12
		for query[end] != 0 {
			end += int(query[end]) + 1
		}
		question := query[12 : end+5]
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		if binary.BigEndian.Uint16(query[end+1:]) == 1 {
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			reply = append(reply, addr().AsSlice()...)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
