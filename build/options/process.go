package options

import (
	"fmt"
	"math"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// processKinds are the options that have an effect on containers.
var processKinds = map[string]kind{
	"--add-host":           {"db:192.0.2.1", checkProcessHost, before(":")},
	"--cap-add":            {"NET_ADMIN", checkCapability, capability},
	"--cap-drop":           {"NET_RAW", checkCapability, capability},
	"--cpus":               {"0.5", fault(readCPUs), nil},
	"--device":             {"/dev/fuse", checkDevice, before(":")},
	"--init":               {},
	"--label":              {"NAME=VALUE", checkLabel, before("=")},
	"-l":                   {"NAME=VALUE", checkLabel, before("=")},
	"--log-opt":            {"max-size=20m", checkLogOption, before("=")},
	"--memory":             {"512m", fault(readMemory), nil},
	"-m":                   {"512m", fault(readMemory), nil},
	"--memory-reservation": {"256m", fault(readMemory), nil},
	"--mount":              {"type=volume,source=NAME,target=/data", fault(readMount), mountTarget(readMount)},
	"--read-only":          {},
	"--restart":            {"on-failure:10", checkRestart, nil},
	"--security-opt":       {noNewPrivileges, checkSecurity, nil},
	"--shm-size":           {"256m", fault(readSize), nil},
	"--stop-signal":        {"SIGQUIT", checkSignal, nil},
	"--tmpfs":              {"/tmp:size=64m", checkTmpfs, func(value string) string { target, _, _ := strings.Cut(value, ":"); return path.Clean(target) }},
	"--ulimit":             {"nofile=1024:2048", fault(readUlimit), before("=")},
	"--user":               {"1000:1000", checkUser, nil},
	"-u":                   {"1000:1000", checkUser, nil},
	"--volume":             {"NAME:/data", fault(readVolume), mountTarget(readVolume)},
	"-v":                   {"NAME:/data", fault(readVolume), mountTarget(readVolume)},
}

// noNewPrivileges is the value of --security-opt that takes rights away. All others give some.
const noNewPrivileges = "no-new-privileges"

func checkSecurity(value string) string {
	if value != noNewPrivileges && value != noNewPrivileges+":true" && value != noNewPrivileges+"=true" {
		return "it would give the app rights over the server"
	}
	return ""
}

// fault makes a check of a function that reads a value and says what is wrong with it.
func fault[T any](read func(string) (T, string)) func(string) string {
	return func(value string) string { _, why := read(value); return why }
}

func mountTarget(read func(string) (Mount, string)) func(string) string {
	return func(value string) string { m, _ := read(value); return m.Target }
}

var (
	capabilityName = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)
	restart        = regexp.MustCompile(`^(no|always|unless-stopped|on-failure(:[0-9]{1,9})?)$`)
	user           = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)
	logSize        = regexp.MustCompile(`^[1-9][0-9]{0,8}[kmg]?$`)
	device         = regexp.MustCompile(`^/dev/[A-Za-z0-9._/-]+(:/[A-Za-z0-9._/-]+)?(:[rwm]{1,3})?$`)
	volume         = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,199}$`)
	tmpfsOption    = regexp.MustCompile(`^(ro|rw|nosuid|nodev|noexec|exec|size=[0-9]+[kmg%]?|mode=[0-7]{3,4}|(uid|gid|nr_inodes)=[0-9]+)$`)
)

// mostBytes is more memory than any host has.
const mostBytes = 1 << 50

func checkProcessHost(value string) string {
	name, address, _ := strings.Cut(value, ":")
	if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err != nil && address != hostGateway || !host.MatchString(name) {
		return "it needs a name and an IP address, or " + hostGateway
	}
	return ""
}

// hostGateway is Docker's word for the address of the host.
const hostGateway = "host-gateway"

// capability returns a capability's name without its optional prefix.
func capability(value string) string { return strings.TrimPrefix(strings.ToUpper(value), "CAP_") }

func checkCapability(value string) string {
	if !capabilityName.MatchString(capability(value)) {
		return "it is not the name of a capability, or ALL"
	}
	return ""
}

func checkDevice(value string) string {
	if !device.MatchString(value) || path.Clean(before(":")(value)) != before(":")(value) {
		return "a device is its path below /dev, perhaps with :PATH in the container and :rwm"
	}
	return ""
}

func checkLogOption(value string) string {
	name, text, _ := strings.Cut(value, "=")
	switch name {
	case "max-size":
		if !logSize.MatchString(text) {
			return "a log file's size is a number with the suffix k, m or g"
		}
	case "max-file":
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 100 {
			return "a log has 1 to 100 files"
		}
	default:
		return "the options of a log are max-size and max-file"
	}
	return ""
}

func checkRestart(value string) string {
	if !restart.MatchString(value) {
		return "a policy is no, always, unless-stopped, on-failure or on-failure:N"
	}
	return ""
}

func readSize(value string) (int64, string) {
	n, err := units.RAMInBytes(value)
	if err != nil || n <= 0 || n > mostBytes {
		return 0, "it is not a size: a number of bytes, or one with the suffix k, m or g"
	}
	return n, ""
}

// leastMemory is the engine's minimum, in bytes.
const leastMemory = 6 << 20

// readMemory reads bytes, as docker run does.
func readMemory(value string) (int64, string) {
	n, why := readSize(value)
	if why == "" && n < leastMemory {
		return 0, "it is less than 6m, the engine's minimum; a number without a suffix is one of bytes"
	}
	return n, why
}

// readCPUs reads a number of CPUs in billionths.
func readCPUs(value string) (int64, string) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n < 0.01 || n > 1e6 || strings.ContainsAny(value, "xXeE_") {
		return 0, "it is not a number of CPUs, such as 0.5 or 2"
	}
	return int64(math.Round(n * 1e9)), ""
}

func checkSignal(value string) string {
	if Freezes(value) {
		return "it freezes a process instead of ending it"
	}
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= 64 {
		return ""
	}
	if namedSignal(value) == 0 {
		return "it is not the name or number of a signal"
	}
	return ""
}

// Freezes reports whether a stop signal, as a Dockerfile's STOPSIGNAL names it, makes a
// process wait instead of end: its requests hang until it is killed.
func Freezes(signal string) bool {
	s := namedSignal(signal)
	if n, err := strconv.Atoi(signal); err == nil {
		s = syscall.Signal(n)
	}
	return slices.Contains([]syscall.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}, s)
}

// namedSignal is 0 for a name that no signal has.
func namedSignal(name string) syscall.Signal {
	return unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
}

func checkTmpfs(value string) string {
	target, list, given := strings.Cut(value, ":")
	if why := checkPlace(target); why != "" || !given {
		return why
	}
	for option := range strings.SplitSeq(list, ",") {
		if !tmpfsOption.MatchString(option) {
			return fmt.Sprintf("%q is not one of ro, rw, nosuid, nodev, noexec, exec, size=N, mode=N, uid=N, gid=N and nr_inodes=N", shown(option))
		}
	}
	return ""
}

func readUlimit(value string) (*units.Ulimit, string) {
	u, err := units.ParseUlimit(value)
	switch {
	case err != nil:
		return nil, "a limit is a name, a soft and a hard number"
	case slices.Contains([]string{"nice", "rtprio", "rttime"}, u.Name):
		return nil, "it would let the app's processes go before those of others"
	}
	return u, ""
}

func checkUser(value string) string {
	if !user.MatchString(value) {
		return "it is not a user, or a user and a group, by name or number"
	}
	return ""
}

// Mount is a folder below the data root, or a named volume, that containers see.
type Mount struct {
	Source   string // absolute path, or the name of a volume
	Target   string // absolute path in the container
	ReadOnly bool
}

// check says what is wrong with a mount; whether its folder may be mounted is the server's
// to say.
func (m Mount) check() (Mount, string) {
	if why := checkPlace(m.Target); why != "" {
		return m, why
	}
	m.Target = path.Clean(m.Target)
	switch {
	case path.IsAbs(m.Source):
		m.Source = path.Clean(m.Source)
	case !volume.MatchString(m.Source):
		return m, "its source is neither an absolute path nor the name of a volume"
	}
	return m, ""
}

func readVolume(value string) (m Mount, why string) {
	parts := strings.Split(value, ":")
	if len(parts) == 3 && (parts[2] == "ro" || parts[2] == "rw") {
		m.ReadOnly = parts[2] == "ro"
		parts = parts[:2]
	}
	if len(parts) != 2 {
		return m, "a mount is SOURCE:DIR, SOURCE:DIR:ro or SOURCE:DIR:rw"
	}
	m.Source, m.Target = parts[0], parts[1]
	return m.check()
}

func readMount(value string) (m Mount, why string) {
	kind := "volume"
	for field := range strings.SplitSeq(value, ",") {
		name, text, given := strings.Cut(field, "=")
		switch {
		case name == "type":
			kind = text
		case name == "source" || name == "src":
			m.Source = text
		case name == "target" || name == "destination" || name == "dst":
			m.Target = text
		case (name == "readonly" || name == "ro") && (!given || text == "true" || text == "1"):
			m.ReadOnly = true
		default:
			return m, fmt.Sprintf("%q is not a part of a mount, which has type, source, target and readonly", shown(field))
		}
	}
	m, why = m.check()
	switch {
	case kind == "tmpfs":
		return m, "write it as --tmpfs /DIR:size=64m"
	case why == "" && (kind != "bind" && kind != "volume" || path.IsAbs(m.Source) != (kind == "bind")):
		return m, "type is bind for a folder and volume for the name of a volume"
	}
	return m, why
}

// checkPlace says what is wrong with a path in a container at which something is mounted.
func checkPlace(target string) string {
	clean := path.Clean(target)
	switch {
	case !path.IsAbs(target):
		return "the path in the container begins with /"
	case clean == "/":
		return "/ is the root of the image"
	}
	for _, taken := range []string{"/proc", "/sys"} {
		if clean == taken || strings.HasPrefix(clean, taken+"/") {
			return taken + " belongs to the kernel"
		}
	}
	return ""
}
