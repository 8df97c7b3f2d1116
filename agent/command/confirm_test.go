package command

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"dokku/agent/command/cli"
)

// TestQuestionWithoutTerminal: who types a command over ssh has no terminal on the server, and
// is asked before an answer is awaited.
func TestQuestionWithoutTerminal(t *testing.T) {
	f := newFixture(t)
	answer, typed := io.Pipe()
	printed, out := io.Pipe()
	asked := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(printed).ReadString('>')
		asked <- text
	}()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- Execute(t.Context(), cli.Env{Root: f.root, Stdin: answer, Stdout: out, Stderr: &errs}, []string{"apps:destroy", "hello"})
		out.Close()
	}()
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is asked before the answer")
	}
	go io.Copy(io.Discard, printed)
	io.WriteString(typed, "other\n")
	if code := <-ended; code != 1 || !strings.Contains(errs.String(), "Confirmation did not match hello. Aborted.") {
		t.Errorf("it ends with %d:\n%s", code, errs.String())
	}
}
