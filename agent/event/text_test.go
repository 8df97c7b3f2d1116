package event

import (
	"regexp"
	"strings"
	"testing"
)

// TestDrawn: of a line that was drawn over itself the last state is readable.
func TestDrawn(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                 "plain",
		"10%\r50%\r100%":                        "100%",
		"10%\r50%\r100%\r":                      "100%",
		"100%\r\x1b[K":                          "100%",
		"\x1b[2K\x1b[1Gyarn install":            "yarn install",
		"a\x1b[1Gb\x1b[2Kc":                     "c",
		"one\x1b[1A\x1b[2Ktwo":                  "two",
		"one\x1b[2J\x1b[Htwo":                   "one\x1b[2J\x1b[Htwo",
		"|\b/\b-\bdone":                         "done",
		"é\bx":                                  "x",
		"\b\bx":                                 "x",
		"\x1b[32mok\x1b[0m\b\b":                 "\x1b[32mok\x1b[0m",
		"1%\r\x1b[32m2%\x1b[0m":                 "\x1b[32m2%\x1b[0m",
		"\r\r":                                  "",
		"[1/2] RUN printf 'x'":                  "[1/2] RUN printf 'x'",
		"\x1b[5Gkept\x1b[K \x1b[0Kkept":         "\x1b[5Gkept\x1b[K \x1b[0Kkept",
		strings.Repeat("x", 1<<16) + "\r" + "y": "y",
	} {
		if got := Drawn(in); got != want {
			t.Errorf("Drawn(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestStyled keeps the style of a text, and nothing that moves the cursor, erases or
// hides.
func TestStyled(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                   "plain",
		"\x1b[31mred\x1b[0m":                      "\x1b[31mred\x1b[0m",
		"\x1b[1;38;5;8mgrey":                      "\x1b[1;38;5;8mgrey\x1b[0m",
		"\x1b[48;2;5;6;8mdark":                    "\x1b[48;2;5;6;8mdark\x1b[0m",
		"\x1b[38:2::1:2:3mx":                      "\x1b[38:2::1:2:3mx\x1b[0m",
		"\x1b[mx":                                 "\x1b[mx\x1b[0m",
		"\x1b[8mhidden":                           "hidden",
		"\x1b[1;08mhidden":                        "hidden",
		"\x1b[38;5;1;8mhidden":                    "hidden",
		"\x1b[5mblinking":                         "blinking",
		"\x1b[>4mx\x1b[?25ly":                     "xy",
		"\x1b[2J\x1b[1;1H\x1b[3Ax":                "x",
		"\x1b]0;title\x07x\x1bcy\x1b7z":           "xyz",
		"\x1b[31":                                 "",
		"\x1b[" + strings.Repeat("1;", 40) + "mx": "x",
	} {
		if got := Styled(in); got != want {
			t.Errorf("Styled(%q) = %q, want %q", in, got, want)
		}
	}
}

// sgrSequence is what is to be removed to see a text without colours.
var sgrSequence = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

func FuzzStyled(f *testing.F) {
	for _, s := range []string{"\x1b[31mx\x1b]0;t\x07", "1%\r\x1b[2K2%\b\b", "\x1b[8;38;5;8mx", "00\x1bX\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		styled := Styled(s)
		plain := sgrSequence.ReplaceAllString(styled, "")
		if plain != Printable(s) {
			t.Errorf("Styled(%q) is %q, which is not %q with colours", s, styled, Printable(s))
		}
		if strings.ContainsAny(plain, "\x1b\r\b") {
			t.Errorf("Styled(%q) lets %q through", s, styled)
		}
		// A control string that never ends keeps its carriage return, and is left out with it.
		if drawn := Drawn(s); strings.ContainsAny(Printable(drawn), "\r") || len(drawn) > len(s) {
			t.Errorf("Drawn(%q) = %q", s, drawn)
		}
	})
}
