package buildkit

import (
	"context"
	"maps"
	"time"

	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil/types"

	"dokku/build"
)

// Frontend is a program for BuildKit that reads a file of its own instead of a Dockerfile.
type Frontend struct {
	Image   string // the image of the program
	Name    string // of the file that it reads
	Content []byte
}

// argFrontend is the build argument that names a frontend. The engine's own frontend
// passes everything on to that one.
const argFrontend = "BUILDKIT_SYNTAX"

// SolveFrontend builds an image of the request's commit by a frontend. The frontend's
// file does not have to be in the commit.
func (s *Solver) SolveFrontend(ctx context.Context, r build.Request, f Frontend) (build.Result, error) {
	files := staticfs.NewFS() // a file on the disk would be left of a killed build
	files.Add(f.Name, &types.Stat{Mode: 0o600, ModTime: time.Now().UnixNano()}, f.Content)
	r.BuildArgs = maps.Clone(r.BuildArgs)
	if r.BuildArgs == nil {
		r.BuildArgs = map[string]string{}
	}
	r.BuildArgs[argFrontend] = f.Image
	return s.build(ctx, job{Request: r, config: s.config, client: s.config.Client(), dockerfile: f.Name, folder: files})
}
