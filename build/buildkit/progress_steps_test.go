package buildkit

import (
	"strings"
	"testing"

	"dokku/build"
)

// TestProgressStepBegins: the name of a step is printed while it runs, once; a step that
// is over by then, or that a push hides, has one line or none.
func TestProgressStepBegins(t *testing.T) {
	s := newScreen()
	s.tick(s.at(1))
	quick, slow, fails := "[2/4] COPY . .", "[3/4] RUN sleep 3", "[4/4] RUN false"
	files := on("[internal] load build context")
	s.vertex(1, "[internal] load build context", 1, 0)
	s.tick(s.at(1.6))
	s.vertex(2, quick, 2, 0, files)
	s.tick(s.at(2.4))
	s.vertex(2.4, quick, 2, 2.4, files)
	s.vertex(3, slow, 3, 0, files)
	s.tick(s.at(3.4))
	s.tick(s.at(3.5))
	s.tick(s.at(4))
	s.vertex(6, slow, 3, 6, files)
	s.vertex(6, fails, 6, 0, files)
	s.tick(s.at(6.5))
	s.vertex(7, fails, 6, 7, files, failed("exit code: 1"))
	s.want(t, `
header
[2/4] COPY . .                                    0.4s
[3/4] RUN sleep 3
                                                  3.0s
[4/4] RUN false
                                           failed 1.0s
`)
}

// TestProgressSilentFailure: a step that fails without output is named beside its end, if
// another line came since its name.
func TestProgressSilentFailure(t *testing.T) {
	s := newScreen()
	s.tick(s.at(1))
	one, two := "[a 2/3] RUN slow-a", "[b 2/3] RUN slow-b"
	files := on("[internal] load build context")
	s.vertex(1, "[internal] load build context", 1, 1)
	s.vertex(2, one, 2, 0, files)
	s.vertex(2, two, 2, 0, files)
	s.tick(s.at(2.6))
	s.vertex(4, one, 2, 4, files, failed("exit code: 1"))
	s.want(t, `
header
[a 2/3] RUN slow-a
[b 2/3] RUN slow-b
[a 2/3] RUN slow-a                         failed 2.0s
`)
}

// TestProgressBeforeHeader: the name of a step waits for the header.
func TestProgressBeforeHeader(t *testing.T) {
	s := newScreen()
	s.vertex(0.1, "[1/2] RUN sleep 3", 0.1, 0, on("[internal] base"))
	s.tick(s.at(0.6))
	if s.text.Len() > 0 {
		t.Errorf("printed %q", s.text.String())
	}
	s.tick(s.at(1))
	s.want(t, "header\n[1/2] RUN sleep 3\n")
}

// TestProgressBar: a bar that is drawn again and again is one line, however long.
func TestProgressBar(t *testing.T) {
	s := newScreen()
	run, base := "[2/2] RUN npm ci", on("[internal] base")
	s.vertex(1, run, 1, 0, base)
	for i := range 10 * build.MaxLine {
		s.log(1, run, "\r"+strings.Repeat("#", i%40)+">")
	}
	s.log(2, run, "\r100%\r\nnext\n")
	s.log(2, run, strings.Repeat("50%\r", build.MaxLine)+"100%\n")
	s.log(2, run, strings.Repeat("50%\r", build.MaxLine)+"\n")
	s.want(t, `
header
[2/2] RUN npm ci
  | 100%
  | next
  | 100%
  | 50%
`)
}
