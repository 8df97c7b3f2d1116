package checks

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"dokku/agent/event"
)

// Failure is the reason for which the gate rejected a deploy.
type Failure struct {
	Target Target
	// Check is the failed check; the zero Check if the process ended and only had to
	// stay up.
	Check Check
	// Attempts are those of Check, each with its last answer.
	Attempts []AttemptResult
	// Process is the process as it was afterwards: exit code, memory. The zero
	// Process where it could not be looked at.
	Process Process
	// Reason is the last answer, or how the process ended.
	Reason string
	// Suggestion is what to try first, and how to have the process accepted as it is.
	Suggestion string
	// Also are the other checks that had failed by then.
	Also []*Failure

	ended bool
	// silent: it is web and did not listen on its port, which is all that it had to do.
	silent    bool
	listening listening
}

// Error says which process failed which check and how, in one line.
func (f *Failure) Error() string {
	if f.ended || f.silent {
		return f.Target.Name + " " + f.Reason
	}
	return title(f.Target, f.Check) + ": " + f.Reason
}

// Ended reports whether the process itself ended, rather than failed a check.
func (f *Failure) Ended() bool { return f.ended }

// Print writes the report of a rejected deploy: the failed checks, the state of the
// process, the last lines of its log, Dokku's closing line and one suggestion. The gate
// has printed the attempts already.
func (f *Failure) Print(log event.Log, app string, output []string) {
	for _, one := range append([]*Failure{f}, f.Also...) {
		log.Error("%s", one.Error())
		if answer := one.answered(); answer != "" {
			log.Detail("%s", answer)
		}
	}
	if f.ended {
		for _, r := range f.Attempts {
			log.Detail("its check %s until then: %s", f.Check, r)
		}
	}
	if state := f.state(); state != "" {
		log.Detail("%s", state)
	}
	if len(output) > 0 {
		log.Result("%s container output:", app)
		for _, line := range output {
			log.Output(line)
		}
		log.Result("end %s container output", app)
	} else {
		log.Detail("%s printed nothing", f.Target.Name)
	}
	log.Error("Could not start due to %d failed checks.", 1+len(f.Also))
	for line := range strings.Lines(f.Suggestion) {
		log.Detail("%s", strings.TrimSuffix(line, "\n"))
	}
}

// state describes the process: running, or how it ended.
func (f *Failure) state() string {
	in := f.Process
	switch {
	case in.Status == "":
		return ""
	case in.OOMKilled:
		return fmt.Sprintf("%s: exit code %d, memory ran out", f.Target.Name, in.ExitCode)
	case in.ExitCode == killed:
		return fmt.Sprintf("%s: exit code %d, most likely memory ran out", f.Target.Name, in.ExitCode)
	case in.Running() && !f.ended:
		return fmt.Sprintf("%s still runs, memory did not run out", f.Target.Name)
	}
	return fmt.Sprintf("%s: exit code %d, memory did not run out", f.Target.Name, in.ExitCode)
}

// suggest returns what to try first.
func suggest(f *Failure, app string) string {
	if f.ended {
		return suggestEnded(f, app)
	}
	if f.silent {
		return suggestSilent(f, app)
	}
	var last AttemptResult
	if n := len(f.Attempts); n > 0 {
		last = f.Attempts[n-1]
	}
	var content contentError
	var redirect redirectError
	var timeout timeoutError
	source := f.Check.Source
	if f.Check.Line > 0 {
		source = fmt.Sprintf("%s:%d", source, f.Check.Line)
	}
	switch {
	case errors.Is(last.Err, syscall.ECONNREFUSED):
		port := f.port()
		return fmt.Sprintf("Nothing accepted a connection on port %d: %s. %s\nIf it only needs longer to start, raise WAIT or ATTEMPTS.",
			port, f.listening.state(port), f.listening.fix(app, port))
	case errors.As(last.Err, &content):
		return fmt.Sprintf("The page is there without the text: correct the page, or %s.", source)
	case errors.As(last.Err, &redirect):
		return fmt.Sprintf("If %s is a name of this app: dokku domains:add %s NAME. Else correct %s.", clip(redirect.to), app, source)
	case errors.As(last.Err, &timeout):
		return "Look in its output for the cause of the delay; if it needs this long, raise TIMEOUT."
	}
	return suggestStatus(last.Status, source, f.Check, app)
}

func (f *Failure) port() int { return cmp.Or(f.Check.Port, f.Target.Port) }

// suggestSilent returns the fix for a web process that does not listen on its port, and
// the ways to have it accepted nevertheless.
func suggestSilent(f *Failure, app string) string {
	return fmt.Sprintf("%s\nIf it only needs longer: dokku checks:set %s listen-timeout 120. To accept it as Dokku does: dokku checks:set %[2]s require-listening false",
		f.listening.fix(app, f.port()), app)
}

func suggestStatus(status int, source string, c Check, app string) string {
	switch {
	case c.Source == imageSource:
		return fmt.Sprintf("This is the image's HEALTHCHECK. To leave it out: dokku checks:set %s image-healthcheck false", app)
	case c.Kind == Command:
		return fmt.Sprintf("Run the command by dokku enter %s, or correct it in %s.", app, source)
	case status == 400 && c.Source == appJSONName:
		return fmt.Sprintf("Many frameworks refuse unknown host names. Ask for one that the app knows in %s: "+
			`"httpHeaders": [{"name": "Host", "value": "example.com"}], or dokku domains:set %s example.com`, source, app)
	case status == 400:
		return fmt.Sprintf("Many frameworks refuse unknown host names. Ask for one that the app knows in %s, as //example.com/path, or dokku domains:set %s example.com",
			source, app)
	case status == 401 || status == 403:
		return fmt.Sprintf("The page needs a login: let %s request a public page.", source)
	case status == 404:
		return fmt.Sprintf("The app has no such page: correct the path in %s.", source)
	case status >= 500:
		return "The app fails to answer: the cause is most likely in its output."
	}
	return "The cause is most likely in the output of the app."
}

func suggestEnded(f *Failure, app string) string {
	in := f.Process
	switch {
	case in.OOMKilled:
		return "It exceeded its memory limit: raise the limit, or start fewer workers in it."
	case in.ExitCode == 0:
		return "A process has to keep running: run a command that ends by itself as the release command, or set its count to 0."
	case in.ExitCode == 126:
		return "The command cannot be executed: is the file executable, and built for this machine?"
	case in.ExitCode == 127:
		return "The command was not found in the image: check its spelling in the Procfile or in the Dockerfile's CMD, and its path."
	case in.ExitCode == killed:
		return "It was killed from outside (signal 9): most likely its memory ran out, or that of the whole server (see dmesg there); else by a person."
	case in.ExitCode == 139:
		return "It crashed (signal 11): is the image built for this machine?"
	}
	return fmt.Sprintf("The cause is most likely in its output; its configuration: dokku config:show %s", app)
}
