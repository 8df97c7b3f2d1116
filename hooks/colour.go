package hooks

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/event"
)

// terminal returns the pusher's terminal, in colour where the app's color property says
// so. option is the push option of that name, which wins; "" means there is none.
func terminal(out, errs io.Writer, srv Server, name, option string) *event.Terminal {
	on := option
	if set, err := srv.Settings(); err == nil && on == "" {
		if a, err := srv.Load(name); err == nil {
			on = app.View{App: a, Settings: set}.PushColour()
		} else {
			on = set.Git[app.PropColour] // the push creates the app
		}
	}
	colour := on == app.ColourAlways
	return event.NewTerminal(event.WithColour(out, colour), event.WithColour(errs, colour), false)
}

// colourOption returns the value of the last push option "color"; "" if there is none.
// Other options are not ours: people set them for every remote they push to.
func colourOption(getenv func(string) string) (string, error) {
	colour := ""
	count, _ := strconv.Atoi(getenv("GIT_PUSH_OPTION_COUNT"))
	for i := range count {
		option := getenv("GIT_PUSH_OPTION_" + strconv.Itoa(i))
		name, value, valued := strings.Cut(option, "=")
		switch {
		case name == "colour":
		case name != app.PropColour:
			continue
		case !valued:
			colour = app.ColourAlways
			continue
		case app.CheckColour(value) == nil:
			colour = value
			continue
		}
		return "", fmt.Errorf("cannot use the push option %q: it is color, or color= with %s, %s or %s, as in git push -o color=%[3]s",
			event.OneLine(option), app.ColourAlways, app.ColourNever, app.ColourAuto)
	}
	return colour, nil
}
