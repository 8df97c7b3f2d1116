package checks

import (
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
	// Suggestion is the one thing to try first, in one line.
	Suggestion string
	// Also are the other checks that had failed by then.
	Also []*Failure

	ended bool
	ports []int // that the process listened on
}

// Error says which process failed which check and how, in one line.
func (f *Failure) Error() string {
	if f.ended {
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
	log.Warn("%s", f.Error())
	for _, other := range f.Also {
		log.Warn("%s", other.Error())
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
	log.Warn("Could not start due to %d failed checks.", 1+len(f.Also))
	if f.Suggestion != "" {
		log.Detail("%s", f.Suggestion)
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
	case in.Running() && !f.ended:
		return fmt.Sprintf("%s still runs, memory did not run out", f.Target.Name)
	}
	return fmt.Sprintf("%s: exit code %d, memory did not run out", f.Target.Name, in.ExitCode)
}

// suggest returns the one thing to try first.
func suggest(f *Failure) string {
	if f.ended {
		return suggestEnded(f)
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
		port := f.Check.Port
		if port == 0 {
			port = f.Target.Port
		}
		return "Nothing accepted a connection: " + listening(f.ports, port) + "; if it only needs longer to start, raise WAIT or ATTEMPTS."
	case errors.As(last.Err, &content):
		return fmt.Sprintf("The page is there without the text: correct the page, or %s.", source)
	case errors.As(last.Err, &redirect):
		return fmt.Sprintf("If %s is a name of this app, add it by dokku domains:add; else correct %s.", clip(redirect.to), source)
	case errors.As(last.Err, &timeout):
		return "Look in its output for the cause of the delay; if it needs this long, raise TIMEOUT."
	}
	return suggestStatus(last.Status, source, f.Check)
}

func suggestStatus(status int, source string, c Check) string {
	switch {
	case c.Kind == Command:
		return fmt.Sprintf("Run the command by dokku enter, or correct it in %s.", source)
	case status == 400 && strings.Contains(c.URL, "://localhost/"):
		return fmt.Sprintf("Many frameworks refuse unknown host names: name one that the app knows in %s, as //example.com/path.", source)
	case status == 401 || status == 403:
		return fmt.Sprintf("The page needs a login: let %s request a public page.", source)
	case status == 404:
		return fmt.Sprintf("The app has no such page: correct the path in %s.", source)
	case status >= 500:
		return "The app fails to answer: the cause is most likely in its output."
	}
	return "The cause is most likely in the output of the app."
}

func suggestEnded(f *Failure) string {
	in := f.Process
	switch {
	case in.OOMKilled:
		return "It exceeded its memory limit: raise the limit, or start fewer workers in it."
	case in.ExitCode == 0:
		return "A process has to keep running: run a command that ends by itself as the release command, or set its count to 0."
	case in.ExitCode == 126:
		return "The command cannot be executed: is the file executable, and built for this machine?"
	case in.ExitCode == 127:
		return "The command was not found in the image: check its spelling in the Procfile, and its path."
	case in.ExitCode == 137:
		return "It was killed from outside (signal 9)."
	case in.ExitCode == 139:
		return "It crashed (signal 11): is the image built for this machine?"
	}
	return "The cause is most likely in its output; dokku config:show shows its configuration."
}
