package options

import (
	"fmt"
	"strings"

	"dokku/build"
)

// Apply adds stored options to a request whose Env is the app's config. left are the
// build arguments without a value in the config, which are left out. A secret without
// one is an error.
func Apply(lines []string, r *build.Request) (left []string, err error) {
	list, err := Build.Read(lines)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		switch o.Name {
		case "--add-host":
			r.Hosts = append(r.Hosts, o.Value)
		case "--build-arg":
			name, value, given := strings.Cut(o.Value, "=")
			if !given {
				if value, given = r.Env[name]; !given {
					left = append(left, name)
					continue
				}
			}
			put(&r.BuildArgs, name, value)
		case "--label":
			name, value, _ := strings.Cut(o.Value, "=")
			put(&r.Labels, name, value)
		case "--no-cache":
			r.NoCache = true
		case "--platform":
			r.Platform = o.Value
		case "--secret":
			name, env, _ := readSecret(o.Value)
			value, ok := r.Env[env]
			if !ok {
				return nil, fmt.Errorf("the config has no %s, which the option %s of the build needs: dokku config:set --no-restart %s %s=VALUE", env, o, r.App, env)
			}
			put(&r.Secrets, name, value)
		case "--target":
			r.Target = o.Value
		}
	}
	return left, nil
}

// put sets a value in a map, which it makes if there is none.
func put(m *map[string]string, name, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[name] = value
}
