// Package resources has the commands about the host's resources that an app's
// processes may use: folders and volumes, memory and CPU.
package resources
