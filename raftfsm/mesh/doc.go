// Package mesh connects the nodes of a cluster over one port each.
//
// Every connection begins with a hello: which cluster, which node, what for.
// The listening side answers with its own name or with a refusal, so that two
// clusters never mix, and a node that is reached under another one's address is
// found out. Identity is the name of the node; addresses are where it was last
// heard of, and may change with every start.
//
// The hello tells the epoch, too: how often the cluster was recovered from the
// loss of its majority. Who was left behind by a recovery is refused, whichever
// side calls.
//
// The hello is no authentication. Who must not take part has to be kept out by
// Listener and Dial: mutual TLS, a private network.
//
// A stranger can hold one of a bounded number of places for a bounded time, and
// is read a bounded number of bytes; then the connection is closed. Who has said
// its hello can have a bounded number of connections, and all together, too.
package mesh
