package sim

import "slices"

// demands are the labels that jobs may ask a node for.
var demands = []string{"gpu", "ssd"}

// labels are those of a node, the same at each of its starts. Each demand is met by
// one of the founders at least, one of them meets both, and who joins later in the
// place of another meets all: nothing waits for ever.
func (w *world) labels(name string) map[string]string {
	r := random(w.seed, "labels")
	order := r.Perm(len(w.founded))
	out := map[string]string{"zone": string(rune('x' + random(w.seed, "zone", name).IntN(2)))}
	at := slices.Index(w.founded, name)
	for i, d := range demands {
		if at < 0 || order[at] == 0 || order[at]%len(demands) == i {
			out[d] = "yes"
		}
	}
	return out
}

// meets tells if a process has the labels that a plan asks for.
func (p *proc) meets(needs []string) bool {
	return !slices.ContainsFunc(needs, func(d string) bool { return p.labels[d] != "yes" })
}
