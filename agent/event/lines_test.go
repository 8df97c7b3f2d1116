package event

import (
	"fmt"
	"io"
	"testing"
)

func TestLines(t *testing.T) {
	const text = "one\r\n\ntwo\rthree\n123456789012\nlast"
	want := fmt.Sprintf("%q", []string{"one", "", "two\rthree", "1234567890", "12", "last"})
	for size := 1; size <= len(text); size++ {
		var got []string
		w := &Lines{Line: func(s string) { got = append(got, s) }, Longest: 10}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if written, err := io.WriteString(w, rest[:n]); written != n || err != nil {
				t.Fatal(written, err)
			}
			rest = rest[n:]
		}
		w.Flush()
		w.Flush()
		if fmt.Sprintf("%q", got) != want {
			t.Errorf("in pieces of %d: %q, want %s", size, got, want)
		}
	}
}

// TestLinesOfProgressBar: a bar that is drawn again and again is one line, however long.
func TestLinesOfProgressBar(t *testing.T) {
	var got []string
	w := &Lines{Line: func(s string) { got = append(got, s) }, Longest: 10}
	for range 100 {
		io.WriteString(w, "1%\r50%\r")
	}
	io.WriteString(w, "100%\nnext\n1%\r50%\r100%\r1%\r100%\r\n")
	w.Flush()
	if fmt.Sprintf("%q", got) != `["50%\r100%" "next" "100%"]` {
		t.Errorf("%q", got)
	}
}
