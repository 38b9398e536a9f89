package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// option is one name=value of the text form. write returns "" for the default.
type option struct {
	name  string
	read  func(s *Spec, value string) error
	write func(s Spec) string
}

// options returns the options in the order in which String writes them.
func options() []option {
	return []option{
		{"anchor", func(s *Spec, v string) error { return readTime(&s.Anchor, v) }, writeAnchor},
		{"from", func(s *Spec, v string) error { return readTime(&s.From, v) }, func(s Spec) string { return writeTime(s.From) }},
		{"until", func(s *Spec, v string) error { return readTime(&s.Until, v) }, func(s Spec) string { return writeTime(s.Until) }},
		{"jitter", func(s *Spec, v string) error { return readDuration(&s.Jitter, v) }, writeJitter},
		{"gap", readGap, writeGap},
		{"repeat", readRepeat, writeRepeat},
		{"days", readDays, writeDays},
		{"roll", readRoll, writeRoll},
		{"holidays", readText(func(s *Spec) *string { return &s.Holidays }), func(s Spec) string { return s.Holidays }},
		{"except", readText(func(s *Spec) *string { return &s.Except }), func(s Spec) string { return s.Except }},
		{"not", readText(func(s *Spec) *string { return &s.Not }), func(s Spec) string { return s.Not }},
		{"seed", readText(func(s *Spec) *string { return &s.Seed }), func(s Spec) string { return s.Seed }},
	}
}

func optionNames() string {
	var names []string
	for _, o := range options() {
		names = append(names, o.name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// Parse reads the text form described in the package documentation. It checks
// the syntax of the form, not the schedule: Compile does that.
func Parse(text string) ([]Spec, error) {
	specs, err := parseUnion(text)
	return specs, in(err, "", text)
}

func parseUnion(text string) ([]Spec, error) {
	if len(text) > MaxText {
		return nil, &Error{"text", fmt.Sprintf("is longer than %d bytes", MaxText), "shorten the schedule", MaxText, ""}
	}
	for i := range len(text) {
		if c := text[i]; c != '\t' && (c < ' ' || c > '~') {
			r, _ := utf8.DecodeRuneInString(text[i:])
			return nil, &Error{"text", fmt.Sprintf("holds %q", r), "a schedule is one line of ASCII", i, ""}
		}
	}
	var specs []Spec
	pos := 0
	for rule := range strings.SplitSeq(text, "|") {
		s, err := parseRule(rule, pos)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
		pos += len(rule) + 1
	}
	return specs, checkUnion(specs)
}

// parseRule reads one schedule of a union; it stands at pos in the text.
func parseRule(text string, pos int) (Spec, error) {
	body, rest, more := strings.Cut(text, ";")
	s, err := parseBody(body, pos)
	if err != nil {
		return Spec{}, err
	}
	seen := map[string]bool{}
	for pos += len(body) + 1; more; {
		var item string
		item, rest, more = strings.Cut(rest, ";")
		if err := parseOption(&s, item, pos, seen); err != nil {
			return Spec{}, err
		}
		pos += len(item) + 1
	}
	return s.normal(), nil
}

// parseBody reads the zone and the schedule proper, all up to the first option.
func parseBody(text string, pos int) (Spec, error) {
	var s Spec
	body, pos := trim(text, pos)
	word, rest := cutWord(body)
	if zone, ok := cutZone(word); ok {
		if zone == "" {
			return s, &Error{"zone", "is empty", "write CRON_TZ=Europe/Berlin, or leave it out for UTC", pos, ""}
		}
		s.Zone = zone
		body, pos = trim(rest, pos+len(word))
		word, rest = cutWord(body)
		if _, twice := cutZone(word); twice {
			return s, &Error{"zone", "is given twice", "keep one", pos, ""}
		}
	}
	argument, at := trim(rest, pos+len(word))
	var err error
	switch strings.ToLower(word) {
	case "":
		err = &Error{"schedule", "is empty", "write a cron expression, @every, @after or @at", pos, ""}
	case "@every":
		s.Kind = KindEvery
		err = located(readDuration(&s.Period, argument), "period", at)
	case "@after":
		s.Kind = KindAfter
		err = located(readDuration(&s.Period, argument), "period", at)
	case "@at":
		s.Kind = KindAt
		err = located(readTime(&s.Anchor, argument), "instant", at)
	default:
		s.Expr = body
	}
	return s, err
}

func parseOption(s *Spec, item string, pos int, seen map[string]bool) error {
	item, pos = trim(item, pos)
	name, value, ok := strings.Cut(item, "=")
	if !ok {
		return &Error{"option", fmt.Sprintf("%q is no name=value", item), "separate options by one semicolon each, such as \"; jitter=30s\"", pos, ""}
	}
	if seen[name] || name == "anchor" && s.Kind == KindAt {
		return &Error{name, "is given twice", "keep one", pos, ""}
	}
	seen[name] = true
	for _, o := range options() {
		if o.name == name {
			return located(o.read(s, value), name, pos+len(name)+1)
		}
	}
	hint := "use " + optionNames()
	if lower := strings.ToLower(name); lower == "tz" || lower == "cron_tz" || lower == "zone" {
		hint = "CRON_TZ=" + value + " stands in front of the schedule"
	}
	return &Error{"option", fmt.Sprintf("%q is unknown", name), hint, pos, ""}
}

// Format writes the text form of the union of the Specs.
func Format(specs []Spec) string {
	texts := make([]string, len(specs))
	for i, s := range specs {
		texts[i] = s.String()
	}
	return strings.Join(texts, " | ")
}

// String returns the text form. Parse gives back the same Spec, in normal form,
// if Compile accepts it.
func (s Spec) String() string {
	s = s.normal()
	var b strings.Builder
	if s.Zone != "" {
		b.WriteString("CRON_TZ=" + s.Zone + " ")
	}
	switch s.Kind {
	case KindCron:
		b.WriteString(s.Expr)
	case KindEvery, KindAfter:
		b.WriteString("@" + s.Kind.String() + " " + writeDuration(s.Period))
	case KindAt:
		b.WriteString("@at " + s.Anchor.Format(time.RFC3339Nano))
	default:
		b.WriteString(s.Kind.String())
	}
	for _, o := range options() {
		if v := o.write(s); v != "" {
			b.WriteString("; " + o.name + "=" + v)
		}
	}
	return b.String()
}

// located gives an error of a value its field and position.
func located(err error, field string, pos int) error {
	var e *Error
	if errors.As(err, &e) {
		e.Field, e.Pos = field, pos
	}
	return err
}

func readTime(to *time.Time, v string) error {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		return &Error{Reason: fmt.Sprintf("%q is no RFC 3339 time", v), Hint: "write it as 2026-11-23T06:00:00Z"}
	}
	if !inHorizon(t) {
		return &Error{Reason: fmt.Sprintf("%q is out of range", v), Hint: "choose an instant from " + instants}
	}
	*to = t
	return nil
}

func writeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func writeAnchor(s Spec) string {
	if s.Kind == KindAt {
		return ""
	}
	return writeTime(s.Anchor)
}

func readDuration(to *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return &Error{Reason: fmt.Sprintf("%q is no duration", v), Hint: "write it as 90s, 5m or 24h (there is no unit longer than the hour)"}
	}
	*to = d
	return nil
}

func writeJitter(s Spec) string {
	if s.Jitter == 0 {
		return ""
	}
	return writeDuration(s.Jitter)
}

// writeDuration writes d as Go does, in ASCII: a schedule is nothing else, and
// time.Duration says "µs".
func writeDuration(d time.Duration) string { return strings.Replace(d.String(), "µ", "u", 1) }

func gapNames() []string { return []string{GapShift: "shift", GapSkip: "skip"} }
func repeatNames() []string {
	return []string{RepeatAuto: "auto", RepeatFirst: "first", RepeatBoth: "both", RepeatLast: "last"}
}
func daysNames() []string { return []string{"or", "and"} }
func rollNames() []string {
	return []string{
		RollNone: "none", RollFollowing: "following", RollPreceding: "preceding", RollModifiedFollowing: "modified-following",
		RollModifiedPreceding: "modified-preceding", RollNearest: "nearest",
	}
}

func readGap(s *Spec, v string) error {
	i, err := readName(gapNames(), v)
	s.Gap = Gap(i)
	return err
}

func readRepeat(s *Spec, v string) error {
	i, err := readName(repeatNames(), v)
	s.Repeat = Repeat(i)
	return err
}

func readDays(s *Spec, v string) error {
	i, err := readName(daysNames(), v)
	s.AndDays = i == 1
	return err
}

func readRoll(s *Spec, v string) error {
	i, err := readName(rollNames(), v)
	s.Roll = Roll(i)
	return err
}

// readText keeps a value that Compile is to check.
func readText(field func(*Spec) *string) func(*Spec, string) error {
	return func(s *Spec, v string) error {
		if strings.Trim(v, " \t") == "" {
			return &Error{Reason: "is empty", Hint: "give it a value, or leave the option out"}
		}
		*field(s) = v
		return nil
	}
}

func writeRoll(s Spec) string   { return writeName(rollNames(), int(s.Roll)) }
func writeGap(s Spec) string    { return writeName(gapNames(), int(s.Gap)) }
func writeRepeat(s Spec) string { return writeName(repeatNames(), int(s.Repeat)) }

func writeDays(s Spec) string {
	if s.AndDays {
		return "and"
	}
	return ""
}

func readName(names []string, v string) (int, error) {
	for i, name := range names {
		if name == v {
			return i, nil
		}
	}
	return 0, &Error{Reason: fmt.Sprintf("%q is unknown", v), Hint: "use " + strings.Join(names, ", ")}
}

// writeName writes nothing for the first name, which is the default.
func writeName(names []string, i int) string {
	if i == 0 {
		return ""
	}
	if i >= len(names) {
		return fmt.Sprint(i)
	}
	return names[i]
}

// cutZone returns what follows TZ= or CRON_TZ=.
func cutZone(word string) (string, bool) {
	if zone, ok := strings.CutPrefix(word, "CRON_TZ="); ok {
		return zone, true
	}
	return strings.CutPrefix(word, "TZ=")
}

// trim cuts blanks off both ends and moves pos to what is left.
func trim(text string, pos int) (string, int) {
	left := strings.TrimLeft(text, " \t")
	return strings.TrimRight(left, " \t"), pos + len(text) - len(left)
}

// cutWord returns the text up to the first blank, and the rest.
func cutWord(text string) (word, rest string) {
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}
