package dispatch

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// BlockedError is why a webhook was not sent: the address is one that webhooks
// must not reach. It is permanent.
type BlockedError struct {
	Addr   netip.Addr
	Rule   string // what the address is
	Always bool   // no switch allows it
}

// Error says which rule and what to do.
func (e *BlockedError) Error() string {
	remedy := "private addresses are blocked on this node (BlockPrivate); " +
		"use a public address, or switch the block off if this target is meant"
	if e.Always {
		remedy = "webhooks never reach link-local and cloud-metadata addresses; change the webhook's URL"
	}
	return fmt.Sprintf("address %s is refused: %s; %s", e.Addr, e.Rule, remedy)
}

// Guard returns the address check of this package's own client, for the Control
// field of a net.Dialer. It sees the address that is about to be connected to,
// after resolution, and so it holds against DNS rebinding and for every hop of a
// redirect. Link-local addresses and cloud metadata services are refused always;
// blockPrivate adds loopback, private and all other special-purpose ranges.
func Guard(blockPrivate bool) func(network, address string, c syscall.RawConn) error {
	var private *ssrf.Guardian
	if blockPrivate {
		private = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")))
	}
	metadata := metadataRules()
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("network %q is refused: webhooks use TCP", network)
		}
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q is refused: %w", address, err)
		}
		addr := target.Addr().Unmap().WithZone("")
		// What an IPv6 address carries is reached through a gateway: it counts, too.
		for _, ip := range append(embeddedIPv4(addr), addr) {
			if rule := alwaysRefused(ip, metadata); rule != "" {
				return &BlockedError{Addr: addr, Rule: rule, Always: true}
			}
		}
		if private == nil {
			return nil
		}
		return refusePrivate(private, addr)
	}
}

// refusePrivate checks an address against the special-purpose ranges. One behind
// the well-known NAT64 prefix is judged by the IPv4 address it stands for, for a
// network that has IPv6 only reaches the public IPv4 hosts that way.
func refusePrivate(g *ssrf.Guardian, addr netip.Addr) error {
	ip := addr
	if ssrf.IPv6NAT64Prefix.Contains(addr) {
		ip = embeddedIPv4(addr)[0]
	}
	err := g.SafeAddr(ip)
	if err == nil {
		return nil
	}
	rule := err.Error()
	if _, after, ok := strings.Cut(rule, "destination "); ok {
		rule = strings.TrimPrefix(after, "as ")
	}
	return &BlockedError{Addr: addr, Rule: "private or special-purpose range " + strings.Trim(rule, "()")}
}

// rule is a range and what it is.
type rule struct {
	prefix netip.Prefix
	name   string
}

// metadataRules lists where providers answer with credentials, beyond the
// link-local ranges.
func metadataRules() []rule {
	p := netip.MustParsePrefix
	return []rule{
		{p("168.63.129.16/32"), "Azure platform address"},
		{p("100.100.100.200/32"), "Alibaba Cloud metadata service"},
		{p("192.0.0.192/32"), "Oracle Cloud metadata service"},
		{p("fd00:ec2::/32"), "AWS metadata service"},
		{p("fd20:ce::/32"), "Google Cloud metadata service"},
		{p("fd00:42::42/128"), "Scaleway metadata service"},
		{p("fd00:a9fe:a9fe::/48"), "Linode metadata service"},
	}
}

// alwaysRefused names the rule by which no webhook reaches ip; empty if none.
func alwaysRefused(ip netip.Addr, metadata []rule) string {
	if ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast() {
		return "link-local address"
	}
	for _, r := range metadata {
		if r.prefix.Contains(ip) {
			return r.name + " (" + r.prefix.String() + ")"
		}
	}
	return ""
}

// embeddedIPv4 returns the IPv4 addresses an IPv6 address may stand for: NAT64
// (RFC 6052, and RFC 8215 in its two usual forms), SIIT (RFC 2765), 6to4, Teredo,
// and the old IPv4-compatible form.
func embeddedIPv4(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	last := netip.AddrFrom4([4]byte(b[12:16]))
	in := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(addr) }
	switch {
	case in("64:ff9b::/96"), in("::ffff:0:0:0/96"), in("::/96"):
		return []netip.Addr{last}
	case in("64:ff9b:1::/48"):
		return []netip.Addr{last, netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]})}
	case in("2002::/16"):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case in("2001::/32"):
		return []netip.Addr{netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})}
	}
	return nil
}
