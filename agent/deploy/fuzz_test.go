package deploy

import (
	"strings"
	"testing"
	"unicode/utf8"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/repo"
)

// FuzzParsePushOptions: what a detached push hands on is what its pusher asked for, and no text of a
// pusher reaches a list or a terminal as it came.
func FuzzParsePushOptions(f *testing.F) {
	for _, s := range []string{"cancel", "color=never", "detach", "message=a \x1b[2J\u202e b", "no-wait\nskip-checks", "plan\ndetach", "message=", "cancel=1", "cancel\nno-wait", "x\x1b", "message=" + strings.Repeat("é", 501)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		o, err := ParsePushOptions(strings.Split(lines, "\n"))
		if err != nil {
			if event.Printable(err.Error()) != err.Error() || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is not one safe line: %q", err)
			}
			return
		}
		if event.Printable(o.Message) != o.Message || utf8.RuneCountInString(o.Message) > longestMessage || o.Plan && o.Detach || o.Cancel && o.NoWait {
			t.Errorf("%q gives %+v", lines, o)
		}
		later, err := ParsePushOptions(o.Later())
		if want := (PushOptions{Cancel: o.Cancel, NoWait: o.NoWait, SkipChecks: o.SkipChecks, Message: o.Message}); err != nil || later != want {
			t.Errorf("%q is handed on as %q: %+v, %v; want %+v", lines, o.Later(), later, err, want)
		}
	})
}

// FuzzRefs: a ref that is accepted is as short and as flat as the limits say, and two refs that git
// cannot have at once are told from others by their parts.
func FuzzRefs(f *testing.F) {
	f.Add("refs/heads/main", "refs/heads/main/x")
	f.Add("refs/heads/"+strings.Repeat("a/", 20), "refs/heads/a")
	f.Add("refs/tags/"+strings.Repeat("a", 300), "")
	f.Add("main", "mainx")
	v := app.View{App: &app.App{Name: "a", Dir: f.TempDir()}}
	const id = "3f2c1d9000000000000000000000000000000000"
	f.Fuzz(func(t *testing.T, a, b string) {
		if err := checkRefs(v, []Ref{{Name: a, Old: ZeroID, New: id}}); err == nil {
			if name := strings.TrimPrefix(a, Heads); len(name) > 255 || len(strings.Split(name, "/")) > 16 {
				t.Errorf("%q is accepted", a)
			}
		} else if len(err.Error()) > 600 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
		parts, others := strings.Split(a, "/"), strings.Split(b, "/")
		same := len(parts) != len(others)
		for i := range min(len(parts), len(others)) {
			same = same && parts[i] == others[i]
		}
		if repo.Obstructs(a, b) != same || repo.Obstructs(b, a) != same {
			t.Errorf("%q and %q: %t, want %t", a, b, repo.Obstructs(a, b), same)
		}
	})
}
