package backup

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"dokku/agent/app"
	"dokku/agent/deploy"
)

// images are the ids of a release's images.
type images struct{ image, source string }

// imageID is the form of an image's id.
var imageID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)

// nowhere is the id of an image that no engine has: the release is built again.
var nowhere = "sha256:" + strings.Repeat("0", 64)

// disown takes the ids of images out of an unpacked release, and keeps them in x.ids, unless
// the app has these images already: an id says nothing about whose image it is, and a release
// of this app would run the image of another. Those that the backup brings are taken over by
// takeImages.
func (x *restore) disown(ctx context.Context, name, path string, r *app.Release) error {
	for _, id := range []string{r.Image, r.SourceImage} {
		if !imageID.MatchString(id) && (id == r.Image || id != "") {
			return fmt.Errorf("release v%d has no id of an image: %.80q", r.Number, id)
		}
	}
	if x.ids[name] == nil {
		x.ids[name] = map[int]images{}
	}
	x.ids[name][r.Number] = images{r.Image, r.SourceImage}
	if x.proves {
		return nil
	}
	if !x.owns(ctx, name, r.Image) {
		r.Image = nowhere
	}
	if r.SourceImage != "" && !x.owns(ctx, name, r.SourceImage) {
		r.SourceImage = ""
	}
	return x.Server.Env.Store.WriteJSON(path, r)
}

// owns reports whether the engine has an image under a name of the app.
func (x *restore) owns(ctx context.Context, name, id string) bool {
	set, err := x.Server.Env.Store.Settings()
	if err != nil {
		return false
	}
	host, err := x.Server.Env.Engine(set)
	if err != nil {
		return false
	}
	i, err := host.Image(ctx, deploy.ImageTag(name, id))
	return err == nil && i.ID == id
}
