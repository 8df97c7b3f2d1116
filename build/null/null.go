// Package null takes an image as it is. It builds nothing: a revision of git:from-image or
// git:load-image names the image. The other builders would add labels to it, which makes
// another image.
//
// It is never detected, since an image that is built with the app's labels shows whose it
// is. Without them, only its name does.
package null

import (
	"context"
	"time"

	"dokku/build"
)

// Builder takes images as they are.
type Builder struct{}

var _ build.Builder = Builder{}

// Name is "null".
func (Builder) Name() string { return build.Null }

// Detect accepts a revision that names an image, if a setting selects the builder.
func (Builder) Detect(_ context.Context, r build.Request) (reason string, ok bool, err error) {
	switch {
	case r.Selected != build.Null:
		return "", false, nil
	case r.Image == "":
		return "it builds nothing and takes an image as it is, but this revision names none that this server has; give one: dokku git:from-image " + r.App + " IMAGE", false, nil
	}
	return "an image", true, nil
}

// Build returns the image.
func (Builder) Build(_ context.Context, r build.Request) (build.Result, error) {
	h := build.Header{Commit: r.Commit, Sent: true}
	if r.Header != nil {
		r.Header(h)
	}
	return build.Result{Header: h, ImageID: r.Image, Duration: time.Duration(0)}, nil
}
