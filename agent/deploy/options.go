package deploy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"dokku/agent/app"
	"dokku/agent/event"
)

// PushOptions are what the options of one git push (-o) ask for.
type PushOptions struct {
	// Colour is the value of color; "": the app's property decides.
	Colour string
	// Plan: only say what the push would do, and decline it.
	Plan bool
	// Cancel: end the deploy that is under way and take its place.
	Cancel bool
	// Detach: only judge the revision; the deploy goes on without the pusher.
	Detach bool
	// NoWait: fail at once where another deploy or command is under way.
	NoWait bool
	// SkipChecks: skip CHECKS and healthchecks. Web must listen all the same.
	SkipChecks bool
	// Message is a person's note on the release; "": none.
	Message string
}

// pushOption is one option of a push. A flag takes no value.
type pushOption struct {
	name, form string
	set        func(o *PushOptions, value string, valued bool) bool
}

func pushFlag(name string, field func(*PushOptions) *bool) pushOption {
	return pushOption{name, name, func(o *PushOptions, _ string, valued bool) bool {
		*field(o) = true
		return !valued
	}}
}

// pushOptions are all of them, by name.
var pushOptions = []pushOption{
	pushFlag("cancel", func(o *PushOptions) *bool { return &o.Cancel }),
	{app.PropColour, "color[=always|never|auto]", func(o *PushOptions, value string, valued bool) bool {
		if o.Colour = value; !valued {
			o.Colour = app.ColourAlways
		}
		return app.CheckColour(o.Colour) == nil
	}},
	pushFlag("detach", func(o *PushOptions) *bool { return &o.Detach }),
	{"message", "message=TEXT", func(o *PushOptions, value string, valued bool) bool {
		o.Message = strings.TrimSpace(event.Printable(value))
		return o.Message != ""
	}},
	pushFlag("no-wait", func(o *PushOptions) *bool { return &o.NoWait }),
	pushFlag("plan", func(o *PushOptions) *bool { return &o.Plan }),
	pushFlag("skip-checks", func(o *PushOptions) *bool { return &o.SkipChecks }),
}

// ParsePushOptions reads the options of a push, as git hands them on. Of an option that
// is given twice the last one counts. An option that it does not know is an error: a push
// that ignores a wrong skip-checks or plan does what its pusher wanted to avoid.
func ParsePushOptions(list []string) (o PushOptions, err error) {
	for _, option := range list {
		name, value, valued := strings.Cut(option, "=")
		n := slices.IndexFunc(pushOptions, func(p pushOption) bool { return p.name == name })
		if n < 0 {
			return o, fmt.Errorf("unknown push option %q: git push -o takes %s", event.OneLine(option), pushOptionForms())
		}
		if !pushOptions[n].set(&o, value, valued) {
			return o, fmt.Errorf("cannot use the push option %q: it is git push -o %s", event.OneLine(option), pushOptions[n].form)
		}
	}
	if n := utf8.RuneCountInString(o.Message); n > longestMessage {
		return o, fmt.Errorf("cannot use the push option message: its text has %d characters, and %d are the most", n, longestMessage)
	}
	if o.Plan && o.Detach {
		return o, fmt.Errorf("cannot use the push options plan and detach together: a plan deploys nothing")
	}
	if o.Cancel && o.NoWait {
		return o, fmt.Errorf("cannot use the push options cancel and no-wait together: a push waits until the deploy that it cancels has cleaned up")
	}
	return o, nil
}

// Later returns the options that the deploy of a detached push gets, as git takes them.
func (o PushOptions) Later() (list []string) {
	for _, flag := range []struct {
		name string
		set  bool
	}{{"cancel", o.Cancel}, {"no-wait", o.NoWait}, {"skip-checks", o.SkipChecks}} {
		if flag.set {
			list = append(list, flag.name)
		}
	}
	if o.Message != "" {
		list = append(list, "message="+o.Message)
	}
	return list
}

// longestMessage is the longest message of a push, in characters: lists show it.
const longestMessage = 500

func pushOptionForms() string {
	var forms []string
	for _, p := range pushOptions {
		forms = append(forms, p.form)
	}
	return strings.Join(forms, ", ")
}
