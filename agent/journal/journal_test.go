package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func all(Event) bool { return true }

func texts(list []Event) (texts []string) {
	for _, e := range list {
		texts = append(texts, e.Text)
	}
	return texts
}

// TestReadAndFollow: the last events come in order, then those that are appended, also
// after the file was replaced. Half a line is no event.
func TestReadAndFollow(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "log", "events.jsonl")}
	list, tail, err := f.Read(10, all)
	if err != nil || len(list) != 0 {
		t.Fatalf("a journal without a file has %v, %v", list, err)
	}
	next := func(want ...string) {
		t.Helper()
		list, err := tail.Next()
		if err != nil || !slices.Equal(texts(list), want) {
			t.Errorf("next are %q, %v, want %q", texts(list), err, want)
		}
	}
	add := func(text string) {
		t.Helper()
		if err := f.Append(Event{Event: Mend, App: "shop", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	next()
	add("one")
	add("two")
	next("one", "two")
	torn, err := os.OpenFile(f.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	torn.WriteString(`{"event":"mend","te`)
	next()
	torn.WriteString(`xt":"three"}` + "\nno event\n")
	torn.Close()
	next("three")
	add("four")
	if err := os.Rename(f.Path, f.former()); err != nil {
		t.Fatal(err)
	}
	add("five")
	next("four", "five")
	next()

	list, other, err := f.Read(3, all)
	if err != nil || !slices.Equal(texts(list), []string{"three", "four", "five"}) {
		t.Errorf("the last three are %q, %v", texts(list), err)
	}
	other.Close()
	list, other, err = f.Read(9, func(e Event) bool { return e.Text == "two" })
	if err != nil || !slices.Equal(texts(list), []string{"two"}) {
		t.Errorf("chosen are %q, %v", texts(list), err)
	}
	other.Close()
	tail.Close()
}

// TestBound: a journal takes at most two files of Limit and one event, whoever writes, and
// loses nothing of the last Limit.
func TestBound(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "events.jsonl"), Limit: 20_000}
	var wait sync.WaitGroup
	for writer := range 4 {
		wait.Go(func() {
			for n := range 100 {
				if err := f.Append(Event{Event: Command, Time: time.Unix(0, 0), By: fmt.Sprint(writer), Text: fmt.Sprint(n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	for range 400 {
		if err := f.Append(Event{Event: Command, Time: time.Unix(0, 0), By: "5", Text: strings.Repeat("long ", 400)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{f.Path, f.former()} {
		info, err := os.Stat(path)
		if err != nil || info.Size() > 21_000 {
			t.Errorf("%s: %v, %v", path, info.Size(), err)
		}
	}
	found, err := filepath.Glob(f.Path + "*")
	if err != nil || len(found) != 2 {
		t.Errorf("there are %v, %v", found, err)
	}
	list, tail, err := f.Read(1000, all)
	if err != nil || len(list) < 30 {
		t.Errorf("%d events are left, %v", len(list), err)
	}
	tail.Close()
}

// TestNothingLost: processes that write at the same time lose no event.
func TestNothingLost(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "events.jsonl")}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if err := f.Append(Event{Event: Agent}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	list, tail, err := f.Read(1000, all)
	if err != nil || len(list) != 400 {
		t.Errorf("%d events, %v", len(list), err)
	}
	tail.Close()
}

// TestLine has the lines of the command events, typed by hand.
func TestLine(t *testing.T) {
	at := time.Date(2026, 7, 3, 16, 9, 48, 999, time.UTC)
	for want, e := range map[string]Event{
		"2026-07-03T16:09:48Z shop deploy ci v12 3f2c1d9 Fix the login (deploy 17)": {Event: Deploy, Time: at, App: "shop", Release: 12,
			Revision: "3f2c1d9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Subject: "Fix the login", By: "ci", Deploy: 17},
		"2026-07-03T16:09:48Z shop reject ci 3f2c1d9: web.1 exited with code 3 (deploy 18)": {Event: Reject, Time: at, App: "shop", Release: 12,
			Revision: "3f2c1d9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", By: "ci", Deploy: 18, Error: "web.1 exited with code 3"},
		"2026-07-03T16:09:48Z shop exit - web.1 exited with 3, restarted (1 of 10)": {Event: Exit, Time: at, App: "shop", Release: 12, Process: "web.1",
			Text: "exited with 3, restarted (1 of 10)"},
		"2026-07-03T16:09:48Z - agent agent started":         {Event: Agent, Time: at, By: "agent", Text: "started"},
		"2026-07-03T16:09:48Z shop command root ps:stop: no": {Event: Command, Time: at, App: "shop", By: "root", Text: "ps:stop", Error: "no"},
		"2026-07-03T16:09:48Z shop fail agent nginx is down": {Event: Fail, Time: at, App: "shop", By: "agent", Error: "nginx is down"},
	} {
		if got := e.Line(); got != want {
			t.Errorf("printed\n%s, want\n%s", got, want)
		}
	}
	if got := Line("a\x1b[31m\n b\t\x00c" + strings.Repeat("ä", 400)); len(got) > maxText+3 || !strings.HasPrefix(got, "a b c") || strings.ContainsAny(got, "\n\x1b") {
		t.Errorf("%q", got)
	}
}
