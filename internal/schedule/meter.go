package schedule

// maxSteps is what a search may cost: eight steps for every day of the horizon,
// however many due times are moved or left out. Tests hold every search to it.
const maxSteps = 8 * lastDay

// meter counts the steps of searches, if it has been given something to count
// in.
type meter struct{ count *int64 }

func (m meter) step() {
	if m.count != nil {
		*m.count++
	}
}
