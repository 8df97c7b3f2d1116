package buildkit

import (
	"os"
	"os/exec"
	"testing"

	"dokku/build/buildtest"
)

// daemonEnv is the socket of the daemon with which the tests of this package build, instead of
// the engine.
const daemonEnv = "DOKKU_BUILD_TEST_DAEMON"

// TestDaemonBuilds: the server's own BuildKit passes the tests that an engine's does.
func TestDaemonBuilds(t *testing.T) {
	if os.Getenv(daemonEnv) != "" {
		return // this is that run
	}
	d := buildtest.NewDaemon(t, nil)
	cmd := exec.Command(os.Args[0], "-test.run", "^(TestImage|TestDockerignore|TestPushImage|TestArgumentsAndTarget|TestSecret|TestPlatform|TestNoCache|TestCacheMount|TestHosts|TestHeredoc|TestProgressBar)", "-test.v")
	cmd.Env = append(os.Environ(), daemonEnv+"="+d.Socket)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
