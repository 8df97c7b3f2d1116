package hooks

import (
	"io"
	"strconv"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// openTerminal returns the terminal of the person who waits for the push: out and errs,
// which git passes on, or the streams of a command on this server.
func openTerminal(env Env, out, errs io.Writer, srv Server, name, option string) *event.Terminal {
	own, ownErrs, local := event.OpenStreams(env.Getenv(event.StreamsVar))
	var term *event.Terminal
	if local {
		term = event.NewTerminal(own, ownErrs, false)
	} else {
		term = terminal(out, errs, srv, name, option)
	}
	term.Over(env.Getenv(event.RemoteVar))
	return term
}

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

// pushOptions returns the options of the push, as git hands them to its hooks.
func pushOptions(getenv func(string) string) (deploy.PushOptions, error) {
	var list []string
	count, _ := strconv.Atoi(getenv("GIT_PUSH_OPTION_COUNT"))
	for i := range count {
		list = append(list, getenv("GIT_PUSH_OPTION_"+strconv.Itoa(i)))
	}
	return deploy.ParsePushOptions(list)
}
