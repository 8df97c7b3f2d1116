package app

import (
	"testing"
	"time"

	"dokku/build"
)

// TestBuildLimits: the server's limits of builds are read as they are set.
func TestBuildLimits(t *testing.T) {
	for _, c := range []struct {
		set   map[string]string
		want  build.Limits
		at    int
		error string
	}{
		{nil, build.Limits{Time: 30 * time.Minute}, 0, ""},
		{map[string]string{PropBuildMemory: "512", PropBuildTimeout: "90", PropMaxBuilds: "2"}, build.Limits{Memory: 512 << 20, Time: 90 * time.Second}, 2, ""},
		{map[string]string{PropBuildMemory: "2g", PropBuildTimeout: "1h30m"}, build.Limits{Memory: 2 << 30, Time: 90 * time.Minute}, 0, ""},
		{map[string]string{PropBuildMemory: "1m"}, build.Limits{}, 0, `Invalid build-memory specified: "1m" is less than 6m, the engine's minimum`},
		{map[string]string{PropBuildTimeout: "soon"}, build.Limits{}, 0, `Invalid build-timeout specified: "soon" is not a time from 1s to 24h: use seconds, or a duration such as 30m`},
		{map[string]string{PropBuildTimeout: "-5"}, build.Limits{}, 0, `Invalid build-timeout specified: "-5" is not a time from 1s to 24h: use seconds, or a duration such as 30m`},
		{map[string]string{PropBuildTimeout: "86401"}, build.Limits{}, 0, `Invalid build-timeout specified: "86401" is not a time from 1s to 24h: use seconds, or a duration such as 30m`},
		{map[string]string{PropMaxBuilds: "0"}, build.Limits{}, 0, `Invalid max-builds specified: "0" is not a number of builds from 1 to 100`},
		{map[string]string{PropMaxBuilds: "two"}, build.Limits{}, 0, `Invalid max-builds specified: "two" is not a number of builds from 1 to 100`},
	} {
		v := View{&App{}, Settings{Build: c.set}}
		err := v.CheckBuild()
		if c.error != "" {
			if err == nil || err.Error() != c.error {
				t.Errorf("%v: %v, want %s", c.set, err, c.error)
			}
			continue
		}
		if got, bad := v.Settings.BuildLimits(); got != c.want || err != nil || bad != nil {
			t.Errorf("%v: %+v, %v, %v", c.set, got, err, bad)
		}
		if got := v.Settings.MaxBuilds(); got != c.at {
			t.Errorf("%v: %d builds at once", c.set, got)
		}
	}
}
