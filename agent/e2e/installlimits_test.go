package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestInstallConnections: a worker of Debian's nginx has 768 connections, which one visitor can
// take. install.sh replaces that number, and no number of an admin's; uninstall gives the file
// back unless somebody has changed it since.
func TestInstallConnections(t *testing.T) {
	t.Parallel()
	functions := installFunctions(t)
	const setUp = `NGINX_MAIN=$1/nginx.conf NGINX_LIMIT=$1/limit.conf LOG=$1/log REFUSED=$2
nginx() { [ "$1" != -T ] || cat "$NGINX_MAIN"; [ -z "$REFUSED" ]; }
`
	const debian = "include /etc/nginx/modules-enabled/*.conf;\n\nevents {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n"
	raised := strings.Replace(debian, "768", "8192", 1)
	const limit = "worker_rlimit_nofile 65536;"
	for name, c := range map[string]struct {
		before, refused, run string
		after                string
		limited              bool
	}{
		"the distribution's":   {debian, "", "more_connections", raised, true},
		"twice":                {debian, "", "more_connections; more_connections", raised, true},
		"an admin's":           {strings.Replace(debian, "768", "2000", 1), "", "more_connections", strings.Replace(debian, "768", "2000", 1), true},
		"an admin's files":     {debian + limit, "", "more_connections", raised + limit, false},
		"no folder of modules": {"events { worker_connections 768; }\n", "", "more_connections", "events { worker_connections 768; }\n", false},
		"nginx refuses":        {debian, "yes", "more_connections", debian, true},
		"beside Dokku":         {debian, "", "BESIDE=1; more_connections", debian, false},
		"uninstall":            {debian, "", "more_connections; few_connections", debian, false},
		"changed since":        {debian, "", `more_connections; echo "# mine" >>"$NGINX_MAIN"; few_connections`, raised + "# mine\n", false},
	} {
		root := t.TempDir()
		main := filepath.Join(root, "nginx.conf")
		lab.Must(t, os.WriteFile(main, []byte(c.before), 0o644))
		if out, err := exec.Command("sh", "-c", functions+setUp+c.run, "./install.sh", root, c.refused).CombinedOutput(); err != nil {
			t.Errorf("%s: %v, %s", name, err, out)
		}
		after, err := os.ReadFile(main)
		lab.Must(t, err)
		if string(after) != c.after {
			t.Errorf("%s: nginx.conf is\n%s\nwant\n%s", name, after, c.after)
		}
		file, err := os.ReadFile(filepath.Join(root, "limit.conf"))
		if limited := err == nil && strings.Contains(string(file), limit); limited != c.limited {
			t.Errorf("%s: the limit of open files is set: %t, want %t", name, limited, c.limited)
		}
	}
}
