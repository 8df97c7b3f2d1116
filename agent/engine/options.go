package engine

// Options are settings of a container that docker-options sets. The zero value is the
// image's or the engine's default.
type Options struct {
	Ulimits    map[string][2]int64 // soft and hard limit, by name; -1: none
	ShmSize    int64               // bytes of /dev/shm
	Hosts      []string            // lines of /etc/hosts: "db:192.0.2.1"
	CapAdd     []string            // capabilities beside the engine's default ones
	CapDrop    []string            // capabilities that are taken away, or "ALL"
	Devices    []string            // devices of the host: "/dev/fuse", "/dev/sda:/dev/xvda:rwm"
	Labels     map[string]string   // beside those of the Spec, which win
	LogFiles   int                 // how many files of LogSize are kept
	StopSignal string
	Tmpfs      map[string]string // folders in memory: mount options, by absolute path
	User       string            // "USER" or "USER:GROUP", by name or number
	ReadOnly   bool              // the root folder is read-only; mounts and Tmpfs are not
	// NoNewPrivileges: no program gets rights that its caller does not have, as with Spec.Restricted.
	NoNewPrivileges bool
}
