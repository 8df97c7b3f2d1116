package deploy

import (
	"strings"
	"testing"
)

// TestParsePushOptions reads the options of a push, and refuses what it does not know.
func TestParsePushOptions(t *testing.T) {
	const all = "git push -o takes cancel, color[=always|never|auto], detach, message=TEXT, no-wait, plan, skip-checks"
	long := "message=" + strings.Repeat("ö", 501)
	for list, want := range map[string]struct {
		options PushOptions
		err     string
	}{
		"":                           {},
		"color":                      {options: PushOptions{Colour: "always"}},
		"color=never":                {options: PushOptions{Colour: "never"}},
		"color=auto":                 {options: PushOptions{Colour: "auto"}},
		"color,color=never":          {options: PushOptions{Colour: "never"}},
		"color=never,color":          {options: PushOptions{Colour: "always"}},
		"plan,no-wait":               {options: PushOptions{Plan: true, NoWait: true}},
		"cancel,skip-checks":         {options: PushOptions{Cancel: true, SkipChecks: true}},
		"message=Fix the login: a=b": {options: PushOptions{Message: "Fix the login: a=b"}},
		"message=one,message=two":    {options: PushOptions{Message: "two"}},
		"ci.skip":                    {err: `unknown push option "ci.skip": ` + all},
		"Plan":                       {err: `unknown push option "Plan": ` + all},
		"colour":                     {err: `unknown push option "colour": ` + all},
		"color=pink":                 {err: `cannot use the push option "color=pink": it is git push -o color[=always|never|auto]`},
		"color=":                     {err: `cannot use the push option "color=": it is git push -o color[=always|never|auto]`},
		"color=\x1b[31mred":          {err: `cannot use the push option "color=red": it is git push -o color[=always|never|auto]`},
		"plan=yes":                   {err: `cannot use the push option "plan=yes": it is git push -o plan`},
		"message":                    {err: `cannot use the push option "message": it is git push -o message=TEXT`},
		"message=\x1b[1mBold\x07 ":   {options: PushOptions{Message: "Bold"}},
		long:                         {err: `cannot use the push option message: its text has 501 characters, and 500 are the most`},
		"cancel,no-wait":             {err: `cannot use the push options cancel and no-wait together: a push waits until the deploy that it cancels has cleaned up`},
		"message= ":                  {err: `cannot use the push option "message= ": it is git push -o message=TEXT`},
	} {
		var words []string
		if list != "" {
			words = strings.Split(list, ",")
		}
		got, err := ParsePushOptions(words)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != want.err || err == nil && got != want.options {
			t.Errorf("%q: %+v, %q; want %+v, %q", list, got, text, want.options, want.err)
		}
	}
}
