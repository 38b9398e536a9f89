package schedule

import "slices"

// Hashed tells if an H in the expressions depends on the job.
func Hashed(specs []Spec) bool { return slices.ContainsFunc(specs, Spec.hashed) }

// For returns the Specs as they are for a job: where an H has no seed yet, the
// job's ID is its seed.
func For(job string, specs []Spec) []Spec {
	out := slices.Clone(specs)
	for i := range out {
		if out[i].hashed() {
			out[i].Seed = job
		}
	}
	return out
}

func (s Spec) hashed() bool {
	if s.Kind != KindCron || s.Seed != "" {
		return false
	}
	for _, word := range append(words(s.Expr), words(s.Not)...) {
		if hashes(word.text) {
			return true
		}
	}
	return false
}
