// Package ps has the commands about an app's processes: how many run of each type,
// how they are started, stopped and replaced, and the checks that a new process
// has to pass.
package ps
