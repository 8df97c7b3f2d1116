package scale

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// at reads a local time with its offset: the hour that a clock shows twice needs it.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04 -0700", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestNext has the changes of the clock in Berlin: 2026-03-29 leaves out 02:00 to 03:00, and
// 2026-10-25 shows 02:00 to 03:00 twice.
func TestNext(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ schedule, after, want string }{
		{"* * * * *", "2026-05-01 10:00 +0200", "2026-05-01 10:01 +0200"},
		{"*/15 * * * *", "2026-05-01 10:01 +0200", "2026-05-01 10:15 +0200"},
		{"0 3 * * *", "2026-05-01 03:00 +0200", "2026-05-02 03:00 +0200"},
		{"0 3 * * sun", "2026-05-01 03:00 +0200", "2026-05-03 03:00 +0200"},
		{"0 0 29 2 *", "2026-05-01 03:00 +0200", "2028-02-29 00:00 +0100"},
		{"@daily", "2026-05-01 03:00 +0200", "2026-05-02 00:00 +0200"},
		{"@hourly", "2026-05-01 03:30 +0200", "2026-05-01 04:00 +0200"},
		{"@every 1h30m", "2026-05-01 03:00 +0000", "2026-05-01 04:30 +0000"},
		{"CRON_TZ=America/New_York 0 3 * * *", "2026-05-01 03:00 +0200", "2026-05-01 09:00 +0200"},
		{"TZ=UTC @daily", "2026-05-01 03:00 +0200", "2026-05-02 02:00 +0200"},

		// Left out: the task runs once the clock has changed, and only then.
		{"30 2 * * *", "2026-03-28 02:30 +0100", "2026-03-29 03:00 +0200"},
		{"30 2 * * *", "2026-03-29 03:00 +0200", "2026-03-30 02:30 +0200"},
		{"0,30 2 * * *", "2026-03-28 02:30 +0100", "2026-03-29 03:00 +0200"},
		{"0 2,3 * * *", "2026-03-28 03:00 +0100", "2026-03-29 03:00 +0200"},
		{"0 2,3 * * *", "2026-03-29 03:00 +0200", "2026-03-30 02:00 +0200"},
		{"0 4 * * *", "2026-03-28 04:00 +0100", "2026-03-29 04:00 +0200"},
		{"30 * * * *", "2026-03-29 01:30 +0100", "2026-03-29 03:30 +0200"},

		// Twice: a task of an hour runs the first time only, one of each hour both times.
		{"30 2 * * *", "2026-10-24 02:30 +0200", "2026-10-25 02:30 +0200"},
		{"30 2 * * *", "2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100"},
		{"*/30 2 * * *", "2026-10-25 02:30 +0200", "2026-10-26 02:00 +0100"},
		{"0 1-3 * * *", "2026-10-25 02:00 +0200", "2026-10-25 03:00 +0100"},
		{"30 * * * *", "2026-10-25 02:30 +0200", "2026-10-25 02:30 +0100"},
		{"*/30 * * * *", "2026-10-25 02:30 +0200", "2026-10-25 02:00 +0100"},
	} {
		s, err := ParseSchedule(test.schedule)
		if err != nil {
			t.Errorf("%q: %v", test.schedule, err)
			continue
		}
		if got, want := s.Next(at(t, test.after), berlin), at(t, test.want); !got.Equal(want) {
			t.Errorf("%q after %s is due %s, want %s", test.schedule, test.after, got, want)
		}
	}
}

func TestParseSchedule(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "it is empty: write",
		"61 * * * *":              "end of range (61) above maximum (59): 61: write five fields",
		"* * * * 7":               "end of range (7) above maximum (6): 7: write five fields",
		"0 0 * * * *":             "it has 6 fields, and seconds are not supported",
		"* * *":                   "the number of fields is 3: write the five",
		"@reboot":                 "@reboot is not supported",
		"@fortnightly":            "unrecognized descriptor: @fortnightly: write five fields",
		"@every 30s":              "write @every 5m",
		"@every 90s":              "write @every 5m",
		"@every":                  "write @every 5m",
		"0 0 31 2 *":              "no such date exists",
		", * * * *":               "no such date exists",
		"TZ=Europe/Berlin":        "the time zone has no schedule behind it",
		"CRON_TZ=":                "the time zone has no schedule behind it",
		"CRON_TZ=Nowhere @daily":  "provided bad location Nowhere",
		"CRON_TZ=../../etc 0 0 0": "the number of fields is 3",
	} {
		if _, err := ParseSchedule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzParseSchedule: a schedule of a pusher's neither panics nor takes for ever, and the next
// minute is a later one.
func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"* * * * *", "TZ=", "CRON_TZ=UTC @daily", "@every 1h", "0 0 31 2 *", "1-5/2,7 */3 ? jan mon", "@every 9223372036s"} {
		f.Add(text)
	}
	after := time.Date(2026, 3, 29, 0, 59, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			return
		}
		if next := s.Next(after, time.UTC); !next.IsZero() && !next.After(after) {
			t.Errorf("%q is due at %s", text, next)
		}
	})
}

func TestParseCron(t *testing.T) {
	a, err := ParseAppJSON([]byte(`{"cron": [
		{"command": "npm run report -- \"a b\"", "schedule": "@daily"},
		{"command": "node clean.js", "schedule": "*/5 * * * *", "maintenance": true, "concurrency_policy": "forbid"},
		{"command": "node clean.js", "schedule": "*/5 * * * *"},
		{"command": "node clean.js", "schedule": "61 * * * *"},
		{"schedule": "@daily"},
		{"command": "x"},
		{"command": "a; b", "schedule": "@daily"},
		{"command": "sh -c 'a; b'", "schedule": "@daily", "concurrency_policy": "replace", "logfile": "x"},
		{"command": "a", "schedule": "@daily", "concurrency_policy": "wait"},
		{"command": "a", "schedule": "@daily", "maintenance": "yes"},
		"a"
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, task := range a.Cron {
		got = append(got, strings.Join([]string{task.Command, task.Schedule, string(task.Policy)}, " | "))
	}
	want := []string{`npm run report -- "a b" | @daily | allow`, "node clean.js | */5 * * * * | forbid", "sh -c 'a; b' | @daily | replace"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || !a.Cron[1].Maintenance || a.Cron[0].Maintenance || a.Cron[1].Line != 3 {
		t.Errorf("the tasks are %q", got)
	}
	wrong := []string{
		`app.json:5: "61 * * * *": this cannot be the schedule of the cron task "node clean.js": end of range (61) above maximum (59): 61: ` +
			`write five fields such as "0 3 * * *", or @hourly, @daily, @weekly, @monthly, @yearly`,
		`app.json:6: cron task 5 has no command: write "command": "npm run report"`,
		`app.json:7: the cron task "x" has no schedule: write "schedule": "0 3 * * *"`,
		`app.json:8: the cron task "a; b" cannot run without a shell: write it as "sh -c 'COMMANDS'"`,
		`app.json:10: "wait": this cannot be the concurrency_policy of the cron task "a": write allow, forbid or replace`,
		`app.json:11: cron task 10 must be an object of "command", "schedule" and "concurrency_policy", texts in quotes, and "maintenance", true or false`,
		`app.json:12: cron task 11 must be an object of "command", "schedule" and "concurrency_policy", texts in quotes, and "maintenance", true or false`,
	}
	if err := a.Check(); err == nil || err.Error() != strings.Join(wrong, "\n") {
		t.Errorf("the problems are\n%v", err)
	}
	var warnings []string
	for _, w := range a.Warnings {
		warnings = append(warnings, w.String())
	}
	if len(warnings) != 2 || warnings[0] != `app.json:9: "logfile" of a cron task is unknown and has no effect: write command, schedule, maintenance, concurrency_policy` ||
		warnings[1] != `app.json:4: the cron task "node clean.js" is in line 3 already with the same schedule: it runs once` {
		t.Errorf("the warnings are %q", warnings)
	}
	for text, want := range map[string]string{`{"cron": null}`: "<nil>", `{"cron": []}`: "<nil>", `{"cron": {}}`: "app.json:1: cron must be a list of tasks in [ ]"} {
		a, err := ParseAppJSON([]byte(text))
		if err != nil || a.Cron != nil {
			t.Errorf("%s: %v, %v", text, a.Cron, err)
		}
		if err := a.Check(); want != "<nil>" && (err == nil || err.Error() != want) || want == "<nil>" && err != nil {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestCronWords(t *testing.T) {
	got, err := CronWords(`npm run "a b" $COLOUR '$COLOUR' *.txt $UNSET`, map[string]string{"COLOUR": "red"})
	if want := `npm|run|a b|red|$COLOUR|*.txt`; err != nil || strings.Join(got, "|") != want {
		t.Errorf("got %q, %v", got, err)
	}
}
