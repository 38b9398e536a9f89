package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// verdict is what became of a goal.
type verdict struct {
	Case, Engine, Figure string
	Value, Bound         float64
	Met                  bool
	Known                bool // false: who it is compared with took no part
	Text                 string
}

// row is all measurements of one engine in one case.
type row struct {
	engine string
	all    []*outcome
}

// values are those of a figure, sorted.
func (r row) values(figure string) []float64 {
	var out []float64
	for _, o := range r.all {
		if v, ok := o.value(figure); ok && o.refused() == nil {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

func (r row) median(figure string) (float64, bool) {
	all := r.values(figure)
	if len(all) == 0 {
		return 0, false
	}
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2, true
}

func rows(b bench, all []*outcome) []row {
	var out []row
	for _, e := range b.engines {
		r := row{engine: e.name}
		for _, o := range all {
			if o.Case == b.name && o.Engine == e.name {
				r.all = append(r.all, o)
			}
		}
		if len(r.all) > 0 {
			out = append(out, r)
		}
	}
	return out
}

func judge(all []*outcome) []verdict {
	var out []verdict
	for _, b := range benches() {
		rs := rows(b, all)
		for _, g := range b.goals {
			if v, ok := g.judge(b.name, rs); ok {
				out = append(out, v)
			}
		}
	}
	return out
}

// judge compares, false if Chronos was not measured.
func (g goal) judge(name string, rs []row) (verdict, bool) {
	ours := regexp.MustCompile("^chronos")
	if g.engine != "" {
		ours = regexp.MustCompile("^" + regexp.QuoteMeta(g.engine) + "$")
	}
	v := verdict{Case: name, Figure: g.figure, Bound: g.bound}
	var ok bool
	if v.Engine, v.Value, ok = g.best(rs, ours, g.figure); !ok {
		return v, false
	}
	text, unit := "", unitOf(rs, g.figure)
	if v.Known = true; g.bound == 0 {
		of := g.figure
		if g.of != "" {
			of = g.of
		}
		var peer string
		var theirs float64
		if peer, theirs, v.Known = g.best(rs, regexp.MustCompile(g.peers), of); !v.Known {
			v.Text = fmt.Sprintf("%s: not known, %s took no part", g.figure, strings.Trim(g.peers, "^$"))
			return v, true
		}
		v.Bound = g.factor * theirs
		text = fmt.Sprintf(", %g × %s", g.factor, peer)
	}
	v.Met = g.rate && v.Value >= v.Bound || !g.rate && v.Value <= v.Bound
	word, than := "MISSED", "at most"
	if v.Met {
		word = "met"
	}
	if g.rate {
		than = "at least"
	}
	v.Text = fmt.Sprintf("%s: %s of %s is %s; wanted: %s %s%s", word, g.figure, v.Engine, amount(v.Value, unit), than, amount(v.Bound, unit), text)
	return v, true
}

// best is who has the best median of a figure.
func (g goal) best(rs []row, who *regexp.Regexp, figure string) (engine string, value float64, ok bool) {
	for _, r := range rs {
		m, has := r.median(figure)
		if !has || !who.MatchString(r.engine) {
			continue
		}
		if !ok || g.rate && m > value || !g.rate && m < value {
			engine, value, ok = r.engine, m, true
		}
	}
	return engine, value, ok
}

func unitOf(rs []row, figure string) string {
	for _, r := range rs {
		for _, o := range r.all {
			for _, f := range o.Figures {
				if f.Name == figure {
					return f.Unit
				}
			}
		}
	}
	return ""
}

// table prints medians with their range, and ratios to Chronos' best.
func (r *run) table(verdicts []verdict) {
	for _, b := range benches() {
		rs := rows(b, r.outcomes)
		if len(rs) == 0 {
			continue
		}
		fmt.Fprintf(r.w, "\n%s: %s\n", b.name, b.about)
		w := tabwriter.NewWriter(r.w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, row := range rs {
			fmt.Fprintf(w, "  %s\t", row.engine)
			for _, name := range figures(rs) {
				fmt.Fprintf(w, "%s\t", cell(row, rs, name))
			}
			fmt.Fprintf(w, "%s\t\n", ratio(b, row, rs))
		}
		if err := w.Flush(); err != nil {
			fmt.Fprintln(r.w, err)
		}
		for _, v := range verdicts {
			if v.Case == b.name {
				fmt.Fprintf(r.w, "  goal %s\n", v.Text)
			}
		}
	}
}

// figures are the names of all in a case, in the order of the first who has them.
func figures(rs []row) []string {
	var out []string
	for _, r := range rs {
		for _, f := range r.all[0].Figures {
			if !slices.Contains(out, f.Name) {
				out = append(out, f.Name)
			}
		}
	}
	return out
}

func cell(r row, rs []row, name string) string {
	m, ok := r.median(name)
	if !ok {
		return ""
	}
	unit := unitOf(rs, name)
	text := name + " " + amount(m, unit)
	if all := r.values(name); len(all) > 1 {
		text += fmt.Sprintf(" [%s–%s]", number(all[0]), number(all[len(all)-1]))
	}
	return text
}

func ratio(b bench, r row, rs []row) string {
	ours, ok := rs[0].median(b.key)
	theirs, has := r.median(b.key)
	if !ok || !has || ours == 0 || r.engine == rs[0].engine {
		return ""
	}
	return fmt.Sprintf("%s %.2f × %s's", b.key, theirs/ours, rs[0].engine)
}

func amount(v float64, unit string) string { return strings.TrimSpace(number(v) + " " + unit) }

func number(v float64) string {
	switch {
	case v >= 1000 || v <= -1000:
		return thousands(int64(v + 0.5))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(n int64) string {
	if n < 1000 && n > -1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), max(n, -n)%1000)
}
