package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dokku/agent/event"
)

// ErrNoApp is Dokku's message for a command line without an app.
var ErrNoApp = Refuse("Please specify an app to run the command on")

// ErrSilent ends a command with exit code 1 and without a message.
var ErrSilent = errors.New("")

// interrupted is a shell's exit code for a command that SIGINT ended.
const interrupted = 130

// Report prints an error as Dokku does and returns the exit code: 0 without an error,
// 130 after an interruption, else ExitCode. No other code of the program prints errors
// that end it.
func Report(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		printTo(stderr, event.StyleError, "Interrupted")
		return interrupted
	}
	if text := err.Error(); text != "" {
		printTo(stderr, event.StyleError, text)
	}
	return ExitCode(err)
}

// ExitCode returns the exit code that an error asks for with a method ExitCode, or 1.
func ExitCode(err error) int {
	var coded interface {
		error
		ExitCode() int
	}
	if errors.As(err, &coded) {
		// The exit code of a program that the agent ran is not ours.
		if _, program := coded.(*exec.ExitError); !program {
			return coded.ExitCode()
		}
	}
	return 1
}

// printTo writes the lines of a text in a style, in colour where the reader sees it.
func printTo(w io.Writer, s event.Style, text string) {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		out, _ := event.Format(s, line)
		out = strings.TrimRight(out, " ")
		if event.Coloured(w) {
			out = event.Paint(s, out)
		}
		b.WriteString(out + "\n")
	}
	io.WriteString(w, b.String())
}

// Refuse returns an error in the style of Dokku's messages, which begin with a capital
// letter.
func Refuse(format string, args ...any) error { return fmt.Errorf(format, args...) }

// usageError returns an error in a command line, followed by the usage line.
func usageError(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s\nUsage: dokku %s", fmt.Sprintf(format, args...), cmd.Use)
}

// flagError rewrites pflag's errors in our words.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var missing *pflag.NotExistError
	var value *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &missing):
		flag := "--" + missing.GetSpecifiedName()
		if short := missing.GetSpecifiedShortnames(); short != "" {
			flag = "-" + short
		}
		return usageError(cmd, "Invalid flag %s for %s, valid flags: %s", flag, cmd.Name(), flagNames(cmd))
	case errors.As(err, &value):
		return usageError(cmd, "--%s needs a value", value.GetFlag().Name)
	case errors.As(err, &invalid):
		return usageError(cmd, "Invalid value %q for --%s", invalid.GetValue(), invalid.GetFlag().Name)
	case errors.As(err, &syntax):
		return usageError(cmd, "Invalid flag %q for %s", syntax.GetSpecifiedFlag(), cmd.Name())
	}
	return usageError(cmd, "%s", err)
}

// flagError names what replaces a flag of Dokku's.
func (s Spec) flagError(cmd *cobra.Command, err error) error {
	if missing := new(pflag.NotExistError); errors.As(err, &missing) {
		if instead := s.Elsewhere[missing.GetSpecifiedName()]; instead != "" {
			return Refuse("The flag --%s of %s is not here, Dokku has it; here: %s", missing.GetSpecifiedName(), cmd.Name(), instead)
		}
	}
	return flagError(cmd, err)
}

func flagNames(cmd *cobra.Command) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			names = append(names, "--"+f.Name)
		}
	})
	return strings.Join(names, ", ")
}
