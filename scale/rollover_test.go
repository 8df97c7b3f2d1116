package scale

import (
	"testing"
)

func TestParseRollovers(t *testing.T) {
	for value, want := range map[string]string{
		"":                                  "",
		"clock=exclusive":                   "clock=exclusive",
		" worker=overlap  clock=exclusive ": "clock=exclusive,worker=overlap",
		"worker=overlap,clock=exclusive":    "clock=exclusive,worker=overlap",
		"clock=exclusive clock=exclusive":   "clock=exclusive",
		"clock":                             `"clock" is no rollover of a process type: write TYPE=exclusive or TYPE=overlap`,
		"exclusive":                         `"exclusive" is no rollover of a process type: write TYPE=exclusive or TYPE=overlap`,
		"clock=":                            `"" is neither overlap nor exclusive: write clock=exclusive or clock=overlap`,
		"clock=Exclusive":                   `"Exclusive" is neither overlap nor exclusive: write clock=exclusive or clock=overlap`,
		"clock=exclusive;worker=exclusive":  `"exclusive;worker=exclusive" is neither overlap nor exclusive`,
		"clock=exclusive,worker":            `"worker" is no rollover of a process type`,
		"a.b=exclusive":                     `"a.b" cannot be the name of a process type: use letters, digits, - and _ in "a.b=exclusive"`,
		"=exclusive":                        "the name of the process type is missing",
		"release=exclusive":                 `release is not a process: its command runs once at each deploy; leave out "release=exclusive"`,
		"clock=exclusive clock=overlap":     "clock is given as exclusive and as overlap: leave out one of them",
	} {
		set, err := ParseRollovers(value)
		check(t, set.String(), err, want)
	}
}

// TestRolloverOfFile: a value of app.json is checked like its neighbours, and wins over the
// local setting of its type alone.
func TestRolloverOfFile(t *testing.T) {
	const procfile = "web: a\nclock: b\nworker: c"
	local := Rollovers{"clock": Exclusive, "worker": Exclusive, "gone": Exclusive}
	for _, tt := range []struct{ name, procfile, json, want string }{
		{"none", procfile, "{}", "clock=exclusive,gone=exclusive,worker=exclusive; ! local setting rollover gone=exclusive is ignored: the app has no process type gone"},
		{"one type", procfile, `{"formation": {"clock": {"rollover": "overlap"}}}`, "clock=overlap,gone=exclusive,worker=exclusive; " +
			"app.json sets the rollover of clock to overlap (local setting was exclusive); ! local setting rollover gone=exclusive is ignored: the app has no process type gone"},
		{"the same", procfile, `{"formation": {"clock": {"rollover": "exclusive"}, "gone": {"quantity": 0, "rollover": "exclusive"}}}`,
			"clock=exclusive,gone=exclusive,worker=exclusive; ! local setting rollover gone=exclusive is ignored: the app has no process type gone"},
		{"another word", procfile, "{\"formation\": {\n\"clock\": {\n\"rollover\": \"Exclusive\"}}}",
			`app.json:3: "Exclusive": the rollover of clock is neither overlap nor exclusive: write "exclusive" to stop its old processes before new ones start, or remove it`},
		{"no text", procfile, "{\"formation\": {\n\"clock\": {\n\"rollover\": true}}}", `app.json:3: "true": formation.clock.rollover is of kind bool: write a text in quotes`},
		{"unknown type", procfile, "{\"formation\": {\n\"beat\": {\"rollover\": \"exclusive\"}}}",
			`app.json:2: "exclusive": the Procfile has no beat: add a line beat: command to the Procfile, or remove its rollover`},
		{"spelling", procfile, "{\"formation\": {\n\"Clock\": {\"rollover\": \"exclusive\"}}}", `app.json:2: "exclusive": the Procfile has no Clock: did you mean clock?`},
		{"without a Procfile", "", `{"formation": {"clock": {"rollover": "exclusive"}}}`, "there is no Procfile, and only web runs without one"},
		{"release", procfile, `{"formation": {"release": {"rollover": "exclusive"}}}`, "release is not a process"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAppJSON([]byte(tt.json))
			if err != nil {
				check(t, "", err, tt.want)
				return
			}
			in := inputs(t, tt.procfile, "", tt.json, nil)
			if _, _, err := Resolve(in); err != nil {
				check(t, "", err, tt.want)
				return
			}
			got := a.Over(local).String()
			for _, n := range a.RolloverNotes(local, in.Procfile.Types()) {
				if got += "; "; n.Warning {
					got += "! "
				}
				got += n.Text
			}
			check(t, got, nil, tt.want)
		})
	}
}

// TestMisspeltRollover: a misspelt key would silently let the processes overlap.
func TestMisspeltRollover(t *testing.T) {
	a, err := ParseAppJSON([]byte("{\"formation\": {\"clock\": {\"size\": \"S\", \"rollover\": \"exclusive\"},\n\"beat\": {\"rolover\": \"exclusive\"}}}"))
	const want = "app.json:2: formation.beat.rolover is unknown and has no effect: write quantity, max_parallel or rollover"
	if err != nil || len(a.Warnings) != 1 || a.Warnings[0].String() != want {
		t.Errorf("warnings %v, error %v", a.Warnings, err)
	}
}
