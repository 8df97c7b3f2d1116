// Package ps has the commands about an app's processes: ps:* scales, starts, stops and
// replaces them, and checks:* sets the checks that new processes have to pass.
package ps
