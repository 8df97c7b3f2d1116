package pack

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dokku/build"
	"dokku/build/container"
)

// The phases whose output a filter knows.
const (
	detecting = "detect"
	building  = "build"
)

// filter takes what tells a pusher nothing out of the output of a phase. The lifecycle
// runs with its debug messages, because only they name the buildpack that runs, and what
// each one said when it did not fit.
type filter struct {
	print func(build.Line)
	step  string
	phase string
	quiet bool // hold all output back

	held      []build.Line // lines that are printed if the phase fails
	announced *build.Line  // the step's name, until a line follows
	ended     *build.Line  // the step's end
	current   string       // the buildpack that runs
	inside    bool         // its own output comes
	said      map[string][]string
	about     string // the buildpack whose output of detect comes
	results   []string
	tail      []string
	errors    []string // the lifecycle's own messages
}

// line takes one line of a container's output.
func (f *filter) line(l build.Line) {
	switch {
	case l.Kind == build.KindStep && f.announced == nil && l.Text == build.Shorten(f.step, build.StepWidth):
		f.announced = &l
	case l.Kind == build.KindStep:
		f.ended = &l
	case l.Kind == build.KindOutput:
		f.output(l, strings.TrimPrefix(l.Text, build.OutputIndent))
	case l.Kind == build.KindAlive:
		f.announce()
		f.print(l)
	default:
		f.print(l)
	}
}

// end prints the step's end, and before it, if the phase failed, what was held back.
func (f *filter) end(failed bool) {
	if failed {
		f.release()
	}
	if f.ended != nil {
		f.print(*f.ended)
	}
}

// announce prints the name of the step, once.
func (f *filter) announce() {
	if f.announced != nil && f.announced.Text != "" {
		f.print(*f.announced)
		f.announced.Text = ""
	}
}

func (f *filter) output(l build.Line, text string) {
	message, ok := strings.CutPrefix(text, "ERROR: ")
	if ok && (!f.inside || strings.HasPrefix(message, buildFailed)) {
		f.errors, f.inside = append(f.errors, message), false
		if !f.quiet {
			f.held = append(f.held, l)
			return
		}
	}
	keep := !f.quiet
	switch {
	case f.quiet:
	case f.phase == detecting:
		keep = f.detected(text)
	case f.phase == building:
		keep = f.built(&l, text)
	}
	if !keep {
		if f.held = append(f.held, l); len(f.held) > build.TailLines {
			f.held = slices.Delete(f.held, 0, 1)
		}
		return
	}
	f.show(l)
}

func (f *filter) show(l build.Line) {
	f.announce()
	if f.tail = append(f.tail, strings.TrimPrefix(l.Text, build.OutputIndent)); len(f.tail) > build.TailLines {
		f.tail = slices.Delete(f.tail, 0, 1)
	}
	f.print(l)
}

// release prints what was held back of a phase that failed: of detect what each buildpack
// said, of another one all that is not about the lifecycle itself.
func (f *filter) release() {
	switch {
	case f.phase == building && f.current != "":
		// The buildpack's output has been printed.
	case f.phase == detecting && len(f.results) > 0:
		for _, id := range slices.Sorted(maps.Keys(f.said)) {
			for _, line := range f.said[id] {
				f.show(build.Line{Kind: build.KindOutput, Step: f.step, Text: build.OutputIndent + id + ": " + line})
			}
		}
	default:
		for _, l := range f.held {
			if !debugLine(strings.TrimPrefix(l.Text, build.OutputIndent)) {
				f.show(l)
			}
		}
	}
	f.held = nil
}

// buildFailed begins the lifecycle's last message about a buildpack that failed.
const buildFailed = "failed to build: "

var (
	runs    = regexp.MustCompile(`^Running build for buildpack (\S+@\S+)$`)
	output  = regexp.MustCompile(`^======== (?:Output|Error): (\S+@\S+) ========$`)
	result  = regexp.MustCompile(`^(pass|fail|skip|err): +(\S+@\S+)(.*)$`)
	fits    = regexp.MustCompile(`^\S+ +\S+$`)
	exitErr = regexp.MustCompile(`exit status (\d+)`)
)

// built reports whether a line of the build belongs to a buildpack. The name of one is
// printed when it begins.
func (f *filter) built(l *build.Line, text string) bool {
	if m := runs.FindStringSubmatch(text); m != nil && !f.inside {
		f.current = m[1]
		l.Text = build.OutputIndent + m[1]
		return true
	}
	switch {
	case text == "Running build command" && !f.inside:
		f.inside = true
		return false
	case text == "Processing layers" || strings.HasPrefix(text, "Finished running build for buildpack "):
		f.inside = false
		return false
	case strings.HasPrefix(text, "Timer: Builder ran for "):
		return false
	case strings.HasPrefix(text, "Warning: "):
		return true
	}
	return f.inside
}

// detected reports whether a line of detect names a buildpack that fits. It keeps what
// the others said.
func (f *filter) detected(text string) bool {
	if m := output.FindStringSubmatch(text); m != nil {
		f.about = m[1]
		return false
	}
	if m := result.FindStringSubmatch(text); m != nil {
		f.about = ""
		f.results = append(f.results, text)
		return false
	}
	switch {
	case strings.HasPrefix(text, "======== "), strings.HasPrefix(text, "Timer: "), strings.HasPrefix(text, "Resolving plan"):
		f.about = ""
	case f.about != "":
		if f.said == nil {
			f.said = map[string][]string{}
		}
		if line := strings.TrimSpace(text); line != "" && !slices.Contains(f.said[f.about], line) {
			f.said[f.about] = append(f.said[f.about], line)
		}
	default:
		return fits.MatchString(text) && !debugLine(text)
	}
	return false
}

// chatter begins the debug messages of the lifecycle around the phases.
var chatter = []string{"Starting ", "Parsing inputs", "Ensuring privileges", "Executing command", "Timer: ", "Checking for match", "Resolving plan",
	"Looking up buildpack", "Finding plan", "Creating plan directory", "Preparing paths", "Running build command", "Processing layers", "Updating ",
	"Reading output files", "Finished ", "Copying SBOM", "Creating SBOM", "Listing processes", "======== Results"}

func debugLine(text string) bool {
	return slices.ContainsFunc(chatter, func(c string) bool { return strings.HasPrefix(text, c) })
}

// exitCode is the exit code of the buildpack that failed, as the lifecycle tells it.
func (f *filter) exitCode() (int, bool) {
	for _, e := range f.errors {
		if m := exitErr.FindStringSubmatch(e); m != nil {
			code, err := strconv.Atoi(m[1])
			return code, err == nil
		}
	}
	return 0, false
}

// reason is the lifecycle's own message.
func (f *filter) reason(end container.End) string {
	if len(f.errors) == 0 {
		return fmt.Sprintf("it ended with exit code %d", end.ExitCode)
	}
	return strings.TrimPrefix(f.errors[len(f.errors)-1], "failed to ")
}
