package agent

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers are the packages from the top down, as doc.go has them: a package imports
// packages of lower lines only, and of its own line those below it.
var layers = []string{
	".",
	"hooks",
	"agent/command",
	"agent/doctor agent/move agent/watch",
	"agent/cron agent/backup",
	"agent/letsencrypt agent/oneoff agent/sources agent/cluster agent/registry agent/frontdoor",
	"agent",
	"agent/deploy",
	"agent/plan",
	"agent/services",
	"agent/engine",
	"agent/proxy",
	"agent/inspect",
	"agent/checks agent/notify agent/vault",
	"agent/store",
	"agent/app",
	"agent/remote",
	"agent/repo",
	"agent/cgroup",
	"agent/proc",
	"agent/certs agent/journal agent/keys",
	"agent/firewall",
	"agent/event agent/disk agent/failpoint agent/text",
	"build scale",
}

// support are packages that only tests import. They may import everything.
var support = []string{
	"agent/agenttest", "agent/cgroup/cgrouptest", "agent/certs/acme/acmetest", "agent/e2e", "agent/disk/disktest", "agent/engine/enginetest", "agent/engine/memory",
	"agent/proxy/proxytest", "agent/proxy/doors/doorstest", "agent/services/servicestest", "agent/proxy/memory", "agent/proxy/nginx/nginxtest", "agent/vault/vaulttest", "build/buildtest",
	"hooks/sshtest", "testdata",
}

// alone are packages that import nothing of the module outside their own folder.
var alone = []string{"build", "scale"}

// listed is a package in the output of go list.
type listed struct {
	ImportPath string
	Imports    []string
}

// TestLayers fails when an import runs against the order of the layers, so that the
// order holds, and when a package has no place in it.
func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "dokku/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; count++ {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := folder(p.ImportPath)
		if within(from, support) {
			continue
		}
		for _, path := range p.Imports {
			if path != "dokku" && !strings.HasPrefix(path, "dokku/") {
				continue
			}
			if why := against(from, folder(path)); why != "" {
				t.Errorf("%s imports %s: %s", from, folder(path), why)
			}
		}
	}
	if count < 40 {
		t.Errorf("go list names %d packages: the test looks at the wrong module", count)
	}
}

// against says why an import is not allowed; "" when it is.
func against(from, to string) string {
	if within(to, support) {
		return "only tests may import it"
	}
	line, room := place(from)
	below, other := place(to)
	switch {
	case line < 0 || below < 0:
		return "one of them has no place in the layers"
	case within(from, alone) && room != other:
		return room + " knows no other part of the program"
	case room == other, below > line:
		return ""
	}
	return "it stands above, or beside"
}

// place finds the line and the name of a package's layer; -1 when there is none.
func place(dir string) (line int, room string) {
	line = -1
	for i, names := range layers {
		for name := range strings.FieldsSeq(names) {
			if (dir == name || name != "." && strings.HasPrefix(dir, name+"/")) && len(name) > len(room) {
				line, room = i, name
			}
		}
	}
	// The package agent has many rooms below it; a folder without a line of its own is none.
	if room == "agent" && dir != "agent" {
		return -1, ""
	}
	return line, room
}

func within(dir string, parents []string) bool {
	for _, p := range parents {
		if dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}

func folder(importPath string) string {
	if importPath == "dokku" {
		return "."
	}
	return strings.TrimPrefix(importPath, "dokku/")
}

// TestAgainst tries the rule itself.
func TestAgainst(t *testing.T) {
	for _, test := range []struct {
		from, to string
		allowed  bool
	}{
		{".", "hooks", true},
		{"agent/deploy", "agent/plan", true},
		{"agent/plan", "agent/deploy", false},
		{"agent", "agent/doctor", false},
		{"agent/backup", "agent/doctor", false},
		{"agent/backup", "agent/backup/archive", true},
		{"agent/checks", "agent/engine", false},
		{"agent/engine/docker", "agent/engine", true},
		{"agent/engine", "agent/engine/docker", true},
		{"agent/deploy", "agent/engine/memory", false},
		{"build/source", "build", true},
		{"build", "agent/text", false},
		{"scale", "build", false},
		{"agent/nowhere", "scale", false},
	} {
		if why := against(test.from, test.to); (why == "") != test.allowed {
			t.Errorf("%s imports %s: %q", test.from, test.to, why)
		}
	}
}
