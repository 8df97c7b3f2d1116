package app

import (
	"fmt"
	"strconv"
	"time"

	"dokku/build"
)

// Limits of builds, which builder:set --global sets. Memory is as in resource:limit, the
// time in seconds or as "30m".
const (
	PropBuildMemory  = "build-memory"
	PropBuildTimeout = "build-timeout"
	PropMaxBuilds    = "max-builds"
	// PropTaskTimeout limits the time of each command of a deploy (predeploy, release,
	// postdeploy). An app may have its own.
	PropTaskTimeout = "task-timeout"
)

// BuildLimitProperties are the properties that only the server has.
var BuildLimitProperties = []string{PropBuildMemory, PropBuildTimeout, PropMaxBuilds}

// maxBuilds and maxBuildTime bound the settings.
const (
	maxBuilds    = 100
	maxBuildTime = 24 * time.Hour
)

// BuildLimits returns the limits of the server's builds.
func (s Settings) BuildLimits() (l build.Limits, err error) {
	if v := s.Build[PropBuildMemory]; v != "" {
		if l.Memory, err = ParseMemory(v); err != nil {
			return l, err
		}
	}
	v := s.Build[PropBuildTimeout]
	if v == "" {
		v = BuildDefaults[PropBuildTimeout]
	}
	l.Time, err = parseBuildTime(v)
	return l, err
}

// TaskTimeout returns the time that a command of a deploy may take.
func (v View) TaskTimeout() (time.Duration, error) {
	d, err := parseBuildTime(v.BuildProperty(PropTaskTimeout))
	if err != nil {
		return 0, v.correct(fmt.Errorf("cannot use %s: %w", PropTaskTimeout, err), "builder", PropTaskTimeout, v.State.Build[PropTaskTimeout])
	}
	return d, nil
}

// MaxBuilds returns how many builds may run at once; 0: any number.
func (s Settings) MaxBuilds() int {
	n, _ := strconv.Atoi(s.Build[PropMaxBuilds]) // checked by CheckBuild
	return n
}

// checkBuildLimit returns an error if the value of a limit is invalid.
func checkBuildLimit(name, value string) (err error) {
	switch name {
	case PropBuildMemory:
		_, err = ParseMemory(value)
	case PropBuildTimeout, PropTaskTimeout:
		_, err = parseBuildTime(value)
	case PropMaxBuilds:
		if n, bad := strconv.Atoi(value); bad != nil || n < 1 || n > maxBuilds {
			err = fmt.Errorf("%q is not a number of builds from 1 to %d", value, maxBuilds)
		}
	}
	if err != nil {
		//lint:ignore ST1005 the style of Dokku's messages
		return fmt.Errorf("Invalid %s specified: %w", name, err)
	}
	return nil
}

// parseBuildTime reads seconds, or a duration such as 30m.
func parseBuildTime(value string) (time.Duration, error) {
	text := value
	if _, err := strconv.ParseUint(value, 10, 32); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxBuildTime {
		return 0, fmt.Errorf("%q is not a time from 1s to 24h: use seconds, or a duration such as 30m", value)
	}
	return d, nil
}
