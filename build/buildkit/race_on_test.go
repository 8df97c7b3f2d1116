//go:build race

package buildkit

const raceEnabled = true
