package pack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/image"

	"dokku/build"
)

// The labels and variables of a builder image.
const (
	labelBuilder = "io.buildpacks.builder.metadata"
	labelAPIs    = "io.buildpacks.lifecycle.apis"
	envUser      = "CNB_USER_ID"
	envGroup     = "CNB_GROUP_ID"
)

// platformAPIs are the versions of the platform specification that this package keeps,
// the preferred one first. Earlier ones cannot export to an OCI layout.
var platformAPIs = []string{"0.14", "0.13", "0.12"}

// foundImage is an image that the engine has.
type foundImage struct {
	name   string
	id     string
	layers []string // diff ids
	os     string
	arch   string
	config imageConfig
}

// imageConfig is the part of an image's configuration that a run image hands on.
type imageConfig struct {
	User       string
	Env        []string
	Labels     map[string]string
	Entrypoint []string
	Cmd        []string
	WorkingDir string
}

func (i foundImage) platform() string { return i.os + "/" + i.arch }

// builderImage is an image that has buildpacks, and a lifecycle for detect and build.
type builderImage struct {
	foundImage
	uid, gid   int
	api        string // version of the platform specification
	run        string // name of the run image; "": the builder names none
	buildpacks []buildpack
}

// buildpack is one that a builder image has.
type buildpack struct {
	ID      string `json:"id"`
	Version string `json:"version"`
}

// String is "heroku/nodejs@3.2.0".
func (b buildpack) String() string { return b.ID + "@" + b.Version }

// allowed reports whether a project.toml may name the builder image.
func (b *Builder) allowed(name string) bool {
	return name == DefaultImage || slices.ContainsFunc(b.config.Allowed, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}

// find looks an image up, and pulls it if the engine does not have it.
func (b *Builder) find(ctx context.Context, name string, logins []string, print func(build.Line)) (foundImage, error) {
	id, err := b.engine.Image(ctx, name, logins, print)
	if err != nil {
		return foundImage{}, err
	}
	i, err := b.config.Client().ImageInspect(ctx, id)
	if err != nil {
		return foundImage{}, fmt.Errorf("cannot look up image %s: %w", name, err)
	}
	return found(name, i), nil
}

func found(name string, i image.InspectResponse) foundImage {
	f := foundImage{name: name, id: i.ID, layers: i.RootFS.Layers, os: i.Os, arch: i.Architecture}
	if c := i.Config; c != nil {
		f.config = imageConfig{User: c.User, Env: c.Env, Labels: c.Labels, Entrypoint: c.Entrypoint, Cmd: c.Cmd, WorkingDir: c.WorkingDir}
	}
	return f
}

// env returns the value of a variable of the image.
func (i foundImage) env(name string) string {
	for _, pair := range i.config.Env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// builderImage looks a builder image up and reads what it says of itself.
func (b *Builder) builderImage(ctx context.Context, name string, logins []string, print func(build.Line)) (builderImage, error) {
	f, err := b.find(ctx, name, logins, print)
	if err != nil {
		return builderImage{}, err
	}
	i := builderImage{foundImage: f}
	if err := i.read(); err != nil {
		return i, fmt.Errorf("cannot use %s as a builder image: %w", name, err)
	}
	return i, nil
}

// read reads the labels and variables of a builder image.
func (i *builderImage) read() error {
	var metadata struct {
		Buildpacks []buildpack `json:"buildpacks"`
		Images     []struct {
			Image string `json:"image"`
		} `json:"images"`
		Stack struct {
			RunImage struct {
				Image string `json:"image"`
			} `json:"runImage"`
		} `json:"stack"`
	}
	var apis struct {
		Platform struct{ Supported, Deprecated []string } `json:"platform"`
	}
	label := i.config.Labels[labelBuilder]
	if label == "" {
		return fmt.Errorf("it has no label %s; name one that pack builds with, such as %s", labelBuilder, DefaultImage)
	}
	if err := json.Unmarshal([]byte(label), &metadata); err != nil {
		return fmt.Errorf("its label %s is not what a builder has: %w", labelBuilder, err)
	}
	if err := json.Unmarshal([]byte(i.config.Labels[labelAPIs]), &apis); err != nil {
		return fmt.Errorf("its label %s does not list the versions of the platform specification that it keeps; use a newer one", labelAPIs)
	}
	i.buildpacks = metadata.Buildpacks
	if i.run = metadata.Stack.RunImage.Image; len(metadata.Images) > 0 {
		i.run = metadata.Images[0].Image
	}
	for _, v := range platformAPIs {
		if i.api == "" && slices.Contains(apis.Platform.Supported, v) {
			i.api = v
		}
	}
	if i.api == "" {
		return fmt.Errorf("its lifecycle keeps the versions %s of the platform specification, and this server %s to %s; use a newer one",
			strings.Join(apis.Platform.Supported, ", "), platformAPIs[len(platformAPIs)-1], platformAPIs[0])
	}
	return i.readUser()
}

// readUser reads the user that detect and build run as.
func (i *builderImage) readUser() error {
	var wrong error
	i.uid, wrong = strconv.Atoi(i.env(envUser))
	gid, err := strconv.Atoi(i.env(envGroup))
	if i.gid = gid; errors.Join(wrong, err) != nil || i.uid < 0 || i.gid < 0 {
		return fmt.Errorf("it does not set %s and %s to numbers", envUser, envGroup)
	}
	if i.uid == 0 {
		return fmt.Errorf("its buildpacks would run as root (%s=0)", envUser)
	}
	return nil
}

// user is the user that the phases run as, as "1000:1000".
func (i builderImage) user() string { return fmt.Sprintf("%d:%d", i.uid, i.gid) }

// runImage looks a run image up.
func (b *Builder) runImage(ctx context.Context, name string, logins []string, print func(build.Line)) (foundImage, error) {
	f, err := b.find(ctx, name, logins, print)
	if err != nil {
		return f, fmt.Errorf("the run image of the app: %w", err)
	}
	return f, nil
}
