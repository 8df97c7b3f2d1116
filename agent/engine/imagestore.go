package engine

import (
	"context"
	"io"
	"time"
)

// ImageInfo describes an image to a deploy.
type ImageInfo struct {
	ID         string
	Ports      []int // exposed TCP ports, ascending
	Entrypoint []string
	Command    []string
	Size       int64 // in bytes, of all layers
	// Digests are the names of the image by digest, such as "node@sha256:...". They are
	// from a registry, except in containerd's image store, which makes one for each name.
	Digests []string
	// Healthcheck is the image's HEALTHCHECK; nil: none.
	Healthcheck *Healthcheck
	StopSignal  string // a name or a number; "": the engine's default
	Weight      ImageWeight
}

// ImageWeight is how much the configuration of an image has. An engine copies it into each
// container, and lists it with the containers of all apps.
type ImageWeight struct {
	Ports      int // exposed, of all protocols; each port of a range counts
	Volumes    int
	Labels     int
	LabelBytes int // of their names and values
	Bytes      int // of the whole configuration
}

// Healthcheck is the command by which the engine judges a container's health, and how
// often. A zero time or count is the engine's default.
type Healthcheck struct {
	Command     []string // runs in the container
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration
	Retries     int
}

// TagPrefix begins the names of all images that deploys make. Remove takes only such
// names away from an image.
const TagPrefix = "dokku/"

// Images looks images up.
type Images interface {
	// Image inspects an image by id or tag. A missing one is ErrNoImage.
	Image(ctx context.Context, ref string) (ImageInfo, error)
	// Tag gives an image another name.
	Tag(ctx context.Context, id, tag string) error
	// Commit makes an image of the files of a container, which was made from the given
	// image, and returns its id. The configuration is that image's own. What it lacks is
	// taken from the container: labels, variables, and the command of an image that has
	// neither CMD nor ENTRYPOINT.
	Commit(ctx context.Context, container, image string) (id string, err error)
}

// Archives carries images from one engine to another.
type Archives interface {
	// Save writes images, by id, so that Load of this or another engine of the same
	// kind makes them again. Their names stay behind. One that is missing is ErrNoImage,
	// and nothing is written then.
	Save(ctx context.Context, ids []string, w io.Writer) error
	// Load makes the images that Save wrote; those that exist stay as they are. It
	// returns the id that each has here, by the id that it was saved with: an engine
	// with another kind of image store gives other ids.
	Load(ctx context.Context, r io.Reader) (ids map[string]string, err error)
}

// RegistryAuth is a user of a registry. Without a user, Secret is a token.
type RegistryAuth struct {
	Server, User, Secret string
}

// Registries fetches images from registries, and brings them there.
type Registries interface {
	// Pull fetches an image by its name, also if there is an image of that name. auth
	// may be empty. It calls progress with short texts from its own goroutine; an image
	// may have gigabytes. Only ctx bounds its time.
	Pull(ctx context.Context, name string, auth RegistryAuth, progress func(string)) error
	// Push brings an image, by its id, to a registry under a name with a tag, and returns
	// its name by digest there: "registry.example.com/web@sha256:...". The image has no more
	// names here afterwards than before, also if it fails. auth and progress are as for Pull.
	Push(ctx context.Context, id, name string, auth RegistryAuth, progress func(string)) (byDigest string, err error)
	// Login has the registry check a user's password, or whether it answers without one.
	Login(ctx context.Context, auth RegistryAuth) error
}
