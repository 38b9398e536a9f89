package schedule

import "strings"

// maxNot bounds the expressions that may be left out, because there is a table
// of all their combinations.
const maxNot = 6

// AsNot returns the expression of s as an item of Spec.Not.
func (s Spec) AsNot() string {
	if s.AndDays {
		return "& " + s.Expr
	}
	return s.Expr
}

// cutAnd takes off the mark of an expression whose day fields must both match.
func cutAnd(item string) (expr string, and bool) {
	item, _ = trim(item, 0)
	return strings.CutPrefix(item, "& ")
}

// compileNot compiles the expressions that are left out.
func compileNot(s Spec) (plans []*plan, err error) {
	if s.Not == "" {
		return nil, nil
	}
	items := strings.Split(s.Not, "+")
	if len(items) > maxNot {
		return nil, &Error{"not", "leaves out more than 6 expressions", "join some of them: lists and ranges in one expression", -1, ""}
	}
	for _, item := range items {
		expr, and := cutAnd(item)
		x, err := parseExpression(expr, s.Seed)
		if err != nil {
			return nil, in(err, "not: ", expr)
		}
		p, err := compilePlan(&x, and)
		if err != nil {
			return nil, in(err, "not: ", expr)
		}
		if !x.second {
			p.seconds = 1<<60 - 1 // the whole minute
		}
		plans = append(plans, p)
	}
	return plans, nil
}
