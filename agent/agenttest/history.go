package agenttest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A History records commands with their outcomes and times. It is safe for concurrent
// use.
type History struct {
	mu    sync.Mutex
	begun time.Time
	ops   []porcupine.Operation
}

// NewHistory returns an empty history, of a server without apps.
func NewHistory() *History { return &History{begun: time.Now()} }

// Now returns the current time for Add.
func (h *History) Now() int64 { return int64(time.Since(h.begun)) }

// Add records a client's command, which was called at the given time and has just
// returned.
func (h *History) Add(client int, called int64, c Command, o Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: c, Output: o, Call: called, Return: h.Now()})
}

// Unknown lists the errors that this package does not know, each with its command.
func (h *History) Unknown() (list []string) {
	for _, op := range h.ops {
		if text := op.Output.(Outcome).Refused; text != "" && !Understood(text) {
			list = append(list, fmt.Sprintf("%s: %s", op.Input, text))
		}
	}
	return list
}

// Check returns an error unless there is one order of all commands.
func (h *History) Check(patience time.Duration) error {
	switch porcupine.CheckOperationsTimeout(model, h.ops, patience) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("whether there is an order of %d commands was not found out in %s", len(h.ops), patience)
	}
	return errors.New("there is no order of the commands that explains their outcomes:\n" + h.around())
}

// around describes the first prefix of the history that has no order: its last commands
// and those that ran at the same time.
func (h *History) around() string {
	ops := slices.Clone(h.ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Return - b.Return) })
	low, high := 0, len(ops) // ops[:low] has an order, ops[:high] none
	for high-low > 1 {
		mid := (low + high) / 2
		if porcupine.CheckOperations(model, prefix(ops, mid)) {
			low = mid
		} else {
			high = mid
		}
	}
	last, now := ops[high-1], prefix(ops, high)
	var lines []string
	for n, op := range now {
		c, l := op.Input.(Command), last.Input.(Command)
		if n == high-1 || slices.Contains([]string{c.App, c.To}, l.App) || l.To != "" && slices.Contains([]string{c.App, c.To}, l.To) {
			lines = append(lines, fmt.Sprintf("%12.3f %12.3f client %d: %s", float64(op.Call)/1e6, float64(op.Return)/1e6, op.ClientId,
				model.DescribeOperation(op.Input, op.Output)))
		}
	}
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// prefix returns the first n commands that have returned, and those that were running
// then, with an open outcome.
func prefix(ops []porcupine.Operation, n int) []porcupine.Operation {
	list := slices.Clone(ops[:n])
	for _, op := range ops[n:] {
		if op.Call <= ops[n-1].Return && op.Input.(Command).Verb != Read {
			op.Output, op.Return = Outcome{open: true}, math.MaxInt64
			list = append(list, op)
		}
	}
	return list
}

// Tell logs the numbers of commands and refusals.
func (h *History) Tell(t testing.TB) {
	done, refused := map[string]int{}, map[string]int{}
	for _, op := range h.ops {
		if text := op.Output.(Outcome).Refused; text != "" {
			for kind, m := range messages {
				if m.MatchString(text) {
					refused[kind]++
				}
			}
			continue
		}
		done[op.Input.(Command).Verb]++
	}
	t.Logf("%d commands; done: %v; refused: %v", len(h.ops), done, refused)
}

var model = porcupine.Model{
	Init: func() any { return Apps{} },
	Step: func(state, input, output any) (bool, any) {
		return state.(Apps).step(input.(Command), output.(Outcome))
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(Apps), b.(Apps)) },
	DescribeOperation: func(input, output any) string {
		o := output.(Outcome)
		switch {
		case o.open:
			return fmt.Sprintf("%s: under way", input)
		case o.Refused != "":
			return fmt.Sprintf("%s: refused: %s", input, o.Refused)
		case o.Seen != nil:
			return fmt.Sprintf("%s: %s", input, Pairs(o.Seen))
		}
		return fmt.Sprintf("%s: done", input)
	},
}
