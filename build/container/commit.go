package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// Image is the configuration of an image that is made of a container. What is empty is
// that of the container's own image.
type Image struct {
	Entrypoint []string
	Command    []string
	User       string
	Dir        string   // working folder
	Env        []string // "KEY=value", beside those of the container's own image
	Labels     map[string]string
}

// Commit makes an image of the container's files, without caches and scratch folders, and
// returns its id. Of the container's labels it has those in i alone.
func (c *Container) Commit(ctx context.Context, i Image) (id string, err error) {
	failed := "cannot make an image of the container " + c.spec.Name
	cli := c.engine.config.Client()
	for _, v := range c.spec.Env {
		key, _, _ := strings.Cut(v, "=")
		if !slices.ContainsFunc(i.Env, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
			return "", fmt.Errorf("%s: internal error: the image would keep the variable %s of the build", failed, key)
		}
	}
	r, err := cli.ContainerInspect(ctx, c.id)
	if err != nil {
		return "", explain(ctx, failed, err)
	}
	if r.State.Running {
		return "", errors.New(failed + ": internal error: it runs")
	}
	base, err := cli.ImageInspect(ctx, r.Image)
	if err != nil {
		return "", explain(ctx, failed, err)
	}
	config := &container.Config{User: i.User, WorkingDir: i.Dir, Cmd: i.Command, Entrypoint: i.Entrypoint, Labels: map[string]string{}}
	if b := base.Config; b != nil {
		config.Env = b.Env
		maps.Copy(config.Labels, b.Labels)
		if config.User == "" {
			config.User = b.User
		}
		if config.WorkingDir == "" {
			config.WorkingDir = b.WorkingDir
		}
		if i.Command == nil && i.Entrypoint == nil {
			config.Cmd, config.Entrypoint = b.Cmd, b.Entrypoint
		}
	}
	// What is nil here would be taken from the container.
	if config.Entrypoint == nil {
		config.Entrypoint = []string{}
	}
	if config.Cmd == nil {
		config.Cmd = []string{}
	}
	if len(config.Entrypoint)+len(config.Cmd) == 0 && len(r.Config.Cmd) > 0 {
		return "", errors.New(failed + ": internal error: the image would keep the command of the build; give it as the Entrypoint")
	}
	config.Env = merge(config.Env, i.Env)
	for key, value := range r.Config.Labels {
		if old, ok := config.Labels[key]; !ok || old != value {
			config.Labels[key] = ""
		}
	}
	maps.Copy(config.Labels, i.Labels)
	made, err := cli.ContainerCommit(ctx, c.id, container.CommitOptions{Config: config})
	if err != nil {
		return "", explain(ctx, failed, err)
	}
	return made.ID, nil
}

// merge adds variables to those of an image. A variable that is in both has the new value.
func merge(old, more []string) []string {
	all := slices.DeleteFunc(slices.Clone(old), func(v string) bool {
		key, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(more, func(w string) bool { return strings.HasPrefix(w, key+"=") })
	})
	return append(all, more...)
}
