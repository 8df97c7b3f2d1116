package herokuish

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"dokku/build"
)

const (
	fileBuildpacks = ".buildpacks"
	fileEnv        = ".env"
	varURL         = "BUILDPACK_URL"
	// maxFile is the size in bytes of the largest .env and Procfile.
	maxFile = 1 << 20
)

// Detect looks for what names a buildpack. A setting may select the builder without that.
func (b *Builder) Detect(_ context.Context, r build.Request) (reason string, ok bool, err error) {
	reason, err = named(r)
	switch {
	case err == nil && r.NoHerokuish && (reason != "" || r.Selected == build.Herokuish):
		return fmt.Sprintf("herokuish is not allowed for it; to allow it: dokku builder-herokuish:set %s allowed true", r.App), false, nil
	case err != nil || reason != "":
		return reason, err == nil, err
	}
	if r.Selected != build.Herokuish {
		return "", false, nil
	}
	file, _, err := build.Language(r)
	return file, err == nil, err
}

// named says what names the buildpack of a revision, in the order in which Dokku looks;
// "" if nothing does.
func named(r build.Request) (string, error) {
	if len(r.Buildpacks) > 0 {
		return "the buildpacks of buildpacks:set", nil
	}
	_, ok, err := r.Source.Read(r.Commit, fileBuildpacks, maxFile)
	if err != nil || ok {
		return fileBuildpacks, err
	}
	env, _, err := r.Source.Read(r.Commit, fileEnv, maxFile)
	switch {
	case err != nil:
		return "", err
	case bytes.Contains(env, []byte(varURL)):
		return varURL + " in " + fileEnv, nil
	case r.Env[varURL] != "":
		return varURL, nil
	}
	return "", nil
}

// without are languages that herokuish has no buildpack for.
var without = []string{"Elixir", "Rust"}

// Fallback takes a revision in a language that herokuish has a buildpack for.
func (b *Builder) Fallback(_ context.Context, r build.Request) (reason string, ok bool, err error) {
	file, language, err := build.Language(r)
	if err != nil || file == "" || r.NoHerokuish {
		return "", false, err
	}
	if slices.Contains(without, language) {
		return fmt.Sprintf("it has %s (%s), for which herokuish has no buildpack; to name one: dokku config:set %s BUILDPACK_URL=URL", file, language, r.App), false, nil
	}
	return file, true, nil
}
