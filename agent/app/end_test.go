package app

import "testing"

func TestEndText(t *testing.T) {
	const limit = 256 << 20
	for want, e := range map[string]End{
		"killed: out of memory (limit 256 MB), restarted (1 of 10)": {ExitCode: 137, OOMKilled: true, Memory: limit, Restarted: true, Restarts: 1, Policy: "on-failure:10"},
		"killed: out of memory (limit 1.5 MB); restarts used up (2): dokku ps:restart shop starts it again": {
			ExitCode: 137, OOMKilled: true, Memory: 3 << 19, Restarts: 2, Policy: "on-failure:2"},
		"killed: out of memory (it has no limit: the server's memory ran out), restarted (3)": {ExitCode: 137, OOMKilled: true, Restarted: true, Restarts: 3, Policy: "always"},
		"one of its processes was killed: out of memory (limit 256 MB)":                       {OOMKilled: true, Survived: true, Memory: limit, Policy: "always"},
		"exited with 3, restarted (2 of 10)":                                                  {ExitCode: 3, Restarted: true, Restarts: 2, Policy: "on-failure:10"},
		"exited with 3, restarted (2)":                                                        {ExitCode: 3, Restarted: true, Restarts: 2},
		"exited with 139 (SIGSEGV), restarted (1 of 10)":                                      {ExitCode: 139, Restarted: true, Restarts: 1, Policy: "on-failure:10"},
		"exited with 128; restarts used up (10): dokku ps:restart shop starts it again":       {ExitCode: 128, Restarts: 10, Policy: "on-failure:10"},
		"exited with 255; not restarted (restart policy no): dokku ps:restart shop starts it again": {
			ExitCode: 255, Policy: "no"},
		"exited with 0; not restarted (restart policy on-failure:10): dokku ps:restart shop starts it again": {
			Restarts: 10, Policy: "on-failure:10"},
		"exited with 0; not restarted (restart policy on-failure): dokku ps:restart shop starts it again": {Policy: "on-failure"},
		"killed (exit code 137); not restarted, since the engine was told to end it: dokku ps:restart shop starts it again": {
			ExitCode: 137, Restarts: 1, Policy: "on-failure:10"},
		"exited with 143 (SIGTERM); not restarted, since the engine was told to end it: dokku ps:restart shop starts it again": {
			ExitCode: 143, Policy: "always"},
		"killed (exit code 137)": {ExitCode: 137}, // of an older version
	} {
		if got := e.Text("shop"); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", e, got, want)
		}
	}
}
