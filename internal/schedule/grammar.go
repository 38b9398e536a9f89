package schedule

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// expression is a cron expression as the grammar has read it: one list of
// parts per field, in the order second to year.
type expression struct {
	fields [fieldCount]token
	lists  [fieldCount][]part
	star   [fieldCount]bool // the field starts with *, ? or H/
	second bool             // it has a seconds field
}

// part is one element of a list: either written with numbers only, so that
// gronx reads it in one way, or days that depend on the shape of the month.
type part struct {
	text  string
	shape monthDay
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

// fixed tells a job at fixed times from a wildcard job, as Debian's cron does.
func (x *expression) fixed() bool { return !x.star[minute] && !x.star[hour] }

// parseExpression reads a cron expression by the grammar in the package
// documentation. H is taken from the hash of the seed.
func parseExpression(text, seed string) (expression, error) {
	var x expression
	if len(text) > MaxExpr {
		return x, &Error{"expression", fmt.Sprintf("is longer than %d bytes", MaxExpr), "split the job in two, or write lists as ranges", MaxExpr, ""}
	}
	var err error
	if x.fields, x.second, err = splitFields(text); err != nil {
		return x, err
	}
	for f := range fieldCount {
		list := x.fields[f]
		x.star[f] = strings.IndexByte("*?", list.text[0]) >= 0 || hasLetter(list.text, 'H') && strings.HasPrefix(list.text[1:], "/")
		if x.lists[f], err = f.parse(list, seed); err != nil {
			return x, err
		}
	}
	return x, nil
}

// hashes tells if a part of the list is taken from the hash.
func hashes(list string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if hasLetter(item, 'H') {
			return true
		}
	}
	return false
}

// hasLetter tells if text begins with an upper-case letter or its lower-case one.
func hasLetter(text string, letter byte) bool { return text != "" && text[0]&^0x20 == letter }

// cutLetter cuts such a letter off the end.
func cutLetter(text string, letter byte) (string, bool) {
	if n := len(text) - 1; n >= 0 && text[n]&^0x20 == letter {
		return text[:n], true
	}
	return text, false
}

// splitFields finds the seven fields, with those left out filled in, and tells
// if there are seconds among them.
func splitFields(text string) (fields [fieldCount]token, seconds bool, err error) {
	tokens := words(text)
	for _, t := range tokens {
		if _, zone := cutZone(t.text); zone {
			return fields, false, &Error{"expression", "holds a time zone", "CRON_TZ=Europe/Berlin stands in front of the expression, once", t.pos, ""}
		}
	}
	if len(tokens) > 0 && strings.HasPrefix(tokens[0].text, "@") {
		macro, err := expandMacro(tokens)
		if err != nil {
			return fields, false, err
		}
		tokens = words(macro)
	}
	first := second
	switch n := len(tokens); {
	case n < 5 || n > 7:
		return fields, false, &Error{"expression", "has " + plural(n, "field"),
			"write 5 (minute hour day-of-month month day-of-week), 6 or 7 fields, @daily or another macro, or @every 5m", -1, ""}
	case n == 5 || n == 6 && fourDigits(tokens[5].text):
		first = minute
	}
	fields[second].text, fields[year].text = "0", "*"
	copy(fields[first:], tokens)
	return fields, first == second, nil
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
	if macro, ok := macros()[strings.ToLower(word.text)]; ok && len(tokens) == 1 {
		return macro, nil
	} else if ok {
		return "", &Error{"expression", fmt.Sprintf("goes on after %q", word.text), "leave the rest out", tokens[1].pos, ""}
	}
	hint := "use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually, or @every 5m, @after 5m, @at 2026-11-23T06:00:00Z"
	switch strings.ToLower(word.text) {
	case "@every", "@after", "@at":
		hint = "it is a schedule of its own, not a cron expression"
	case "@reboot":
		hint = "a cluster does not boot: trigger the job when the program starts"
	}
	return "", &Error{"expression", fmt.Sprintf("%q is no macro", word.text), hint, word.pos, ""}
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
func (f field) parse(list token, seed string) ([]part, error) {
	if list.text == "?" {
		return []part{{text: "*"}}, nil
	}
	var parts []part
	pos := list.pos
	for item := range strings.SplitSeq(list.text, ",") {
		more, err := f.parsePart(token{item, pos}, seed)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
		pos += len(item) + 1
	}
	return parts, nil
}

func (f field) parsePart(t token, seed string) ([]part, error) {
	if t.text == "" {
		return nil, f.wrong(t, "a part of the list is empty", "remove the extra comma")
	}
	if day, ok, err := f.parseDay(t); ok || err != nil {
		return []part{{shape: day}}, err
	}
	if hint := f.unsupported(t.text); hint != "" {
		return nil, f.wrong(t, fmt.Sprintf("%q is not supported", t.text), hint)
	}
	base, stepText, stepped := strings.Cut(t.text, "/")
	from, to, err := f.parseRange(token{base, t.pos}, stepped)
	if err != nil {
		return nil, err
	}
	step, ok := 1, true
	if stepped {
		step, ok = number(stepText)
	}
	if !ok || step < 1 || step > f.span() {
		return nil, f.wrong(token{stepText, t.pos + len(base) + 1}, fmt.Sprintf("step %q is not between 1 and %d", stepText, f.span()),
			"an interval that does not fit into the field is @every")
	}
	if base == "*" {
		return []part{{text: strings.TrimSuffix("*/"+strconv.Itoa(step), "/1")}}, nil
	}
	if hasLetter(base, 'H') {
		return f.hashed(t, from, to, step, stepped, seed)
	}
	return f.values(from, to, step), nil
}

// parseRange reads *, a value, a-b, H or H(a-b). A value with a step runs to the
// end of the field.
func (f field) parseRange(t token, stepped bool) (from, to int, err error) {
	s := f.spec()
	if t.text == "*" {
		return s.min, s.max, nil
	}
	if hasLetter(t.text, 'H') {
		inner := t.text[1:]
		switch n := len(inner); {
		case f == year:
			return 0, 0, f.wrong(t, "H has no meaning for years", "write the years, or * for every year")
		case n == 0 && f == monthday:
			return s.min, 28, nil // the days that every month has
		case n == 0:
			return s.min, s.max - f.alias(), nil
		case n < 5 || inner[0] != '(' || inner[n-1] != ')' || !strings.Contains(inner, "-"):
			return 0, 0, f.wrong(t, fmt.Sprintf("%q is no hash", t.text), fmt.Sprintf("write H, H/5 or H(%d-%d)", s.min, s.max-f.alias()))
		}
		t = token{inner[1 : len(inner)-1], t.pos + 2}
	}
	low, high, ranged := strings.Cut(t.text, "-")
	if from, err = f.value(token{low, t.pos}); err != nil {
		return 0, 0, err
	}
	if !ranged {
		if to = from; stepped {
			to = max(from, s.max-f.alias())
		}
		return from, to, nil
	}
	if to, err = f.value(token{high, t.pos + len(low) + 1}); err != nil {
		return 0, 0, err
	}
	if f == weekday && from == 7 && to < 7 {
		from = 0
	}
	if f == year && from > to {
		return 0, 0, f.wrong(t, fmt.Sprintf("the range %q runs backwards", t.text), "years do not come round again: write the earlier one first")
	}
	return from, to, nil
}

// hashed picks the value that H stands for or, if it has a step, the values that
// lie whole steps from one of the first step values.
func (f field) hashed(t token, from, to, step int, stepped bool, seed string) ([]part, error) {
	if f == weekday && to == 7 {
		if to = 0; from == 0 {
			to = 6
		}
		from %= 7
	}
	size := to - from + 1
	if from > to {
		size += f.span()
	}
	choices := size
	if stepped {
		choices = step
	}
	if choices > size {
		return nil, f.wrong(t, fmt.Sprintf("step %d is longer than the range of %d", step, size), "choose a shorter step, or leave it out")
	}
	pick, _ := bits.Mul64(hash(seed, int64(f)), uint64(choices))
	first := f.spec().min + (from-f.spec().min+int(pick))%f.span()
	if !stepped {
		to = first
	}
	return f.values(first, to, step), nil
}

// values writes from, from+step and so on up to to for gronx: in two parts if
// they go round the end of the field.
func (f field) values(from, to, step int) []part {
	if from <= to {
		return []part{{text: spell(from, to, step)}}
	}
	s := f.spec()
	top := s.max - f.alias()
	parts := []part{{text: spell(from, top, step)}}
	if next := from + step*((top-from)/step+1) - f.span(); next <= to {
		parts = append(parts, part{text: spell(next, to, step)})
	}
	return parts
}

func spell(from, to, step int) string {
	switch {
	case from == to:
		return strconv.Itoa(from)
	case step == 1:
		return fmt.Sprintf("%d-%d", from, to)
	}
	return fmt.Sprintf("%d-%d/%d", from, to, step)
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
	switch {
	case t.text == "":
		return 0, f.wrong(t, "a value is missing", "write a range as 1-5 and a step as */5, without blanks")
	case !ok:
		return 0, f.wrong(t, fmt.Sprintf("%.40q is no value of this field", t.text), f.valueHint(t.text))
	}
	if n < s.min || n > s.max {
		return 0, f.wrong(t, fmt.Sprintf("%s is not between %d and %d", t.text, s.min, s.max),
			"the order of the fields is (second) minute hour day-of-month month day-of-week (year)")
	}
	return n, nil
}

// valueHint says what a value looks like, to somebody who wrote something else.
func (f field) valueHint(text string) string {
	s := f.spec()
	if low, high, ok := strings.Cut(text, ".."); ok {
		return "a range is written " + low + "-" + high
	}
	for _, name := range s.names {
		if len(text) > 3 && strings.EqualFold(text[:3], name) {
			return "names have three letters: write " + name
		}
	}
	hint := fmt.Sprintf("write a number from %d to %d", s.min, s.max)
	if len(s.names) > 0 {
		hint += fmt.Sprintf(" or a name from %s to %s", s.names[0], s.names[len(s.names)-1])
	}
	return hint
}

// parseDay reads the parts that only the day fields have, and that depend on the
// month: L, L-3, LW, L-3W, 15W; 5L, FRI#2.
func (f field) parseDay(t token) (day monthDay, ok bool, err error) {
	switch f {
	case monthday:
		return f.parseMonthDay(t)
	case weekday:
		if name, ok := cutLetter(t.text, 'L'); ok && name != "" {
			n, err := f.value(token{name, t.pos})
			return monthDay{kind: lastWeekday, n: n % 7}, true, err
		}
		if name, nth, ok := strings.Cut(t.text, "#"); ok {
			n, err := f.value(token{name, t.pos})
			week, isNumber := number(nth)
			if err == nil && (!isNumber || week < 1 || week > 5) {
				err = f.wrong(token{nth, t.pos + len(name) + 1}, fmt.Sprintf("week %q is not between 1 and 5", nth), "write FRI#2 for the second Friday")
			}
			return monthDay{kind: nthWeekday, n: n % 7, week: week}, true, err
		}
	}
	return monthDay{}, false, nil
}

func (f field) parseMonthDay(t token) (day monthDay, ok bool, err error) {
	text, workday := cutLetter(t.text, 'W')
	switch {
	case hasLetter(text, 'L') && (text[1:] == "" || text[1] == '-'):
		day = monthDay{kind: fromEnd}
		if workday {
			day.kind = workdayFromEnd
		}
		if text[1:] == "" {
			return day, true, nil
		}
		n, isNumber := number(text[2:])
		if !isNumber || n < 1 || n > 30 {
			return day, true, f.wrong(token{text[2:], t.pos + 2}, fmt.Sprintf("%q is not between 1 and 30", text[2:]), "write L-3 for three days before the last one")
		}
		day.n = n
		return day, true, nil
	case workday && text != "" && digit(text[0]):
		n, err := f.value(token{text, t.pos})
		return monthDay{kind: nearestWorkday, n: n}, true, err
	}
	return monthDay{}, false, nil
}

// unsupported returns a hint for what other crons know and this one does not.
func (f field) unsupported(text string) string {
	switch {
	case text == "?" || strings.HasPrefix(text, "?/"):
		return "? stands alone; write * in lists and steps"
	case f == monthday && strings.EqualFold(text, "WL"):
		return "write LW for the last working day of the month"
	case f == weekday && strings.EqualFold(text, "L"):
		return "write SAT for every Saturday, or SATL for the last one of the month"
	}
	return ""
}

func (f field) wrong(t token, reason, hint string) error {
	return &Error{f.spec().name, reason, hint, t.pos, ""}
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
