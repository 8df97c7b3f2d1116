package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/build"
)

// A Dockerfile that git:from-image commits builds on one image and adds nothing but
// labels. ImageArgument is the build argument that names the image, LabelSourceImage the
// label with its id. Its default value is what a registry has; on the server that pulled
// or loaded the image, a build gets the name of this very image instead, so that it needs
// neither the registry nor a name that somebody else may move.
const (
	ImageArgument    = "DOKKU_SOURCE_IMAGE"
	LabelSourceImage = "com.dokku.source-image-id"
)

// ImageDockerfile returns the Dockerfile of a revision that deploys an image. from is
// what a registry knows it by, name the name that was asked for, id the image's id.
func ImageDockerfile(from, name, id string) string {
	return fmt.Sprintf(`ARG %s=%s
FROM ${%[1]s}
LABEL com.dokku.docker-image-labeler/alternate-tags=[\"%[3]s\"]
LABEL %[4]s=%[5]s
`, ImageArgument, from, name, LabelSourceImage, id)
}

var sourceImage = regexp.MustCompile(`(?m)^LABEL ` + regexp.QuoteMeta(LabelSourceImage) + `=(sha256:[0-9a-f]{64})$`)

// sourceImageOf returns the id of the image that a Dockerfile of ImageDockerfile builds
// on; "" for any other Dockerfile.
func sourceImageOf(dockerfile string) string {
	if !strings.HasPrefix(dockerfile, "ARG "+ImageArgument+"=") {
		return ""
	}
	m := sourceImage.FindStringSubmatch(dockerfile)
	if m == nil {
		return ""
	}
	return m[1]
}

// sourceOf returns where a revision came from: that of the current release, or the one
// that git:sync fetched; nil for another one.
func (x *Session) sourceOf(revision string) *app.Source {
	if c := x.Current; c != nil && c.Revision == revision {
		return c.Source
	}
	if s := x.State.Synced; s != nil && s.Revision == revision {
		return &s.Source
	}
	return nil
}

// useSourceImage gives the build the image that the revision deploys, if the engine has
// it, under a name of the app, which the release keeps. A client that pushes such a
// Dockerfile gets no image by its id: it may be another app's.
func (b *building) useSourceImage(ctx context.Context, q *build.Request) error {
	if from := b.release.Source; from == nil || from.Kind != app.SourceImage {
		return nil
	}
	data, _, err := b.source.File(b.commit.Tree, cmp.Or(q.Dockerfile, "Dockerfile"), maxFile)
	if err != nil {
		return nil // a builder that needs the file says what is wrong with it
	}
	id := sourceImageOf(string(data))
	if id == "" {
		return nil
	}
	host, err := b.session.machine()
	if err != nil {
		return err
	}
	info, err := host.Image(ctx, id)
	if errors.Is(err, engine.ErrNoImage) {
		return nil // a registry may have it
	}
	if err != nil {
		return err
	}
	name := ImageTag(b.session.Name, info.ID)
	if err := host.Tag(ctx, info.ID, name); err != nil {
		return err
	}
	b.release.SourceImage, q.Image = info.ID, info.ID
	q.BuildArgs = app.Merged(q.BuildArgs, map[string]string{ImageArgument: name})
	return nil
}
