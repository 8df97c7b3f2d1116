package scale

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fill repeats a text to the length of the largest file of lines. A %d in it is a number.
func fill(text string) string {
	var b strings.Builder
	for n := 0; ; n++ {
		part := text
		if strings.Contains(text, "%d") {
			part = fmt.Sprintf(text, n)
		}
		if b.Len()+len(part) > maxLines-100 {
			return b.String()
		}
		b.WriteString(part)
	}
}

// cpuTime is the time that this process has computed: the machine may be busy with others.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestNoParserIsSlow (L5): a control file of the largest size took a parser seconds, and a
// push reads each file more than once. No file may take a second, however it is made.
func TestNoParserIsSlow(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 60) + fill(`{"%d":1,"x%[1]d":{}},`)
	procfiles := []string{
		fill("w%d: a\n"), fill("a\n"), fill("w: '\n"), fill(": "), "web: " + fill("("), "web: " + fill("$("), "web: " + fill("`"), "web: " + fill("${a:-"),
		"web: " + fill("{a,"), "web: " + fill("a|"), "web: " + fill("$((") + "1", "web: " + fill("'"), "web: " + fill(`\`), "web: " + fill("# "),
		"web: " + fill("<<a "), "web: " + fill("if :; then "), "web: a " + fill(`"$x" `), fill("w%d: a 'b\n"), fill("\r"), fill("//\n"),
	}
	scales := []string{fill("w%d=1\n"), fill("w=1\n"), fill("w=%d\n"), fill("w: 1\n"), fill("a=1 b=1 "), "w=" + fill("9"), fill("="), fill("w%d=100\n")}
	jsons := []string{
		fill("["), fill(`{"a":`), deep, `{"formation":{` + fill(`"w%d":{"quantity":100},`) + `}}`, `{"formation":{` + fill(`"w%d":{"a":1},`) + `}}`,
		`{"healthchecks":{"web":[` + fill(`{"x":1},`) + `]}}`, `{"healthchecks":{` + fill(`"w%d":[{"x":1}],`) + `}}`, `{"env":{` + fill(`"V%d":"x",`) + `}}`,
		`{"cron":[` + fill(`{"command":"a","schedule":"* * * * *"},`) + `]}`, `{"cron":[` + fill(`{"command":"a","x":1,"schedule":"`+strings.Repeat("1-2,", 100)+`"},`) + `]}`,
		`{"scripts":{"dokku":{"predeploy":"` + fill("(") + `"}}}`, `{"a":"` + fill(`\\`) + `"}`, "/*" + fill("*"), fill("//\n"), `{"quantity":` + fill("9") + `}`,
		`{"formation":` + fill(`"`), fill(`{"a":1}`), fill(`{"a%d":1},`), `{"addons":[` + fill(`{"a":[1,2,{}]},`) + `]}`,
	}
	slow := func(name, text string, f func()) {
		begun := cpuTime(t)
		f()
		if d := cpuTime(t) - begun; d > time.Second {
			t.Errorf("%s takes %s for %.60q", name, d.Round(time.Millisecond), text)
		}
	}
	for _, text := range procfiles {
		slow("Procfile", text, func() {
			p, err := ParseProcfile([]byte(text))
			if err != nil {
				return
			}
			p.CheckCommands()
			Resolve(Inputs{Procfile: p, Local: map[string]int{"web": 1}})
			var counts strings.Builder
			for _, typ := range p.Types() {
				if counts.Len() < maxLines-100 {
					fmt.Fprintf(&counts, "%s=1\n", typ)
				}
			}
			d, err := ParseDokkuScale([]byte(counts.String()), 100)
			if err != nil {
				t.Fatal(err)
			}
			Resolve(Inputs{Procfile: p, DokkuScale: d})
		})
	}
	for _, text := range scales {
		slow("DOKKU_SCALE", text, func() {
			d, err := ParseDokkuScale([]byte(text), 100)
			Resolve(Inputs{DokkuScale: d})
			p, _ := ParseProcfile([]byte(fill("w%d: a\n")))
			_ = p.ExplainScale(err)
			Resolve(Inputs{Procfile: p, DokkuScale: d})
		})
	}
	for _, text := range jsons {
		slow("app.json", text, func() {
			a, err := ParseAppJSON([]byte(text))
			if err == nil {
				a.CheckQuantities(100)
				a.Check()
				p, _ := ParseProcfile([]byte(fill("w%d: a\n")))
				Resolve(Inputs{Procfile: p, AppJSON: a})
			}
		})
	}
}
