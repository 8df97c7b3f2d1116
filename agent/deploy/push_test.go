package deploy

import (
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/event"
)

// TestDeployRef chooses among pushed refs the one that deploys.
func TestDeployRef(t *testing.T) {
	const a, b = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	for _, test := range []struct {
		branch string
		wanted string // the branch that the push's command names
		refs   []Ref
		want   string // ref, adopted branch
		prints string
		err    string
	}{
		{"", "", []Ref{{Old: ZeroID, New: a, Name: "refs/heads/main"}}, "refs/heads/main main", "", ""},
		{"", "", []Ref{{Old: ZeroID, New: a, Name: "refs/heads/master"}, {Old: ZeroID, New: b, Name: "refs/heads/main"}}, "refs/heads/main main",
			"", ""},
		{"", "", []Ref{{Old: ZeroID, New: a, Name: "refs/heads/master"}}, "refs/heads/master master", "", ""},
		{"", "trunk", []Ref{{Old: ZeroID, New: a, Name: "refs/heads/trunk"}}, "refs/heads/trunk trunk", "", ""},
		{"live", "trunk", []Ref{{Old: ZeroID, New: a, Name: "refs/heads/live"}}, "refs/heads/live ", "", ""},
		{"live", "", []Ref{{Old: a, New: b, Name: "refs/heads/main"}, {Old: a, New: b, Name: "refs/heads/live"}}, "refs/heads/live ", "", ""},
		{"main", "", []Ref{{Old: ZeroID, New: a, Name: "refs/heads/feature"}}, " ", " !     WARNING: deploy did not complete, you must push to main.\n" +
			"-----> for example, try 'git push <dokku> feature:main'\n", ""},
		{"main", "", []Ref{{Old: a, New: ZeroID, Name: "refs/heads/feature"}}, " ", "", ""},
		{"main", "", []Ref{{Old: a, New: ZeroID, Name: "refs/heads/main"}}, "", "", "apps:destroy shop"},
	} {
		var printed strings.Builder
		term := event.NewTerminal(&printed, &printed, false)
		x := &Session{App: &app.App{Name: "shop", State: app.State{DeployBranch: test.branch}}, Log: event.New(term)}
		ref, adopt, err := x.deployRef(test.refs, test.wanted)
		term.Close()
		got := " " + adopt
		if ref != nil {
			got = ref.Name + got
		}
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v: error %v, want %q", test.refs, err, test.err)
			}
			continue
		}
		if err != nil || got != test.want || printed.String() != test.prints {
			t.Errorf("%v: got %q, %v and\n%swant %q and\n%s", test.refs, got, err, printed.String(), test.want, test.prints)
		}
	}
}
