package scale

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Rollover is how a deploy replaces the processes of a type.
type Rollover string

const (
	// Overlap starts the new processes beside the old ones. It is the default.
	Overlap Rollover = "overlap"
	// Exclusive stops the old processes before it starts the new ones.
	Exclusive Rollover = "exclusive"
)

// Rollovers are the rollovers of process types, by type.
type Rollovers map[string]Rollover

// valid reports whether r is the name of a rollover.
func (r Rollover) valid() bool { return r == Overlap || r == Exclusive }

// ParseRollovers reads the value of ps:set's property rollover, with commas or spaces:
// "clock=exclusive,worker=overlap". An error names the word and its correct form.
func ParseRollovers(value string) (Rollovers, error) {
	set := Rollovers{}
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		typ, name, ok := strings.Cut(word, "=")
		r := Rollover(name)
		switch message := badType(typ); {
		case !ok:
			return nil, fmt.Errorf("%s is no rollover of a process type: write TYPE=exclusive or TYPE=overlap", Quote(word))
		case message != "":
			return nil, fmt.Errorf("%s in %s", message, Quote(word))
		case typ == releaseType:
			return nil, fmt.Errorf("release is not a process: its command runs once at each deploy; leave out %s", Quote(word))
		case !r.valid():
			return nil, fmt.Errorf("%s is neither overlap nor exclusive: write %s=exclusive or %[2]s=overlap", Quote(name), typ)
		case set[typ] != "" && set[typ] != r:
			return nil, fmt.Errorf("%s is given as %s and as %s: leave out one of them", typ, set[typ], r)
		}
		set[typ] = r
	}
	return set, nil
}

// String returns the form that ParseRollovers reads, sorted by type.
func (r Rollovers) String() string {
	var list []string
	for _, typ := range slices.Sorted(maps.Keys(r)) {
		list = append(list, typ+"="+string(r[typ]))
	}
	return strings.Join(list, ",")
}

// Over returns the rollovers that the file sets, and the local ones of all other types.
func (a AppJSON) Over(local Rollovers) Rollovers {
	all := Rollovers{}
	maps.Copy(all, local)
	for typ, q := range a.Formation {
		if q.Rollover != "" {
			all[typ] = q.Rollover
		}
	}
	return all
}

// RolloverNotes names each local setting that the file overrides, and those of types that
// the app does not have.
func (a AppJSON) RolloverNotes(local Rollovers, types []string) (notes []Note) {
	for _, typ := range slices.Sorted(maps.Keys(local)) {
		file := a.Formation[typ].Rollover
		switch {
		case !slices.Contains(types, typ):
			notes = append(notes, Note{fmt.Sprintf("local setting rollover %s=%s is ignored: the app has no process type %[1]s", typ, local[typ]), true})
		case file != "" && file != local[typ]:
			notes = append(notes, Note{Text: fmt.Sprintf("%s sets the rollover of %s to %s (local setting was %s)", FromAppJSON, typ, file, local[typ])})
		}
	}
	return notes
}

// unknownRollovers are the rollovers of types that the app does not have. A misspelt type
// would overlap, which its rollover was to prevent.
func (in Inputs) unknownRollovers(known map[string]bool, near letters) (bad Problems) {
	for _, typ := range slices.Sorted(maps.Keys(in.AppJSON.Formation)) {
		q := in.AppJSON.Formation[typ]
		if q.Rollover == "" || q.Quantity != nil || known[typ] { // a quantity has its own check
			continue
		}
		bad = append(bad, Problem{appJSONName, q.RolloverLine, string(q.Rollover), in.unknownType(typ, near, "remove its rollover")})
	}
	return bad
}
