package buildkit

import (
	"fmt"
	"strings"
	"time"
)

// stepName is the engine's name of a step without the parts that all steps have: Docker Hub's address and the digest of a base image.
func stepName(name string) string {
	name = strings.Join(strings.Fields(name), " ")
	before, image, ok := strings.Cut(name, "] FROM ")
	if !ok || !strings.HasPrefix(name, "[") {
		return name
	}
	image = strings.TrimPrefix(image, "docker.io/")
	image = strings.TrimPrefix(image, "library/")
	image, _, _ = strings.Cut(image, "@sha256:")
	return before + "] FROM " + image
}

// isContext reports whether a step sends the pushed files to the engine.
func isContext(name string) bool { return name == "[internal] load build context" }

// canceled reports whether a step failed only because another one did.
func canceled(err string) bool { return strings.Contains(err, "context canceled") }

// shorten cuts s to at most n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-3]) + "..."
}

// seconds prints a duration as the push does: "12.3s".
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
