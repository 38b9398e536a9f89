package dispatch

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// FuzzGuard: however an address is written, none that is inside by what the
// standard library knows of it is let through, and what is let through is an address.
func FuzzGuard(f *testing.F) {
	for _, address := range []string{
		"127.0.0.1:80", "[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:1", "[fe80::1%eth0]:80", "[2002:7f00:1::]:80", "[::]:0",
		"[::ffff:0:10.0.0.1]:80", "[2001:0:1:2:3:4:5601:5601]:80", "8.8.8.8:53", "[2606:2800:220:1::1]:443", "0x7f.1:80", "[::1%]:80",
	} {
		f.Add(address)
	}
	closed, open := Guard(true), Guard(false)
	f.Fuzz(func(t *testing.T, address string) {
		network := "tcp4"
		if len(address) > 0 && address[0] == '[' {
			network = "tcp6"
		}
		blocked, always := closed(network, address, nil), open(network, address, nil)
		if always != nil && blocked == nil {
			t.Fatalf("%q is refused always, and not with private ones blocked", address)
		}
		if blocked != nil {
			return
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatalf("%q passed", address)
		}
		addr, err := netip.ParseAddr(host)
		if err != nil {
			t.Fatalf("%q passed", address)
		}
		for _, ip := range append(embeddedIPv4(addr), addr.Unmap().WithZone("")) {
			if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
				t.Fatalf("%q passed, and stands for %s", address, ip)
			}
		}
	})
}

// FuzzRetryAfter: what an answer asks for is a wait within bounds, or none.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "120", "-1", "99999999999999999999", "Sat, 01 Jan 2000 00:02:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", " 7 ", "1e3"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := retryAfter(value, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
		if ok != (wait > 0) || wait > maxRetryAfter {
			t.Fatalf("%q asks for %v, %v", value, wait, ok)
		}
	})
}
