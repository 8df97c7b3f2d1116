// Package resources has the commands about the host's resources that an app's processes
// may use: storage:* for folders and volumes, resource:* for memory and CPU.
package resources
