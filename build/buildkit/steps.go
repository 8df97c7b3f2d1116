package buildkit

import (
	"strings"
	"time"

	control "github.com/moby/buildkit/api/services/control"

	"dokku/build"
)

// step is a BuildKit vertex.
type step struct {
	name      string // as printed
	visible   bool
	inner     bool          // it builds on other steps
	needed    bool          // a step that builds on it has begun
	first     time.Time     // by this host's clock
	begun     time.Time     // the present or last run, by this host's clock
	started   time.Time     // of the present or last run, by the engine's clock
	runs      int           // how often it has begun
	running   bool          // it has begun and not ended since
	spent     time.Duration // in runs that have ended, since its last line
	completed bool          // it has ended once
	cached    bool
	err       string
	printed   int // how many runs the printed lines are about
	pull      pull
	partial   map[int64]*build.Lines // by stream
	tail      []string
	announced bool
}

func newStep(v *control.Vertex) *step {
	s := &step{name: stepName(v.Name), inner: len(v.Inputs) > 0, partial: map[int64]*build.Lines{}}
	s.visible = strings.HasPrefix(s.name, "[") &&
		!strings.HasPrefix(s.name, "[internal]") && !strings.HasPrefix(s.name, "[auth]")
	return s
}

// note takes over a vertex's times. The engine repeats them, and a later start means
// another run.
func (s *step) note(v *control.Vertex, now time.Time) {
	if v.Started != nil && v.Started.AsTime().After(s.started) {
		s.started, s.running = v.Started.AsTime(), true
		s.runs++
		s.begun = now
		if s.first.IsZero() {
			s.first = now
		}
	}
	if v.Completed == nil {
		return
	}
	if s.running {
		s.spent += v.Completed.AsTime().Sub(s.started)
	}
	s.running, s.completed, s.cached, s.err = false, true, v.Cached, v.Error
}

// unannounced reports whether a step that a push shows runs without a line about it.
func (s *step) unannounced() bool {
	return s.visible && s.running && !s.announced && s.printed == 0
}

// final reports whether a step that has ended will not run again. BuildKit 0.11 and
// later runs a step without inputs twice: to find its cache key, and then for its
// content, such as a pull, unless the cache has everything that builds on it.
// Earlier versions run it once, so a step that builds on it is a sign as well.
func (s *step) final() bool {
	return s.completed && !s.running && (s.inner || s.needed || s.cached || s.err != "" || s.runs > 1)
}

// image is the image of a FROM step.
func (s *step) image() string {
	_, image, _ := strings.Cut(s.name, "] FROM ")
	return image
}

// doing says what a step does, as in "still running [2/3] RUN npm ci".
func (s *step) doing() string {
	if image, ok := strings.CutPrefix(s.name, "[internal] load metadata for "); ok {
		return "looking up " + shortImage(image)
	}
	if image, ok := strings.CutPrefix(s.name, "[auth] "); ok {
		image, _, _ = strings.Cut(image, " ")
		return "logging in for " + image
	}
	return "running " + strings.TrimPrefix(s.name, "[internal] ")
}

// stepName is the engine's name of a step without the parts that all steps have: Docker Hub's address and the digest of a base image.
func stepName(name string) string {
	name = strings.Join(strings.Fields(name), " ")
	before, image, ok := strings.Cut(name, "] FROM ")
	if !ok || !strings.HasPrefix(name, "[") {
		return name
	}
	return before + "] FROM " + shortImage(image)
}

// shortImage is an image's name without Docker Hub's address and its digest.
func shortImage(image string) string {
	image = strings.TrimPrefix(image, "docker.io/")
	image = strings.TrimPrefix(image, "library/")
	image, _, _ = strings.Cut(image, "@sha256:")
	return image
}

// canceled reports whether a step failed only because another one did.
func canceled(err string) bool { return strings.Contains(err, "context canceled") }
