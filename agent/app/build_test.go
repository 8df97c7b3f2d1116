package app

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBuildProperties: an app's property wins over the server's, and a value that a command
// would refuse is refused when it is used too.
func TestBuildProperties(t *testing.T) {
	v := View{&App{Name: "hello", State: State{Build: map[string]string{PropBuildDir: "./apps/web/", PropSelected: "pack"}}},
		Settings{Build: map[string]string{PropSelected: "dockerfile", PropDockerfile: "docker/Dockerfile"}}}
	for name, want := range map[string]string{PropSelected: "pack", PropDockerfile: "docker/Dockerfile", PropProjectTOML: "project.toml", PropAppJSON: "app.json"} {
		if got := v.BuildProperty(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := v.BuildDir(); got != "apps/web" {
		t.Errorf("the build-dir is %q", got)
	}
	if err := v.CheckBuild(); err != nil {
		t.Error(err)
	}
	if got := (View{&App{}, Settings{}}).BuildDir(); got != "" {
		t.Errorf("the default build-dir is %q", got)
	}
	for _, c := range []struct{ noun, name, value, want string }{
		{"builder", PropSelected, "maven", `Invalid selected specified: "maven" is not a builder, use one of: herokuish, pack, dockerfile, railpack, null`},
		{"builder", PropBuildDir, "../x", `Invalid build-dir specified: "../x" is not a path of a folder in the repository, such as apps/web`},
		{"builder", PropBuildDir, "a\x1b[2Jb", `Invalid build-dir specified: "ab" is not a path of a folder in the repository, such as apps/web`},
		{"builder-dockerfile", PropDockerfile, "/Dockerfile", `Invalid dockerfile-path specified: "/Dockerfile" is not a path of a file in the repository, such as deploy/Dockerfile`},
		{"app-json", PropAppJSON, "..", `Invalid appjson-path specified: ".." is not a path of a file in the repository, such as deploy/app.json`},
	} {
		server := View{&App{}, Settings{Build: map[string]string{c.name: c.value}}}
		want := c.want + "; correct it: dokku " + c.noun + ":set --global " + c.name + " VALUE"
		if err := server.CheckBuild(); err == nil || err.Error() != want {
			t.Errorf("%s %q: %v, want %s", c.name, c.value, err, want)
		}
		own := View{&App{Name: "hello", State: State{Build: map[string]string{c.name: c.value}}}, Settings{}}
		want = strings.Replace(want, "--global", "hello", 1)
		if err := own.CheckBuild(); err == nil || err.Error() != want {
			t.Errorf("%s %q: %v, want %s", c.name, c.value, err, want)
		}
	}
	old := View{&App{}, Settings{PS: map[string]string{PropProcfilePath: "a/../../Procfile"}}}
	if err := old.CheckBuild(); err == nil || err.Error() != `Invalid procfile-path specified: "a/../../Procfile" is not a path of a file in the repository, such as deploy/Procfile; correct it: dokku ps:set --global procfile-path VALUE` {
		t.Error(err)
	}
}

// TestStoredOptions: an option that somebody wrote into a file is refused when it is used.
func TestStoredOptions(t *testing.T) {
	v := View{&App{Name: "hello", State: State{BuildOptions: []string{"--no-cache", "--ssh default"}}}, Settings{}}
	const want = `the option "--ssh default" of the build is invalid: --ssh is not supported for builds: a build gets no key of the server; ` +
		"put a key of its own into the config and mount it: --secret id=KEY,env=KEY; remove it: dokku docker-options:clear hello build"
	if err := v.CheckBuild(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestControlPaths: problems name a control file by its path in the repository, once.
func TestControlPaths(t *testing.T) {
	r := &Release{BuildDir: "apps/web", AppJSONPath: "deploy/app.json",
		Files: map[string]string{FileDokkuScale: "web=two\n", FileAppJSON: `{"formation": {"web": {"quantity": -1}}}`}}
	err := r.ReadFiles(100)
	if err == nil || r.Named(err).Error() != err.Error() {
		t.Fatalf("%v, named again: %v", err, r.Named(err))
	}
	const want = `apps/web/DOKKU_SCALE:1: "web=two": `
	if got := err.Error(); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("%s, want %s...", got, want)
	}
	for name, want := range map[string]string{FileProcfile: "apps/web/Procfile", FileAppJSON: "apps/web/deploy/app.json", FileChecks: "apps/web/CHECKS"} {
		if got := r.RepositoryPath(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestOldRelease: a release and a state of a version without builders load as they are,
// and a new one without settings is stored as before.
func TestOldRelease(t *testing.T) {
	var r Release
	if err := json.Unmarshal([]byte(`{"version":1,"number":3,"revision":"3f2c1d9","image":"sha256:0"}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.Builder != "" || r.BuildDir != "" || r.RepositoryPath(FileAppJSON) != "app.json" {
		t.Errorf("%+v", r)
	}
	data, err := json.Marshal(State{Version: 1})
	if string(data) != `{"version":1}` || err != nil {
		t.Errorf("%s, %v", data, err)
	}
}
