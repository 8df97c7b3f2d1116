package builders

import (
	"slices"

	"dokku/agent/app"
	"dokku/agent/command/cli"
)

// Commands are the commands of this package.
var Commands = slices.Concat(propertyCommands, otherBuilders, optionCommands, cacheCommands)

var propertyCommands = []cli.Spec{
	appJSONReport.Spec("Show the path of the app's app.json"),
	appJSONProperties.Spec("Set or unset the path of app.json"),
	buildpacksAdd, buildpacksClear, buildpacksList, buildpacksRemove, buildpacksSet,
	buildpackReport.Spec("Show the app's buildpacks and the image that builds with them"),
	buildpacksSetProperty,
	allowFrom,
	builderReport.Spec("Show how the app is built, and how its current release was"),
	builderProperties.Spec("Set or unset the builder, or the folder of the repository that is built"),
	dockerfileReport.Spec("Show the path of the app's Dockerfile"),
	dockerfileProperties.Spec("Set or unset the path of the Dockerfile"),
	herokuishReport.Spec("Show whether herokuish may build the app"),
	herokuishProperties.Spec("Set or unset whether herokuish may build"),
	packReport.Spec("Show how Cloud Native Buildpacks build the app"),
	packProperties.Spec("Set or unset the images of Cloud Native Buildpacks, or the path of project.toml"),
	railpackReport.Spec("Show the path of the app's railpack.json"),
	railpackProperties.Spec("Set or unset the path of railpack.json"),
}

var (
	builderProperties = properties("builder", app.PropAllowFrom, app.PropBuildDir, app.PropIsolation, app.PropBuildMemory, app.PropBuildNetwork, app.PropBuildTimeout, app.PropCacheSize,
		app.PropIsolationCache, app.PropIsolationCPUs, app.PropIsolationImages, app.PropIsolationMemory, app.PropIsolationNetworks, app.PropIsolationPIDs, app.PropMaxBuilds, app.PropSelected, app.PropTaskTimeout)
	dockerfileProperties = properties("builder-dockerfile", app.PropDockerfile, app.PropAllowedHosts, app.PropSyntax)
	packProperties       = properties("builder-pack", app.PropAllowedBuilders, app.PropPackImage, app.PropProjectTOML, app.PropRunImage)
	herokuishProperties  = properties("builder-herokuish", app.PropHerokuish)
	railpackProperties   = properties("builder-railpack", app.PropRailpackJSON)
	appJSONProperties    = properties("app-json", app.PropAppJSON)

	dockerfileReport = filled(dockerfileProperties, app.PropDockerfile)
	packReport       = filled(packProperties, app.PropProjectTOML)
	herokuishReport  = herokuishProperties.Reporter()
	railpackReport   = railpackProperties.Reporter()
	appJSONReport    = appJSONProperties.Reporter()
)

const otherBuilder = "a Dockerfile or buildpacks build an app: dokku builder:set APP selected BUILDER"

// otherBuilders are the settings of builders of Dokku's that are not here.
var otherBuilders = slices.Concat(
	cli.InertCommands("builder-lambda", cli.Inert("builder-lambda", otherBuilder, cli.Named("lambdayml-path=lambda.yml")...)),
	cli.InertCommands("builder-nixpacks", cli.Inert("builder-nixpacks", otherBuilder, cli.Named("nixpackstoml-path=nixpacks.toml")...)),
)

// skipCleanup is a property of Dokku's that clients set.
const skipCleanup = "skip-cleanup"

// filled returns the report of properties whose text has the server's value of a file's path
// where it is the default, as that of Dokku 0.35.
func filled(p cli.Properties, path string) cli.Reporter {
	rep := p.Reporter()
	rep.Filled = map[string]string{p.Noun + "-global-" + path: app.BuildDefaults[path]}
	return rep
}

// properties are the properties of a noun that say how a revision is built.
func properties(noun string, names ...string) cli.Properties {
	p := cli.Properties{
		Noun:   noun,
		Role:   cli.Operator,
		Get:    func(st *app.State, name string) string { return st.Build[name] },
		Put:    func(st *app.State, name, value string) { cli.Put(&st.Build, name, value) },
		Server: func(set *app.Settings) *map[string]string { return &set.Build },
	}
	for _, name := range names {
		p.List = append(p.List, property(name))
	}
	if noun == "builder" {
		p.List = append(p.List, cli.Property{Name: skipCleanup, Default: "false", Check: func(value string) error {
			return cli.OneOf(skipCleanup, value, "true", "false")
		}, Note: "skip-cleanup is stored, as Dokku does, and has no effect: a deploy removes only what no release uses"})
	}
	return p
}

func property(name string) cli.Property {
	p := cli.Property{Name: name, Default: app.BuildDefaults[name], Check: func(value string) error { return app.CheckBuildProperty(name, value) }}
	if slices.Contains(app.BuildLimitProperties, name) || name == app.PropCacheSize { // else an app could lift them
		p.OnlyServer = true
	}
	if slices.Contains(app.IsolationProperties, name) || name == app.PropBuildNetwork { // else a pusher could reach the host
		p.OnlyServer, p.OnHost = true, func(string, string) bool { return true }
	}
	if name == app.PropBuildMemory {
		p.Note = "This limits builds with herokuish and buildpacks. Those of a Dockerfile, or with railpack, have no such limit: the engine's BuildKit knows none. isolation-memory limits those with build-isolation own."
	}
	if name == app.PropTaskTimeout { // else whoever it is for lifts it
		p.Admin = true
	}
	if name == app.PropIsolation { // else whoever the engine is kept from gets back to it
		p.Bounded = func(c *cli.Call, _, value string) error {
			switch value {
			case app.IsolationOwn:
				return nil
			case "":
				return c.NeedsAdmin("the property " + app.PropIsolation + " without a value")
			}
			return c.NeedsAdmin("the value " + value + " of " + app.PropIsolation)
		}
	}
	if name == app.PropPackImage || name == app.PropRunImage || name == app.PropStack {
		p.Admin = true // a pusher's project.toml may name the images that the server allows
	}
	if name == app.PropPackImage {
		p.Default = app.DefaultPackImage
	}
	if name == app.PropAllowedBuilders { // else a pusher could allow what the server does not
		p.OnlyServer, p.OnHost = true, func(string, string) bool { return true }
	}
	if name == app.PropAllowedHosts { // the engine may ask what listens for this server alone
		p.OnlyServer, p.OnHost = true, func(string, string) bool { return true }
	}
	if name == app.PropAllowFrom { // another app's image has its files
		p.OnlyApp, p.OnHost = true, func(string, string) bool { return true }
	}
	if name == app.PropSyntax { // such an image decides what builds do and gets registries' passwords
		p.OnlyServer, p.OnHost = true, func(string, string) bool { return true }
	}
	return p
}

// builderReport adds what the current release was built with.
var builderReport = func() cli.Reporter {
	rep := builderProperties.Reporter()
	own := rep.Collect
	rep.Keys = cli.Sorted(slices.Concat(rep.Keys, []string{"builder-detected", "builder-reason"}))
	rep.Own = []string{skipCleanup}
	rep.Collect = func(c *cli.Call, a *app.App, only string) (map[string]string, error) {
		values, err := own(c, a, only)
		if err != nil {
			return nil, err
		}
		values["builder-detected"], values["builder-reason"] = "", ""
		if a.Deployed() {
			values["builder-detected"], values["builder-reason"] = a.Current.Builder, a.Current.BuilderReason
		}
		return values, nil
	}
	return rep
}()
