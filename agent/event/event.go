package event

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Style is the format of an event on a terminal; it is the event's "style" field.
type Style string

const (
	StyleStep    Style = "step"    // "-----> text"
	StyleResult  Style = "result"  // "=====> text"
	StyleSuccess Style = "success" // "=====> text", of what was asked for
	StyleDetail  Style = "detail"  // seven spaces, text
	StyleValue   Style = "value"   // the same, of what the reader gave
	StyleWarning Style = "warning" // " !     text", to stderr
	StyleError   Style = "error"   // the same, of what ends an operation
	StyleOutput  Style = "output"  // a line that a build or an app printed
	StyleAlive   Style = "alive"   // seven spaces, text; in no log
	styleNone    Style = "none"    // host's log only
)

func (s Style) problem() bool { return s == StyleWarning || s == StyleError }

// Log writes events about one app. The zero value discards them.
type Log struct {
	z       *zerolog.Logger
	writers []io.Writer
	app     string
	hide    *strings.Replacer // nil: nothing is hidden
}

// New returns a log whose events go to every writer. They name the process, since
// hooks, commands and the agent write to one host's log. Writers are a *Host, a
// *Terminal or anything else that takes zerolog's JSON.
func New(writers ...io.Writer) Log {
	z := zerolog.New(zerolog.MultiLevelWriter(writers...)).With().Int("pid", os.Getpid()).Logger().Hook(stamp{})
	return Log{z: &z, writers: writers}
}

// stamp sets an event's time, in UTC and to the microsecond: steps of a deploy
// take milliseconds.
type stamp struct{}

func (stamp) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// Tee returns a log whose events go to w too.
func (l Log) Tee(w io.Writer) Log {
	writers := append(slices.Clone(l.writers), w)
	if l.z == nil {
		return New(w)
	}
	z := l.z.Output(zerolog.MultiLevelWriter(writers...))
	return Log{&z, writers, l.app, l.hide}
}

// Hiding returns a log in whose events these words do not stand: stars replace them.
func (l Log) Hiding(words []string) Log {
	if len(words) == 0 {
		return l
	}
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // one may be in another
	var pairs []string
	for _, w := range words {
		pairs = append(pairs, w, hiddenWord)
	}
	l.hide = strings.NewReplacer(pairs...)
	return l
}

// hiddenWord replaces what is hidden.
const hiddenWord = "****"

// WithApp returns a log whose events name the app.
func (l Log) WithApp(app string) Log {
	if l.app == app {
		return l
	}
	l = l.with("app", app)
	l.app = app
	return l
}

// WithRelease returns a log whose events name the release.
func (l Log) WithRelease(n int) Log { return l.with("release", n) }

func (l Log) with(key string, value any) Log {
	if l.z == nil {
		return l
	}
	z := l.z.With().Interface(key, value).Logger()
	return Log{&z, l.writers, l.app, l.hide}
}

// Step announces the next step.
func (l Log) Step(format string, args ...any) {
	l.emit(zerolog.InfoLevel, StyleStep, format, args)
}

// Result reports a result, or begins a section.
func (l Log) Result(format string, args ...any) {
	l.emit(zerolog.InfoLevel, StyleResult, format, args)
}

// Success reports that what was asked for is done.
func (l Log) Success(format string, args ...any) {
	l.emit(zerolog.InfoLevel, StyleSuccess, format, args)
}

// Detail explains the last step or result.
func (l Log) Detail(format string, args ...any) {
	l.emit(zerolog.DebugLevel, StyleDetail, format, args)
}

// Value shows a value as its reader gave it: nothing in it is a hint.
func (l Log) Value(format string, args ...any) {
	l.emit(zerolog.DebugLevel, StyleValue, format, args)
}

// Warn reports a problem.
func (l Log) Warn(format string, args ...any) {
	l.emit(zerolog.WarnLevel, StyleWarning, format, args)
}

// Error reports what ends an operation.
func (l Log) Error(format string, args ...any) {
	l.emit(zerolog.WarnLevel, StyleError, format, args)
}

// Output passes on a line that a build or an app printed. Of a line that was drawn over
// itself it passes on the last state.
func (l Log) Output(line string) { l.PrefixedOutput("", line) }

// PrefixedOutput is Output with a prefix that stays, whatever the line draws over.
func (l Log) PrefixedOutput(prefix, line string) {
	l.emit(zerolog.TraceLevel, StyleOutput, "%s", []any{prefix + Drawn(line)})
}

// Alive says that something is still under way, to terminals only. See also Busy.
func (l Log) Alive(format string, args ...any) {
	l.emit(zerolog.TraceLevel, StyleAlive, format, args)
}

// Timed starts a step that only the host's log shows; the returned function
// ends it and records how long it took and how it ended.
func (l Log) Timed(step string) func(error) {
	start := time.Now()
	return func(err error) {
		if l.z == nil {
			return
		}
		e := l.z.Info()
		if err != nil {
			e = l.z.Error().Err(err)
		}
		e.Str("style", string(styleNone)).Str("step", step).
			Dur("duration", time.Since(start)).Msg(step)
	}
}

// Note records something in the host's log only.
func (l Log) Note(format string, args ...any) {
	l.emit(zerolog.InfoLevel, styleNone, format, args)
}

// Record records values in the host's log only.
func (l Log) Record(what string, values map[string]any) {
	if l.z != nil {
		l.z.Info().Str("style", string(styleNone)).Fields(values).Msg(what)
	}
}

func (l Log) emit(level zerolog.Level, s Style, format string, args []any) {
	if l.z == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if l.hide != nil {
		text = l.hide.Replace(text)
	}
	for _, line := range strings.Split(text, "\n") {
		l.z.WithLevel(level).Str("style", string(s)).Msg(line)
	}
}
