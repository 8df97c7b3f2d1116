package engine

import "slices"

// Capabilities are those of a restricted container's processes: what images need that begin as
// root, prepare their folders and become another user (su-exec, gosu, setpriv), end their
// children, and listen on a port below 1024. SETPCAP gives nothing that is not in the list, and
// setpriv needs it to give up more. See the package comment for those that the list leaves out.
var Capabilities = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETPCAP", "SETUID"}

// allCapabilities is the word that stands for every capability.
const allCapabilities = "ALL"

// Rights returns the capabilities that the container gets beside the engine's default ones, and
// those that are taken away.
func (s Spec) Rights() (add, drop []string) {
	add, drop = s.Options.CapAdd, s.Options.CapDrop
	if !s.Restricted || slices.Contains(add, allCapabilities) {
		return add, drop
	}
	if slices.Contains(drop, allCapabilities) {
		return add, drop
	}
	kept := slices.DeleteFunc(slices.Clone(Capabilities), func(c string) bool { return slices.Contains(drop, c) })
	for _, c := range add {
		if !slices.Contains(kept, c) && !slices.Contains(drop, c) {
			kept = append(kept, c)
		}
	}
	return kept, []string{allCapabilities}
}
