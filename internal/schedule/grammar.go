package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// expression is a cron expression as the grammar has read it: one list of
// parts per field, in the order second to year.
type expression struct {
	lists [fieldCount][]part
	star  [fieldCount]bool // the field starts with * or ?
}

// part is one element of a list, checked and written with numbers only, so that
// gronx reads it in one way.
type part struct {
	text  string
	shape bool // its days depend on the shape of the month: L, W, #
}

// token is a piece of the expression and where it stands.
type token struct {
	text string
	pos  int
}

// macros returns what the @ words stand for.
func macros() map[string]string {
	return map[string]string{
		"@hourly":   "0 * * * *",
		"@daily":    "0 0 * * *",
		"@midnight": "0 0 * * *",
		"@weekly":   "0 0 * * 0",
		"@monthly":  "0 0 1 * *",
		"@yearly":   "0 0 1 1 *",
		"@annually": "0 0 1 1 *",
	}
}

// parseExpression reads a cron expression by the grammar in the package
// documentation.
func parseExpression(text string) (expression, error) {
	var x expression
	if len(text) > MaxExpr {
		return x, &Error{"expression", fmt.Sprintf("is longer than %d bytes", MaxExpr), "split the job in two, or write lists as ranges", MaxExpr}
	}
	tokens, err := splitFields(text)
	if err != nil {
		return x, err
	}
	for f := range fieldCount {
		list := tokens[f]
		x.star[f] = list.text[0] == '*' || list.text[0] == '?'
		if x.lists[f], err = f.parse(list); err != nil {
			return x, err
		}
	}
	return x, nil
}

// splitFields finds the seven fields, with those left out filled in.
func splitFields(text string) ([fieldCount]token, error) {
	var fields [fieldCount]token
	tokens := words(text)
	if len(tokens) > 0 && (strings.HasPrefix(tokens[0].text, "@") || strings.Contains(tokens[0].text, "=")) {
		macro, err := expandMacro(tokens)
		if err != nil {
			return fields, err
		}
		tokens = words(macro)
	}
	first := second
	switch n := len(tokens); {
	case n < 5 || n > 7:
		return fields, &Error{"expression", fmt.Sprintf("has %d fields", n), "write 5 (minute hour day-of-month month day-of-week), 6 or 7 fields", -1}
	case n == 5 || n == 6 && fourDigits(tokens[5].text):
		first = minute
	}
	fields[second].text, fields[year].text = "0", "*"
	copy(fields[first:], tokens)
	return fields, nil
}

// words splits at blanks.
func words(text string) []token {
	var tokens []token
	for rest, pos := trim(text, 0); rest != ""; {
		word, after := cutWord(rest)
		tokens = append(tokens, token{word, pos})
		rest, pos = trim(after, pos+len(word))
	}
	return tokens
}

func expandMacro(tokens []token) (string, error) {
	word := tokens[0]
	if _, zone := cutZone(word.text); zone {
		return "", &Error{"expression", "holds a time zone", "set Spec.Zone, or give the whole line to Parse", word.pos}
	}
	if macro, ok := macros()[strings.ToLower(word.text)]; ok && len(tokens) == 1 {
		return macro, nil
	} else if ok {
		return "", &Error{"expression", fmt.Sprintf("goes on after %q", word.text), "leave the rest out", tokens[1].pos}
	}
	hint := "use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually"
	switch strings.ToLower(word.text) {
	case "@every", "@after", "@at":
		hint = "set Spec.Kind, or give the whole line to Parse"
	case "@reboot":
		hint = "a cluster does not boot: trigger the job when the program starts"
	}
	return "", &Error{"expression", fmt.Sprintf("%q is no macro", word.text), hint, word.pos}
}

// fourDigits is how gronx tells a year from a day of the week.
func fourDigits(text string) bool {
	run := 0
	for i := range len(text) {
		if !digit(text[i]) {
			run = 0
		} else if run++; run == 4 {
			return true
		}
	}
	return false
}

// parse reads one field.
func (f field) parse(list token) ([]part, error) {
	if list.text == "?" {
		return []part{{text: "*"}}, nil
	}
	var parts []part
	pos := list.pos
	for item := range strings.SplitSeq(list.text, ",") {
		p, err := f.parsePart(token{item, pos})
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		pos += len(item) + 1
	}
	return parts, nil
}

func (f field) parsePart(t token) (part, error) {
	if t.text == "" {
		return part{}, f.wrong(t, "a part of the list is empty", "remove the extra comma")
	}
	if p, ok, err := f.parseDay(t); ok || err != nil {
		return p, err
	}
	if hint := f.unsupported(strings.ToUpper(t.text)); hint != "" {
		return part{}, f.wrong(t, fmt.Sprintf("%q is not supported", t.text), hint)
	}
	base, stepText, stepped := strings.Cut(t.text, "/")
	text, err := f.parseRange(token{base, t.pos})
	if err != nil || !stepped {
		return part{text: text}, err
	}
	step, ok := number(stepText)
	if !ok || step < 1 || step > f.span() {
		return part{}, f.wrong(token{stepText, t.pos + len(base) + 1}, fmt.Sprintf("step %q is not between 1 and %d", stepText, f.span()),
			"an interval that does not fit into the field is @every")
	}
	return part{text: text + "/" + strconv.Itoa(step)}, nil
}

// parseRange reads *, a value or a-b.
func (f field) parseRange(t token) (string, error) {
	if t.text == "*" {
		return "*", nil
	}
	low, high, ranged := strings.Cut(t.text, "-")
	from, err := f.value(token{low, t.pos})
	if err != nil || !ranged {
		return strconv.Itoa(from), err
	}
	to, err := f.value(token{high, t.pos + len(low) + 1})
	if err != nil {
		return "", err
	}
	if f == weekday && from == 7 && to < 7 {
		from = 0
	}
	if from > to {
		return "", f.wrong(t, fmt.Sprintf("the range %q runs backwards", t.text), f.unwrap(from, to))
	}
	return fmt.Sprintf("%d-%d", from, to), nil
}

// unwrap says how to write a range that wraps around the end of the field.
func (f field) unwrap(from, to int) string {
	if f == weekday && to == 0 {
		return fmt.Sprintf("write %d-7", from)
	}
	return fmt.Sprintf("write %d-%d,%d-%d", from, f.spec().max-f.alias(), f.spec().min, to)
}

// value reads a number or a name.
func (f field) value(t token) (int, error) {
	s := f.spec()
	for i, name := range s.names {
		if strings.EqualFold(name, t.text) {
			return s.min + i, nil
		}
	}
	n, ok := number(t.text)
	if !ok {
		hint := fmt.Sprintf("write a number from %d to %d", s.min, s.max)
		if len(s.names) > 0 {
			hint += fmt.Sprintf(" or a name from %s to %s", s.names[0], s.names[len(s.names)-1])
		}
		return 0, f.wrong(t, fmt.Sprintf("%q is no value of this field", t.text), hint)
	}
	if n < s.min || n > s.max {
		return 0, f.wrong(t, fmt.Sprintf("%s is not between %d and %d", t.text, s.min, s.max), "")
	}
	return n, nil
}

// parseDay reads the parts that only the day fields have: L, 15W, 5L, FRI#2.
func (f field) parseDay(t token) (part, bool, error) {
	upper := strings.ToUpper(t.text)
	switch f {
	case monthday:
		if upper == "L" {
			return part{"L", true}, true, nil
		}
		if day, ok := strings.CutSuffix(upper, "W"); ok && day != "" && digit(day[0]) {
			n, err := f.value(token{day, t.pos})
			return part{strconv.Itoa(n) + "W", true}, true, err
		}
	case weekday:
		if day, ok := strings.CutSuffix(upper, "L"); ok && day != "" {
			n, err := f.value(token{day, t.pos})
			return part{strconv.Itoa(n) + "L", true}, true, err
		}
		if day, nth, ok := strings.Cut(upper, "#"); ok {
			n, err := f.value(token{day, t.pos})
			if i, isNumber := number(nth); err == nil && (!isNumber || i < 1 || i > 5) {
				err = f.wrong(token{nth, t.pos + len(day) + 1}, fmt.Sprintf("week %q is not between 1 and 5", nth), "write FRI#2 for the second Friday")
			}
			return part{strconv.Itoa(n) + "#" + strings.TrimLeft(nth, "0"), true}, true, err
		}
	}
	return part{}, false, nil
}

// unsupported returns a hint for what other crons know and this one does not.
func (f field) unsupported(upper string) string {
	switch {
	case upper[0] == 'H' && (len(upper) == 1 || upper[1] == '/' || upper[1] == '('):
		return "choose a value, or spread jobs with jitter"
	case upper == "?" || strings.HasPrefix(upper, "?/"):
		return "? stands alone; write * in lists and steps"
	case f == monthday && (upper == "LW" || upper == "WL"):
		return "for the last weekday of the month write 5L in day-of-week (last Friday), or L for the last day"
	case f == monthday && strings.HasPrefix(upper, "L-"):
		return "count from the start of the month, or write L for the last day"
	case f == weekday && upper == "L":
		return "write SAT for every Saturday, or SATL for the last one of the month"
	}
	return ""
}

func (f field) wrong(t token, reason, hint string) error {
	return &Error{f.spec().name, reason, hint, t.pos}
}

// number reads one to four digits.
func number(text string) (int, bool) {
	if len(text) == 0 || len(text) > 4 {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		if !digit(text[i]) {
			return 0, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n, true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
