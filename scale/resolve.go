package scale

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Origin is the source of a count.
type Origin string

const (
	FromDokkuScale Origin = "DOKKU_SCALE"
	FromAppJSON    Origin = "app.json"
	FromLocal      Origin = "local" // ps:scale
	FromDefault    Origin = "default"
)

// Entry is the count of one process type.
type Entry struct {
	Type   string `json:"process_type"`
	Count  int    `json:"quantity"`
	Origin Origin `json:"origin,omitempty"`
}

// Formation is the number of processes of each type, sorted by type. Types with 0
// processes are part of it.
type Formation []Entry

// Count returns the number of processes of a type.
func (f Formation) Count(typ string) int {
	for _, e := range f {
		if e.Type == typ {
			return e.Count
		}
	}
	return 0
}

// Origin returns the source of a type's count; "" if the app has no such type.
func (f Formation) Origin(typ string) Origin {
	for _, e := range f {
		if e.Type == typ {
			return e.Origin
		}
	}
	return ""
}

// Inputs are the sources of a formation.
type Inputs struct {
	Procfile   Procfile       // nil: none, web runs the image's command
	DokkuScale DokkuScale     // nil: none, or empty
	AppJSON    AppJSON        // zero: none
	Local      map[string]int // stored by ps:scale
}

// Note is a line about a decision for the output of the push.
type Note struct {
	Text    string
	Warning bool
}

// Resolve decides the formation. The notes name each local setting that a file overrides,
// and likely mistakes. The error is a Problems with the counts for types that the Procfile
// does not have.
func Resolve(in Inputs) (Formation, []Note, error) {
	counts, origin := in.shipped()
	if err := in.unknownTypes(counts, origin); err != nil {
		return nil, nil, err
	}
	listed := DokkuScale(counts).Counts()
	var f Formation
	for _, typ := range in.Procfile.Types() {
		f = append(f, in.entry(typ, listed, origin))
	}
	slices.SortFunc(f, func(a, b Entry) int { return strings.Compare(a.Type, b.Type) })
	return f, in.notes(f, counts, origin), nil
}

// shipped returns the counts and the name of the file that decides; "" if the repository
// ships none.
func (in Inputs) shipped() ([]Count, Origin) {
	if in.AppJSON.Scales() {
		var counts []Count
		for _, typ := range slices.Sorted(maps.Keys(in.AppJSON.Formation)) {
			if q := in.AppJSON.Formation[typ]; q.Quantity != nil {
				counts = append(counts, Count{typ, *q.Quantity, q.Line})
			}
		}
		return counts, FromAppJSON
	}
	if len(in.DokkuScale) > 0 {
		return in.DokkuScale, FromDokkuScale
	}
	return nil, ""
}

func (in Inputs) entry(typ string, listed map[string]int, origin Origin) Entry {
	if origin != "" {
		return Entry{typ, listed[typ], origin}
	}
	if n, ok := in.Local[typ]; ok {
		return Entry{typ, n, FromLocal}
	}
	if typ == Web {
		return Entry{typ, 1, FromDefault}
	}
	return Entry{typ, 0, FromDefault}
}

// unknownTypes returns an error for counts and rollovers of types that cannot be started.
// A count of 0 is correct for them.
func (in Inputs) unknownTypes(counts []Count, origin Origin) error {
	types := in.Procfile.Types()
	known, near := setOf(types), newLetters(types)
	var bad Problems
	for _, c := range counts {
		if c.Count == 0 || known[c.Type] {
			continue
		}
		message := in.unknownType(c.Type, near, fmt.Sprintf("set %s to 0", c.Type))
		bad = append(bad, Problem{string(origin), c.Line, fmt.Sprintf("%s=%d", c.Type, c.Count), message})
	}
	return append(bad, in.unknownRollovers(known, near)...).err()
}

// unknownType says that the app has no such type, and what to do: add it, or else.
func (in Inputs) unknownType(typ string, near letters, or string) string {
	fix := fmt.Sprintf("add a line %s: command to the Procfile, or %s", typ, or)
	switch similar := near.similar(typ); {
	case typ == releaseType:
		return "release is not a process: its command runs once at each deploy; remove the line"
	case in.Procfile == nil:
		return fmt.Sprintf("there is no Procfile, and only web runs without one: %s", fix)
	case similar != "":
		return fmt.Sprintf("the Procfile has no %s: did you mean %s?", typ, similar)
	}
	return fmt.Sprintf("the Procfile has no %s: %s", typ, fix)
}

// letters finds the type that differs from a name only in case, - and _.
type letters map[string]string

var noDashes = strings.NewReplacer("-", "", "_", "")

func newLetters(types []string) letters {
	l := make(letters, len(types))
	for _, t := range slices.Backward(types) { // the first one wins
		l[strings.ToLower(noDashes.Replace(t))] = t
	}
	return l
}

// similar returns that type; "" if there is none.
func (l letters) similar(typ string) string { return l[strings.ToLower(noDashes.Replace(typ))] }

// setOf returns the strings as a set.
func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}

func (in Inputs) notes(f Formation, counts []Count, origin Origin) []Note {
	var notes []Note
	warn := func(format string, args ...any) {
		notes = append(notes, Note{fmt.Sprintf(format, args...), true})
	}
	if origin == FromAppJSON && len(in.DokkuScale) > 0 {
		warn("app.json and DOKKU_SCALE both set the formation: app.json wins, DOKKU_SCALE is ignored")
	}
	if origin == "" {
		known := setOf(in.Procfile.Types())
		for _, typ := range slices.Sorted(maps.Keys(in.Local)) {
			if n := in.Local[typ]; n > 0 && !known[typ] {
				warn("local setting %s=%d is ignored: the app has no process type %[1]s any more", typ, n)
			}
		}
		return notes
	}
	listed := DokkuScale(counts).Counts()
	for _, e := range f {
		if n, ok := in.Local[e.Type]; ok && n != e.Count {
			notes = append(notes, Note{Text: fmt.Sprintf("%s sets %s to %d (local setting was %d)", origin, e.Type, e.Count, n)})
		}
		if _, ok := listed[e.Type]; e.Type == Web && !ok {
			warn("%s leaves out web, so no web process runs: if that is a mistake, set web to 1 in it", origin)
		}
	}
	return notes
}
