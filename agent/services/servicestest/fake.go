// Package servicestest plays services on engine/memory: containers of kind service become
// ready, keep data in their volumes, and dump and load them.
package servicestest

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// Head is how each dump begins. What does not begin so is no dump.
const Head = "DUMP\n"

// A Fake plays services. The engine keeps their data.
type Fake struct {
	// Broken names images (by id) whose servers end at once.
	Broken map[string]bool
	// Starting is how often a server still says that it is not ready, and gives no dump.
	Starting atomic.Int32
}

// Behave is the behaviour of a service's container; ok is false for other containers.
func (f *Fake) Behave(s engine.Spec) (b memory.Behaviour, ok bool) {
	if s.Kind != engine.KindService {
		return b, false
	}
	loads := strings.HasSuffix(s.Name, ".load")
	stop := 0
	if loads { // a shell, which SIGTERM ends in the middle
		stop = 143
	}
	return memory.Behaviour{Ports: []int{ports[s.Type]}, Output: []string{"the server starts"}, StopCode: stop,
		Keep: func(v memory.Volume, argv []string, st engine.Streams) int {
			if f.Starting.Load() > 0 {
				f.Starting.Add(-1)
				return 2
			}
			return talk(s, loads, v, argv, st)
		},
		Refuses: func(data string) bool {
			return !loads && (f.Broken[s.Image] || data != "" && !strings.HasPrefix(data, Head))
		},
	}, true
}

// host is the name of the old server of an upgrade.
var host = regexp.MustCompile(`dokku-[a-z0-9-]+-old\b`)

var ports = map[string]int{"postgres": 5432, "redis": 6379, "mysql": 3306, "mariadb": 3306, "mongo": 27017, "rabbitmq": 5672, "memcached": 11211}

// talk runs a command in a container. loads: the container loads a dump, as it is.
func talk(s engine.Spec, loads bool, v memory.Volume, argv []string, st engine.Streams) int {
	words := strings.Join(argv, " ")
	switch {
	case loads:
		data, err := io.ReadAll(st.Stdin)
		if err != nil {
			return 1
		}
		v.Set(string(data))
	case strings.Contains(words, "-old "): // the dump of another server
		from, ok := v.Of(host.FindString(words))
		if !ok {
			return 2
		}
		io.WriteString(st.Stdout, cmp.Or(from.Get(), Head))
	case strings.Contains(words, "pg_database"), strings.Contains(words, "trigger_schema"): // what an upgrade compares
		fmt.Fprintln(st.Stdout, v.Get())
	case strings.Contains(words, "count(*)"), strings.HasSuffix(words, "dbsize"):
		fmt.Fprintln(st.Stdout, len(strings.Fields(v.Get()))-1)
	case strings.HasPrefix(words, "pg_restore"), strings.Contains(words, "dropdb"), strings.Contains(words, "mongorestore"), slices.Contains([]string{"mysql", "mariadb"}, argv[0]):
		data, err := io.ReadAll(st.Stdin)
		if err != nil || !strings.HasPrefix(string(data), Head) {
			io.WriteString(st.Stderr, "this is no dump\n")
			return 1
		}
		v.Set(string(data))
	case strings.Contains(words, "dump"), strings.Contains(words, "--rdb"):
		io.WriteString(st.Stdout, cmp.Or(v.Get(), Head))
	}
	return 0
}
