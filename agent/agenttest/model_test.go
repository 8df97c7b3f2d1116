package agenttest

import (
	"testing"
	"time"
)

// TestCheck gives the check histories that have an order, and some that have none.
func TestCheck(t *testing.T) {
	type op struct {
		called, returned int64
		command          Command
		outcome          Outcome
	}
	done := Outcome{}
	refused := func(text string) Outcome { return Outcome{Refused: text} }
	create := op{0, 1, Command{Verb: "apps:create", App: "a"}, done}
	first := op{2, 3, Command{Verb: "push", App: "a", New: "1"}, done}
	moved := refused("main moved while this push waited; fetch and push again")
	for _, test := range []struct {
		name string
		ops  []op
		want bool
	}{
		{"one of two pushes at the same time loses", []op{create, first,
			{4, 8, Command{Verb: "push", App: "a", Old: "1", New: "2"}, done},
			{5, 9, Command{Verb: "push", App: "a", Old: "1", New: "3"}, moved}}, true},
		{"both win", []op{create, first,
			{4, 8, Command{Verb: "push", App: "a", Old: "1", New: "2"}, done},
			{5, 9, Command{Verb: "push", App: "a", Old: "1", New: "3"}, done}}, false},
		{"a push loses against nobody", []op{create, {2, 3, Command{Verb: "push", App: "a", New: "1"}, moved}}, false},
		{"an update is lost", []op{create,
			{2, 5, Command{Verb: "config:set", App: "a", Pairs: []string{"A=1"}}, done},
			{3, 6, Command{Verb: "config:set", App: "a", Pairs: []string{"B=1"}}, done},
			{7, 8, Command{Verb: Read, App: "a"}, Outcome{Seen: map[string]string{"config": "B=1"}}}}, false},
		{"what was read before is read again", []op{create,
			{2, 9, Command{Verb: "ps:scale", App: "a", Pairs: []string{"web=1"}}, done},
			{3, 4, Command{Verb: Read, App: "a"}, Outcome{Seen: map[string]string{"scale": "web=1"}}},
			{5, 6, Command{Verb: Read, App: "a"}, Outcome{Seen: map[string]string{"scale": ""}}}}, false},
		{"a name is given twice", []op{create, {2, 3, Command{Verb: "apps:create", App: "a"}, done}}, false},
		{"the loser is told another reason", []op{create,
			{2, 3, Command{Verb: "apps:create", App: "a"}, refused("App a does not exist")}}, false},
		{"a name is free again only after a while", []op{create, first,
			{4, 9, Command{Verb: "apps:rename", App: "a", To: "b", Stays: true}, done},
			{10, 11, Command{Verb: "apps:create", App: "a"}, refused("Name is already taken: a is called b now: use that name, " +
				"or free this one with dokku ps:restart b (processes from before the rename still run)")},
			{12, 13, Command{Verb: "apps:create", App: "a"}, done}}, true},
		{"a domain of two apps", []op{create, {2, 3, Command{Verb: "apps:create", App: "b"}, done},
			{4, 8, Command{Verb: "domains:add", App: "a", Domain: "x.example"}, done},
			{4, 8, Command{Verb: "domains:add", App: "b", Domain: "x.example"}, done}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := NewHistory()
			for n, o := range test.ops {
				h.Add(n, o.called, o.command, o.outcome)
				h.ops[n].Return = o.returned
			}
			if err := h.Check(time.Minute); (err == nil) != test.want {
				t.Errorf("an order: %v, want %v (%v)", err == nil, test.want, err)
			}
		})
	}
	if Understood("it went wrong") || Understood("App a does not exist\nor so") || !Understood("App a does not exist") {
		t.Error("not the messages that are known")
	}
}
