package scale

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCronExpansionIsBounded: braces in the commands of an app.json's tasks made millions of
// words in the hook, and variables and ${NAME/A/B} any number of bytes in the agent. <(...) ended the
// program that read it.
func TestCronExpansionIsBounded(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	const shell = `write it as "sh -c 'COMMANDS'"`
	for command, want := range map[string]string{
		"rake {a,b}{1..3} '{x,y}' {z}":                       "rake a1 a2 a3 b1 b2 b3 {x,y} {z}",
		"echo {c..a..2} {9..1..-4}":                          "echo c a 9 5 1",
		"echo {1..999}":                                      "1000 words",
		"echo {1..1000}":                                     errExpansion.Error(),
		strings.Repeat("{1..16000} ", 370):                   errExpansion.Error(),
		"x" + strings.Repeat("{a,b}", 14):                    errExpansion.Error(),
		"x {{a,b},{1..9999}}":                                errExpansion.Error(),
		"x {-9223372036854775808..9223372036854775807}":      errExpansion.Error(),
		"{1..900}" + strings.Repeat("z", 3_000):              errExpansion.Error(),
		"curl $LONG $LONG":                                   "3 words",
		"curl " + strings.Repeat("$LONG", 700):               errExpansion.Error(),
		"curl {1..500}$LONG":                                 errExpansion.Error(),
		"echo ${LONG//x/" + strings.Repeat("y", 3_000) + "}": errReplaces.Error(),
		"diff <(a) b":                                        errProcess.Error(),
		"tee >(a)":                                           errProcess.Error(),
		`echo "${LONG:-${A/b/c}}"`:                           errReplaces.Error(),
	} {
		begun := cpuTime(t)
		words, err := CronWords(command, map[string]string{"LONG": long})
		got := strings.Join(words, " ")
		switch {
		case err != nil:
			got = err.Error()
		case len(got) > 100:
			got = fmt.Sprint(len(words), " words")
		}
		if got != want {
			t.Errorf("%.60q: got %.200q, want %q", command, got, want)
		}
		if d := cpuTime(t) - begun; d > 200*time.Millisecond {
			t.Errorf("%.60q takes %s", command, d)
		}
	}
	a, err := ParseAppJSON([]byte(`{"cron": [{"command": "a {1..1000}", "schedule": "@daily"}, {"command": "a ${B/c/d}", "schedule": "@daily"}]}`))
	want := `app.json:1: the cron task "a {1..1000}" cannot run: ` + errExpansion.Error() + "\n" +
		`app.json:1: the cron task "a ${B/c/d}" cannot run without a shell: ` + shell
	if err != nil || a.Check() == nil || a.Check().Error() != want {
		t.Errorf("got %v, %v, want %q", err, a.Check(), want)
	}
}

// TestCommandExpansionIsBounded: a Procfile's command of 4 KiB with 2,000 times the same long
// variable took 120 MB of the hook and of the agent. The container's shell expands such a one.
func TestCommandExpansionIsBounded(t *testing.T) {
	env := func(string) (string, bool) { return strings.Repeat("x", 60_000), true }
	for n, want := range map[int]bool{4: false, 5: true, 2000: true} {
		argv, needsShell, err := Command("serve "+strings.Repeat("$A", n), env)
		if err != nil || needsShell != want {
			t.Errorf("%d times: a shell %t, want %t, %v", n, needsShell, want, err)
		}
		if size := len(strings.Join(argv, "")); size > maxExpanded {
			t.Errorf("%d times: %d bytes", n, size)
		}
	}
}

// TestCronTasksAreBounded: an app.json of 64 KiB had 1,306 tasks, each due every minute. A
// release of an older version keeps its tasks.
func TestCronTasksAreBounded(t *testing.T) {
	file := func(n int) []byte {
		var tasks []string
		for i := range n {
			tasks = append(tasks, fmt.Sprintf(`{"command": "a %d", "schedule": "* * * * *"}`, i))
		}
		return []byte("{\n\"cron\": [" + strings.Join(tasks, ",") + "]}")
	}
	a, err := ParseAppJSON(file(100))
	if err != nil || a.Check() != nil || len(a.Cron) != 100 {
		t.Errorf("100 tasks: %d, %v, %v", len(a.Cron), err, a.Check())
	}
	want := `app.json:2: cron has 101 tasks, more than the limit of 100: have one task run several commands, as in "sh -c 'FIRST; SECOND'"`
	if a, err = ParseAppJSON(file(101)); err != nil || a.Check() == nil || a.Check().Error() != want || len(a.Cron) != 101 {
		t.Errorf("101 tasks: %d, %v, %v", len(a.Cron), err, a.Check())
	}
}

// FuzzCronWords: no command ends the program, or becomes more than it may.
func FuzzCronWords(f *testing.F) {
	for _, command := range []string{"npm run x", "{1..16000} {a,b{c,d}}", "{a..z..-3}$A${A:-b}", `"${A%x}" '{1..2}'`, "{..}{1..}{a..1}"} {
		f.Add(command)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words, err := CronWords(command, map[string]string{"A": "value"})
		size := 0
		for _, w := range words {
			size += len(w)
		}
		if err == nil && (len(words) > maxWords || size > 2*maxExpanded) {
			t.Errorf("%q becomes %d words of %d bytes", command, len(words), size)
		}
	})
}
