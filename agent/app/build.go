package app

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"dokku/agent/event"
	"dokku/build"
	"dokku/build/options"
)

// Properties that say how a revision becomes an image. builder:set sets the first two,
// builder-dockerfile:set, builder-pack:set and app-json:set the paths. All paths begin
// at the build-dir.
const (
	PropSelected    = "selected"
	PropBuildDir    = "build-dir"
	PropDockerfile  = "dockerfile-path"
	PropProjectTOML = "projecttoml-path"
	PropAppJSON     = "appjson-path"
	// PropRailpackJSON is set by builder-railpack:set, and PropHerokuish, whether herokuish
	// builds, by builder-herokuish:set.
	PropRailpackJSON = "railpackjson-path"
	PropHerokuish    = "allowed"
	// PropSyntax lists the images that may read a Dockerfile (# syntax=) besides
	// build.Frontends. Only the server has it.
	PropSyntax = "allowed-syntax"
	// PropAllowedHosts lists the hosts that builds may ask although they are this server's
	// alone, such as a registry at localhost:5000. Only the server has it.
	PropAllowedHosts = "allowed-hosts"
	// PropAllowFrom lists the apps whose images an app's builds may use. Only apps have it.
	PropAllowFrom = "allow-from"

	// buildpacks:set-property sets the first one, builder-pack:set the others.
	PropStack           = "stack"
	PropPackImage       = "image"
	PropRunImage        = "run-image"
	PropAllowedBuilders = "allowed-builders"
)

// DefaultPackImage is the builder image of Cloud Native Buildpacks, as in Dokku.
const DefaultPackImage = "heroku/builder:24"

// BuildDefaults are the defaults of the properties of a build.
var BuildDefaults = map[string]string{
	PropDockerfile:  "Dockerfile",
	PropProjectTOML: "project.toml",
	PropAppJSON:     FileAppJSON,

	PropRailpackJSON: "railpack.json",
	PropHerokuish:    "true",

	// More than any honest build or migration needs that somebody waits for.
	PropBuildTimeout: "30m",
	PropTaskTimeout:  "30m",
	// Images take the most of a disk, and the build cache of an engine has no bound before
	// Docker 23.
	PropCacheSize: "20%",

	PropIsolation:       IsolationEngine,
	PropBuildNetwork:    BuildNetworkOpen,
	PropIsolationMemory: "50%",
	PropIsolationCPUs:   "75%",
	PropIsolationPIDs:   "4096",
	PropIsolationCache:  "10%",
}

// BuildProperty returns a property of the build: the app's, else the server's, else the
// default.
func (v View) BuildProperty(name string) string {
	if set := cmp.Or(v.State.Build[name], v.Settings.Build[name]); set != "" {
		return set
	}
	if name == PropIsolation && v.Settings.Deployed[v.Name] {
		return IsolationOwn
	}
	return BuildDefaults[name]
}

// BuildDir returns the folder of the repository that is built; "": its root.
func (v View) BuildDir() string {
	dir := path.Clean(v.BuildProperty(PropBuildDir))
	if dir == "." {
		return ""
	}
	return dir
}

// CheckBuild returns an error if a setting of the build is invalid. The commands check
// values too, but a file can be edited by hand or come from a backup.
func (v View) CheckBuild() error {
	if err := CheckPath(PropProcfilePath, v.Property(PropProcfilePath)); err != nil {
		return v.correct(err, "ps", PropProcfilePath, v.State.PS[PropProcfilePath])
	}
	for _, name := range BuildLimitProperties {
		if value := v.Settings.Build[name]; value != "" {
			if err := checkBuildLimit(name, value); err != nil {
				return err
			}
		}
	}
	if _, err := options.Build.Read(v.State.BuildOptions); err != nil {
		return fmt.Errorf("%w; remove it: dokku docker-options:clear %s build", err, v.Name)
	}
	if err := v.CheckOptions(v.ContainerOptions()); err != nil {
		return err
	}
	for _, name := range []string{PropSelected, PropBuildDir, PropDockerfile, PropProjectTOML, PropAppJSON, PropRailpackJSON, PropHerokuish, PropSyntax, PropIsolation, PropAllowedHosts, PropAllowFrom, PropStack, PropPackImage, PropRunImage} {
		if value := v.BuildProperty(name); value != "" {
			if err := CheckBuildProperty(name, value); err != nil {
				return v.correct(err, buildNouns[name], name, v.State.Build[name])
			}
		}
	}
	return nil
}

// buildNouns are the commands that set a property: NOUN:set.
var buildNouns = map[string]string{PropSelected: "builder", PropBuildDir: "builder", PropIsolation: "builder", PropDockerfile: "builder-dockerfile",
	PropSyntax: "builder-dockerfile", PropAllowedHosts: "builder-dockerfile", PropAllowFrom: "builder", PropProjectTOML: "builder-pack", PropAppJSON: "app-json",
	PropRailpackJSON: "builder-railpack", PropHerokuish: "builder-herokuish"}

// DefaultRetention is the number of deploys of which an app keeps the log and the record,
// and MaxRetention the most that builds:set takes.
const (
	PropRetention    = "retention"
	DefaultRetention = 20
	MaxRetention     = 1000
)

// KeptDeploys returns the number of the app's deploys that keep their log and their record.
// A value that somebody wrote by hand and that is invalid counts as none.
func (v View) KeptDeploys() int {
	value := cmp.Or(v.State.Build[PropRetention], v.Settings.Build[PropRetention])
	if CheckRetention(value) != nil {
		return DefaultRetention
	}
	n, _ := strconv.Atoi(value)
	return n
}

// PropLogSize is the size in bytes from which on the log of a deploy gets no more output, and
// leastLogSize and mostLogSize bound it.
const (
	PropLogSize  = "log-max-size"
	leastLogSize = 64 << 10
	mostLogSize  = 1 << 30
)

// LogSize returns PropLogSize. A value that somebody wrote by hand and that is invalid counts
// as none.
func (v View) LogSize() int64 {
	value := cmp.Or(v.State.Build[PropLogSize], v.Settings.Build[PropLogSize])
	if CheckLogSize(value) != nil {
		return event.DefaultFileLimit
	}
	n, _ := strconv.ParseInt(value, 10, 64)
	return n
}

// CheckLogSize checks a value of PropLogSize.
func CheckLogSize(value string) error {
	if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < leastLogSize || n > mostLogSize {
		return fmt.Errorf("%q is not a number of bytes from %d to %d", event.OneLine(value), leastLogSize, mostLogSize)
	}
	return nil
}

// CheckRetention checks a value of PropRetention.
func CheckRetention(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > MaxRetention || strings.HasPrefix(value, "+") {
		return fmt.Errorf("%q is not a whole number from 1 to %d", event.OneLine(value), MaxRetention)
	}
	return nil
}

// correct adds to the error of a stored value the command that sets another one. own is
// the app's value; "": the value is the server's.
func (v View) correct(err error, noun, name, own string) error {
	where := "--global"
	if own != "" {
		where = v.Name
	}
	return fmt.Errorf("%w; correct it: dokku %s:set %s %s VALUE", err, noun, where, name)
}

// CheckBuildProperty returns an error if the value of a property of the build is invalid.
func CheckBuildProperty(name, value string) error {
	switch name {
	case PropBuildMemory, PropBuildTimeout, PropTaskTimeout, PropMaxBuilds:
		return checkBuildLimit(name, value)
	case PropCacheSize:
		_, _, err := parseCacheSize(value)
		return err
	case PropIsolation, PropBuildNetwork, PropIsolationMemory, PropIsolationCPUs, PropIsolationPIDs, PropIsolationCache, PropIsolationNetworks, PropIsolationImages:
		return checkBuildIsolation(name, value)
	case PropStack, PropPackImage, PropRunImage, PropAllowedBuilders:
		return CheckImages(name, value)
	case PropSelected:
		if !slices.Contains(build.Names, value) {
			//lint:ignore ST1005 the style of Dokku's messages
			return fmt.Errorf("Invalid selected specified: %q is not a builder, use one of: %s", event.OneLine(value), strings.Join(build.Names, ", "))
		}
		return nil
	case PropHerokuish:
		if value != "true" && value != "false" {
			//lint:ignore ST1005 the style of Dokku's messages
			return fmt.Errorf("Invalid allowed specified: %q is neither true nor false", event.OneLine(value))
		}
		return nil
	case PropBuildDir:
		if !inside(value) {
			//lint:ignore ST1005 the style of Dokku's messages
			return fmt.Errorf("Invalid build-dir specified: %q is not a path of a folder in the repository, such as apps/web", event.OneLine(value))
		}
		return nil
	case PropAllowedHosts:
		for _, host := range Words(value) {
			if strings.ContainsAny(host, "/@\"'") {
				//lint:ignore ST1005 the style of Dokku's messages
				return fmt.Errorf("Invalid allowed-hosts specified: %q is no host, such as localhost:5000 or 10.0.0.5", event.OneLine(host))
			}
		}
		return nil
	case PropAllowFrom:
		for _, other := range Words(value) {
			if err := ValidName(other); err != nil {
				//lint:ignore ST1005 the style of Dokku's messages
				return fmt.Errorf("Invalid allow-from specified: %w", err)
			}
		}
		return nil
	case PropSyntax:
		if _, err := build.ParseFrontends(value); err != nil {
			//lint:ignore ST1005 the style of Dokku's messages
			return fmt.Errorf("Invalid allowed-syntax specified: %w; write images, separated by commas, such as docker/dockerfile", err)
		}
		return nil
	}
	return CheckPath(name, value)
}

// Frontends returns the images of PropSyntax.
func (v View) Frontends() []string {
	list, _ := build.ParseFrontends(v.Settings.Build[PropSyntax]) // CheckBuild has read it
	return list
}

// BuildHosts returns the hosts that builds may ask although they are this server's alone: those of
// PropAllowedHosts, and the server's registry.
func (v View) BuildHosts() []string {
	hosts := Words(v.Settings.Build[PropAllowedHosts])
	if registry := RegistryServer(v.Settings.Registry[PropRegistry]); registry != "" {
		host, _, _ := strings.Cut(registry, "/")
		hosts = append(hosts, host)
	}
	return hosts
}

// Words splits a list at commas and blanks.
func Words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// CheckImages returns an error unless every word is an image's name. In a list of allowed
// ones they may be patterns.
func CheckImages(name, value string) error {
	words := []string{value}
	if name == PropAllowedBuilders {
		words = Words(value)
	}
	for _, word := range words {
		plain := word
		if name == PropAllowedBuilders {
			plain = strings.NewReplacer("*", "x", "?", "x").Replace(word)
		}
		if _, err := reference.ParseNormalizedNamed(plain); err != nil {
			//lint:ignore ST1005 the style of Dokku's messages
			return fmt.Errorf("Invalid %s specified: %q is not the name of an image, such as %s", name, event.OneLine(word), DefaultPackImage)
		}
	}
	return nil
}

// CheckPath returns an error unless the value of a property is the path of a file in a
// repository.
func CheckPath(name, value string) error {
	if inside(value) && path.Clean(value) == value {
		return nil
	}
	example := cmp.Or(BuildDefaults[name], PSDefaults[name])
	//lint:ignore ST1005 the style of Dokku's messages
	return fmt.Errorf("Invalid %s specified: %q is not a path of a file in the repository, such as deploy/%s", name, event.OneLine(value), example)
}

// maxPath is the length in bytes of the longest path in a setting.
const maxPath = 255

// inside reports whether a path stays below the folder in which it begins.
func inside(value string) bool {
	clean := path.Clean(value)
	return !path.IsAbs(value) && clean != ".." && !strings.HasPrefix(clean, "../") && len(value) <= maxPath &&
		event.Printable(value) == value
}
