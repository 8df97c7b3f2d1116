package repo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// PropMemory is the server's setting of how many bytes of memory the gits may use that serve a
// push or a clone: in a cgroup together, else each of them.
const PropMemory = "git-max-memory"

// DefaultMemory is enough for differences of DefaultPackLimits.Delta and for a million
// objects. LeastMemory is enough for the process that starts git, too.
const (
	DefaultMemory = 1 << 30
	LeastMemory   = 256 << 20
)

// frugal are the settings with which git's memory depends on its limits and not on the size
// of a repository: large files are streamed and not compared, packs are mapped in pieces,
// and few threads search for differences.
var frugal = []string{
	"core.bigFileThreshold=32m",
	"core.packedGitWindowSize=32m",
	"core.packedGitLimit=256m",
	"core.deltaBaseCacheLimit=32m",
	"pack.windowMemory=64m",
	"pack.deltaCacheSize=32m",
	"pack.threads=2",
}

// received are the settings of a git that receives. A pack stays a pack: its head says how
// large its objects are, which files of their own would not.
var received = []string{"receive.unpackLimit=1", "transfer.unpackLimit=1", "receive.fsckObjects=true"}

// NoReplace is the variable with which git reads each object by its own id, whatever refs/replace/
// has: a ref there that leads to itself ends every git, and one that leads elsewhere shows another
// file than the one that was checked.
const NoReplace = "GIT_NO_REPLACE_OBJECTS=1"

// FrugalEnv returns the variables that give these settings, and NoReplace, to a git and to all
// gits below it. They win over those of the repository.
func FrugalEnv() []string { return []string{parameters(frugal), NoReplace} }

// ReceiveEnv is FrugalEnv for a git that receives a pack of at most maxPack bytes.
func ReceiveEnv(maxPack int64) []string {
	return []string{parameters(append(append([]string{fmt.Sprintf("receive.maxInputSize=%d", maxPack)}, frugal...), received...)), NoReplace}
}

func parameters(list []string) string {
	return "GIT_CONFIG_PARAMETERS='" + strings.Join(list, "' '") + "'"
}

// Limit limits the private memory of this process and of those that it starts, and the time
// that each of them computes, until Unlimit, which a hook of a git that it has started calls
// too. The memory is what a process writes (RLIMIT_DATA): git maps whole packs to read them,
// which costs nothing and which RLIMIT_AS would forbid. With 0 bytes it has no limit: a cgroup
// has that. The time is for packs of some kilobytes
// with thousands of objects that unpack to 100 MB each, over which git index-pack sits for hours
// before any hook runs.
func Limit(bytes int64) error {
	if bytes > 0 {
		if err := limit(unix.RLIMIT_DATA, uint64(bytes)); err != nil {
			return fmt.Errorf("cannot limit git's memory: %w", err)
		}
	}
	if err := limit(unix.RLIMIT_CPU, uint64(MaxTime/time.Second)); err != nil {
		return fmt.Errorf("cannot limit git's time: %w", err)
	}
	return nil
}

// MaxTime is how long each git may compute that serves a push or a clone. A push of 8 GB takes a
// tenth of it.
const MaxTime = 30 * time.Minute

// limit sets a limit of this process, up to the hard one.
func limit(resource int, n uint64) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(resource, &l); err != nil {
		return err
	}
	l.Cur = min(n, l.Max)
	return unix.Setrlimit(resource, &l)
}

// Unlimit gives this process, and what it starts, the limits of the system back.
func Unlimit() {
	for _, resource := range []int{unix.RLIMIT_DATA, unix.RLIMIT_CPU} {
		_ = limit(resource, math.MaxUint64) // up to the hard limit is always allowed
	}
}
