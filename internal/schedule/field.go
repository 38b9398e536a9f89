package schedule

// field is one of the seven fields; its value is the position by which gronx
// knows it.
type field int

const (
	second field = iota
	minute
	hour
	monthday
	month
	weekday
	year
	fieldCount
)

const (
	firstYear = 1970
	lastYear  = 2262
)

// fieldSpec holds the name of a field, its bounds and the names of its values,
// which count from min.
type fieldSpec struct {
	name     string
	min, max int
	names    []string
}

func (f field) spec() fieldSpec {
	switch f {
	case second:
		return fieldSpec{"second", 0, 59, nil}
	case minute:
		return fieldSpec{"minute", 0, 59, nil}
	case hour:
		return fieldSpec{"hour", 0, 23, nil}
	case monthday:
		return fieldSpec{"day-of-month", 1, 31, nil}
	case month:
		return fieldSpec{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	case weekday:
		return fieldSpec{"day-of-week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	}
	return fieldSpec{"year", firstYear, lastYear, nil}
}

// alias is the number of values at the top of the field that repeat others: 7 is
// Sunday, as 0 is.
func (f field) alias() int {
	if f == weekday {
		return 1
	}
	return 0
}

// span is the number of values.
func (f field) span() int {
	s := f.spec()
	return s.max - s.min + 1 - f.alias()
}
