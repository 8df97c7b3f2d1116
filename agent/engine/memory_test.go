package engine_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
)

func TestMemory(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Fixture {
		m := engine.NewMemory()
		var programs programs
		m.Behave(programs.behaviour)
		return enginetest.Fixture{
			Host: m,
			Image: func(_ *testing.T, app string, tags ...string) string {
				return m.SetImage(app, engine.ImageInfo{Ports: []int{80, 8080}}, tags...).ID
			},
			Command: programs.command,
		}
	})
}

// programs gives each program a command by which its behaviour is found.
type programs struct{ byNumber sync.Map }

func (p *programs) command(program enginetest.Program) []string {
	for n := 0; ; n++ {
		number := strconv.Itoa(n)
		if _, taken := p.byNumber.LoadOrStore(number, program); !taken {
			return []string{"program", number}
		}
	}
}

func (p *programs) behaviour(s engine.Spec) engine.Behaviour {
	found, _ := p.byNumber.Load(s.Command[1])
	program := found.(enginetest.Program)
	return engine.Behaviour{
		Output: program.Output, Exits: program.Exits, Code: program.Code,
		OnStop: program.OnStop, IgnoreStop: program.IgnoreStop, Ports: program.Ports,
		Exec: func(argv []string) (string, int) {
			if argv[0] == "echo" {
				return strings.Join(argv[1:], " ") + "\n", 0
			}
			return "", 1
		},
	}
}
