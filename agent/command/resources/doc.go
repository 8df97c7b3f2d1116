// Package resources has the commands about what an app's processes get of the host:
// folders and volumes, memory and CPU.
package resources
