package options

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"dokku/build"
)

// TestParse goes through what people write, in one word or several.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // the stored lines
	}{
		{[]string{"--build-arg A=1"}, "--build-arg A=1"},
		{[]string{"--build-arg", "A=1"}, "--build-arg A=1"},
		{[]string{"--build-arg=A=1"}, "--build-arg=A=1"},
		{[]string{"--build-arg=A=b c"}, "error: \"c\" is not an option: an option begins with --, such as --build-arg NAME=VALUE"},
		{[]string{"--build-arg='A=b c'"}, "--build-arg='A=b c'"},
		{[]string{"--target=web", "--target web"}, "--target=web"},
		{[]string{"--build-arg", "A"}, "--build-arg A"},
		{[]string{"--build-arg A="}, "--build-arg A="},
		{[]string{"--build-arg A='b c'"}, "--build-arg 'A=b c'"},
		{[]string{"--build-arg", "A=b c"}, "--build-arg 'A=b c'"},
		{[]string{`--build-arg "A=b \"c\" \d"`}, `--build-arg 'A=b "c" \d'`},
		{[]string{`--build-arg A=\$HOME`}, "--build-arg 'A=$HOME'"},
		{[]string{"--build-arg A=$HOME/$(id)`id`"}, "--build-arg 'A=$HOME/$(id)`id`'"},
		{[]string{"--build-arg A=it\\'s"}, `--build-arg 'A=it'\''s'`},
		{[]string{"--build-arg", "A=-x"}, "--build-arg A=-x"},
		{[]string{"--build-arg A=1 --build-arg B=2 --no-cache"}, "--build-arg A=1|--build-arg B=2|--no-cache"},
		{[]string{"--build-arg A=1", "--target", "web"}, "--build-arg A=1|--target web"},
		{[]string{"--target=web", "--platform=linux/arm64/v8"}, "--target=web|--platform=linux/arm64/v8"},
		{[]string{"--secret id=TOKEN"}, "--secret id=TOKEN"},
		{[]string{"--secret id=npm,env=NPM_TOKEN"}, "--secret id=npm,env=NPM_TOKEN"},
		{[]string{"--secret type=env,id=npm,env=NPM_TOKEN"}, "--secret type=env,id=npm,env=NPM_TOKEN"},
		{[]string{"--label a.b/c=d e"}, "error: \"e\" is not an option: an option begins with --, such as --build-arg NAME=VALUE"},
		{[]string{"--label", "a.b/c=d e"}, "--label 'a.b/c=d e'"},
		{[]string{"--add-host db:192.0.2.1", "--add-host", "six:2001:db8::1"}, "--add-host db:192.0.2.1|--add-host six:2001:db8::1"},
		{[]string{"--no-cache", "--no-cache"}, "--no-cache"},

		{[]string{"A=1"}, `error: "A=1" is not an option: an option begins with --, such as --build-arg NAME=VALUE`},
		{[]string{"--build-arg"}, "error: --build-arg needs a value: --build-arg NAME=VALUE"},
		{[]string{"--build-arg", "1A=x"}, `error: --build-arg "1A=x": a build argument is a variable's name, with or without a value, such as --build-arg NAME=VALUE`},
		{[]string{"--build-arg A=1 --build-arg A=2"}, "error: --build-arg A=1 and --build-arg A=2 set the same: keep one of them"},
		{[]string{"--build-arg A --build-arg A=2"}, "error: --build-arg A and --build-arg A=2 set the same: keep one of them"},
		{[]string{"--target a --target b"}, "error: --target a and --target b set the same: keep one of them"},
		{[]string{"--no-cache=true"}, `error: --no-cache takes no value, but has "true"`},
		{[]string{"--build-arg", "A=1\n2"}, `error: --build-arg "A=1\n2": it has a control character, such as --build-arg NAME=VALUE`},
		{[]string{"--build-arg 'A=1"}, "error: cannot split"},
		{[]string{"--target", "we b"}, `error: --target "we b": it is not the name or number of a stage, such as --target production`},
		{[]string{"--platform linux/amd64,linux/arm64"}, `error: --platform "linux/amd64,linux/arm64": an app runs one image, so it has one platform, such as --platform linux/arm64`},
		{[]string{"--platform windows/amd64"}, `error: --platform "windows/amd64": it is not a platform of Linux, such as --platform linux/arm64`},
		{[]string{"--secret id=npm,src=/etc/shadow"}, `error: --secret "id=npm,src=/etc/shadow": a build reads no file of the server: put the value into the config ` +
			"(dokku config:set) and name the variable, such as --secret id=NPM_TOKEN,env=NPM_TOKEN"},
		{[]string{"--secret id=npm,type=file"}, `error: --secret "id=npm,type=file": a secret is a variable of the app's config (type=env), such as --secret id=NPM_TOKEN,env=NPM_TOKEN`},
		{[]string{"--secret npm"}, `error: --secret "npm": "npm" is not a part of a secret, which has an id and the name of a variable of the config, such as --secret id=NPM_TOKEN,env=NPM_TOKEN`},
		{[]string{"--secret env=A"}, `error: --secret "env=A": a secret has an id and the name of a variable of the config, such as --secret id=NPM_TOKEN,env=NPM_TOKEN`},
		{[]string{"--secret id=a-b"}, `error: --secret "id=a-b": a secret has an id and the name of a variable of the config, such as --secret id=NPM_TOKEN,env=NPM_TOKEN`},
		{[]string{"--label com.dokku.app-name=other"}, `error: --label "com.dokku.app-name=other": labels that begin with com.dokku. are dokku's own; take another name, such as --label NAME=VALUE`},
		{[]string{"--label =a"}, `error: --label "=a": a label is a name, with or without a value, such as --label NAME=VALUE`},
		{[]string{"--add-host db:host-gateway"}, `error: --add-host "db:host-gateway": it needs a name and an IP address, such as --add-host db:192.0.2.1`},
		{[]string{"--ssh default"}, "error: --ssh is not supported for builds: a build gets no key of the server; put a key of its own into the config and mount it: --secret id=KEY,env=KEY"},
		{[]string{"-f", "x"}, "error: -f is not supported for builds: set the path: dokku builder-dockerfile:set APP dockerfile-path FILE"},
		{[]string{"--volume=/:/host"}, "error: --volume is not supported for builds: a build mounts no folder of the server; a step can keep one of its own: RUN --mount=type=cache,target=DIR"},
		{[]string{"--network host"}, "error: --network is not supported for builds: the steps of all builds run in the engine's default network"},
		{[]string{"--nosuch"}, `error: "--nosuch" is not an option of docker build that is supported here: --add-host, --build-arg, --label, --no-cache, --platform, --secret, --target`},
	} {
		list, err := Build.Parse(c.args)
		var lines []string
		for _, o := range list {
			lines = append(lines, o.String())
		}
		got := strings.Join(lines, "|")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want && (c.want != "error: cannot split" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%q:\n got %s\nwant %s", c.args, got, c.want)
		}
		if err != nil {
			continue
		}
		if again, err := Build.Read(lines); err != nil || !slices.Equal(again, list) {
			t.Errorf("%q: stored as %q, which is read as %q, %v", c.args, lines, again, err)
		}
	}
}

// TestAddRemove: the lines stay sorted, each once, and either form of an option removes it.
func TestAddRemove(t *testing.T) {
	parse := func(args ...string) []Option {
		t.Helper()
		list, err := Build.Parse(args)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	lines, err := Build.Add(nil, parse("--target web --build-arg B=2"))
	if err == nil {
		lines, err = Build.Add(lines, parse("--build-arg A=1", "--build-arg=B=2", "--no-cache"))
	}
	if want := []string{"--build-arg A=1", "--build-arg B=2", "--no-cache", "--target web"}; err != nil || !slices.Equal(lines, want) {
		t.Fatalf("%q, %v", lines, err)
	}
	for arg, want := range map[string]string{
		"--target api":      "--target is set already, as --target web: remove that first",
		"--build-arg B=3":   "--build-arg B is set already, as --build-arg B=2: remove that first",
		"--build-arg B":     "--build-arg B is set already, as --build-arg B=2: remove that first",
		"--build-arg b=3":   "",
		"--label B=3":       "",
		"--build-arg A=1":   "",
		"--secret id=B":     "",
		"--add-host B:::1":  "",
		"--build-arg BB=22": "",
	} {
		if _, err := Build.Add(lines, parse(arg)); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
	rest, missing := Remove(lines, parse("--target=web", "--build-arg", "B=3"))
	if want := []string{"--build-arg A=1", "--build-arg B=2", "--no-cache"}; !slices.Equal(rest, want) || len(missing) != 1 || missing[0].String() != "--build-arg B=3" {
		t.Errorf("%q, missing %v", rest, missing)
	}
	if len(lines) != 4 {
		t.Errorf("Remove changed its input: %q", lines)
	}
	if _, err := Build.Add([]string{"--ssh default"}, nil); err == nil || !strings.HasPrefix(err.Error(), `the option "--ssh default" of the build is invalid: --ssh is not supported`) {
		t.Errorf("a stored option that is not supported: %v", err)
	}
}

// TestApply: values without one come from the config; what the config lacks is left out or
// an error.
func TestApply(t *testing.T) {
	r := build.Request{App: "hello", Env: map[string]string{"NODE_ENV": "production", "TOKEN": "t", "EMPTY": ""}, Labels: map[string]string{"own": "1"}}
	left, err := Apply([]string{"--add-host db:192.0.2.1", "--build-arg A=1=2", "--build-arg EMPTY", "--build-arg NODE_ENV", "--build-arg NONE", `--label 'a=b c'`, "--label demo",
		"--no-cache", "--platform linux/arm64", "--secret id=TOKEN", "--secret id=npm,env=TOKEN", "--target web"}, &r)
	if err != nil || !slices.Equal(left, []string{"NONE"}) {
		t.Fatal(left, err)
	}
	if want := map[string]string{"A": "1=2", "EMPTY": "", "NODE_ENV": "production"}; !maps.Equal(r.BuildArgs, want) {
		t.Errorf("build arguments: %q", r.BuildArgs)
	}
	if want := map[string]string{"TOKEN": "t", "npm": "t"}; !maps.Equal(r.Secrets, want) {
		t.Errorf("secrets: %q", r.Secrets)
	}
	if want := map[string]string{"own": "1", "a": "b c", "demo": ""}; !maps.Equal(r.Labels, want) {
		t.Errorf("labels: %q", r.Labels)
	}
	if r.Target != "web" || r.Platform != "linux/arm64" || !r.NoCache || !slices.Equal(r.Hosts, []string{"db:192.0.2.1"}) {
		t.Errorf("%+v", r)
	}
	const want = "the config has no NPM, which the option --secret id=npm,env=NPM of the build needs: dokku config:set --no-restart hello NPM=VALUE"
	if _, err := Apply([]string{"--secret id=npm,env=NPM"}, &build.Request{App: "hello"}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// FuzzParse: what is accepted is stored and read as the same, and a second time too.
func FuzzParse(f *testing.F) {
	f.Add("--build-arg A='b c' --no-cache")
	f.Add("--label a=\"$X\" --secret id=a,env=B")
	f.Add("--build-arg A=`x` # y")
	f.Fuzz(func(t *testing.T, line string) {
		list, err := Build.Parse([]string{line})
		if err != nil {
			return
		}
		lines, err := Build.Add(nil, list)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		again, err := Build.Read(lines)
		if err != nil || !slices.Equal(stored(again), lines) || len(again) != len(list) {
			t.Errorf("%q is stored as %q, which is read as %q, %v", line, lines, again, err)
		}
	})
}
