package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chronos-go/chronos"
)

// variables are all that the program reads of its environment.
var variables = []string{
	"POD_NAME",             // for example chronos-1: the StatefulSet, and this pod's ordinal
	"CHRONOS_REPLICAS",     // how many voters there are: the StatefulSet's replicas
	"CHRONOS_SERVICE",      // the headless service, by which pods have names
	"CHRONOS_CLUSTER_ID",   // two clusters that meet by mistake do not mix
	"CHRONOS_CLUSTER_PORT", // for the other nodes
	"CHRONOS_HTTP_PORT",    // for probes
	"CHRONOS_VOLUME",       // where the pod's volume is
	"CHRONOS_TLS",          // where the secret is: ca.crt, tls.crt, tls.key
}

type config struct {
	name, cluster, dir    string
	httpAddr, clusterAddr string
	peers                 []chronos.Peer
	tls                   files
}

// configOf reads the environment. Everything is required: a default that does not
// fit the manifests would only be found later.
func configOf(getenv func(string) string) (config, error) {
	env := map[string]string{}
	var errs []error
	for _, name := range variables {
		if env[name] = getenv(name); env[name] == "" {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return config{}, err
	}
	c := config{
		name: env["POD_NAME"], cluster: env["CHRONOS_CLUSTER_ID"],
		dir:      filepath.Join(env["CHRONOS_VOLUME"], "data"), // made by Chronos, for its user only; a volume's root is not
		httpAddr: ":" + env["CHRONOS_HTTP_PORT"], clusterAddr: ":" + env["CHRONOS_CLUSTER_PORT"],
		tls: files(env["CHRONOS_TLS"]),
	}
	n, err := strconv.Atoi(env["CHRONOS_REPLICAS"])
	if err != nil || n < 1 {
		return config{}, fmt.Errorf("CHRONOS_REPLICAS is %q, and not a number of pods", env["CHRONOS_REPLICAS"])
	}
	c.peers, err = peersOf(c.name, env["CHRONOS_SERVICE"], env["CHRONOS_CLUSTER_PORT"], n)
	return c, err
}

// peersOf are the pods of a StatefulSet of n, by their ordinals: a pod keeps its
// name and its volume for good, whatever its address is.
func peersOf(pod, service, port string, n int) ([]chronos.Peer, error) {
	at := strings.LastIndexByte(pod, '-')
	if at < 0 {
		return nil, fmt.Errorf("POD_NAME is %q, and not that of a StatefulSet's pod", pod)
	}
	ordinal, err := strconv.Atoi(pod[at+1:])
	if err != nil || ordinal < 0 {
		return nil, fmt.Errorf("POD_NAME is %q, which does not end in an ordinal", pod)
	}
	if ordinal >= n {
		return nil, fmt.Errorf("POD_NAME is %q, and CHRONOS_REPLICAS only %d: set it to the StatefulSet's replicas", pod, n)
	}
	var peers []chronos.Peer
	for i := range n {
		name := fmt.Sprint(pod[:at], "-", i)
		peers = append(peers, chronos.Peer{Node: name, Addr: fmt.Sprintf("%s.%s:%s", name, service, port)})
	}
	return peers, nil
}
