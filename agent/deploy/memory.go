package deploy

import (
	"fmt"

	"dokku/agent/app"
	"dokku/build/options"
)

// MemoryFix says what to do about a process that the kernel killed for its memory: its
// limit, and the command that doubles it. docker are the docker options that it had.
func MemoryFix(name string, o app.ContainerOptions, docker options.Container, ptype string) string {
	l, err := o.Limits(ptype, docker)
	if err != nil || l.Memory == 0 {
		return "It has no memory limit, so the server's memory ran out: start fewer processes, or add memory"
	}
	only := ""
	if _, own := o.Resources[app.ResourceKey(ptype, app.ResourceLimit, "memory")]; own {
		only = " --process-type " + ptype
	}
	set, _ := app.LimitsOf(o.Resources, ptype) // valid, as Limits has found
	from := ""
	if set.Memory == 0 && docker.Memory == 0 {
		from = ", the default of this server"
	}
	// A limit of swap that is lower than the new limit of memory would be refused.
	swap := ""
	if set.MemorySwap != 0 && set.MemorySwap < 2*l.Memory {
		swap = fmt.Sprintf(" --memory-swap %d", megabytes(2*set.MemorySwap))
	}
	return fmt.Sprintf("Its memory limit is %d MB%s; to double it: dokku resource:limit --memory %d%s%s %s",
		megabytes(l.Memory), from, megabytes(2*l.Memory), swap, only, name)
}

// megabytes rounds up: resource:limit takes whole ones.
func megabytes(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }
