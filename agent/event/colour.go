package event

import (
	"io"
	"os"
	"slices"

	"golang.org/x/term"
)

// resetStyle ends the style of the text before it.
const resetStyle = "\x1b[0m"

// colours are the SGR codes of the lines of a style; a style without one is plain.
var colours = map[Style]string{
	StyleStep:    "1", // bold
	StyleResult:  "1",
	StyleSuccess: "1;32", // bold, green
	StyleWarning: "33",   // yellow
	StyleError:   "31",   // red
	StyleAlive:   "2",    // faint
}

// Paint returns a line that Format made, in the colour of its style.
func Paint(s Style, line string) string { return Tint(colours[s], line) }

// Tint returns text in the style of an SGR code, such as "32"; "" leaves it plain.
func Tint(code, text string) string {
	if code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + resetStyle
}

// screen is a writer whose reader sees colours.
type screen struct{ io.Writer }

func (screen) Coloured() bool { return true }

// Screen returns f, a standard stream of this process, as a writer that knows whether
// its reader sees colours. Terminals and Coloured ask it.
//
// The variables are those of https://no-color.org and https://bixense.com/clicolors:
// NO_COLOR turns colours off, CLICOLOR_FORCE and FORCE_COLOR turn them on for files
// and pipes too, CLICOLOR=0 and TERM=dumb turn them off on a terminal.
func Screen(f *os.File) io.Writer {
	return WithColour(f, wanted(term.IsTerminal(int(f.Fd())), os.Getenv))
}

// WithColour returns w as a writer whose reader sees colours, or w itself.
func WithColour(w io.Writer, on bool) io.Writer {
	if !on {
		return w
	}
	return screen{w}
}

// Coloured reports whether the reader of w sees colours. A plain file or buffer has none.
func Coloured(w io.Writer) bool {
	c, ok := w.(interface{ Coloured() bool })
	return ok && c.Coloured()
}

func wanted(terminal bool, getenv func(string) string) bool {
	force := func(name string) bool { return !slices.Contains([]string{"", "0", "false"}, getenv(name)) }
	switch {
	case getenv("NO_COLOR") != "":
		return false
	case force("CLICOLOR_FORCE"), force("FORCE_COLOR"):
		return true
	case getenv("CLICOLOR") == "0", getenv("TERM") == "", getenv("TERM") == "dumb":
		return false
	}
	return terminal
}
