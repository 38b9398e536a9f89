package jobfile

// Before has a function called when a plan was made, before jobs are put and before they
// are removed: for what others do in that moment.
func Before(o ReconcileOptions, f func(next Action)) ReconcileOptions {
	o.before = f
	return o
}
