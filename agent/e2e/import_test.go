package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"dokku/agent/e2e/lab"
	"dokku/hooks/sshtest"
)

// fakeDokku answers as a Dokku server does, with the files in its folder out.
const fakeDokku = `#!/bin/sh
[ "$1" = --quiet ] && shift
file=OLD/out/$(echo "$*" | tr ' ' _)
[ -e "$file" ] || { echo " !     Invalid flag passed" >&2; exit 1; }
cat "$file"
`

// An oldServer is a Dokku server behind an sshd of its own.
type oldServer struct {
	dir  string
	args []string // of dokku import
}

// newOldServer starts a server that has an app, with a repository of what is in its clone.
func newOldServer(t *testing.T, a *lab.App, answers map[string]string) *oldServer {
	t.Helper()
	o := &oldServer{dir: t.TempDir()}
	home := filepath.Join(o.dir, "home", a.Name)
	for path, text := range map[string]string{"bin/dokku": strings.ReplaceAll(fakeDokku, "OLD", o.dir), "out/version": "dokku version 0.38.0\n", "out/plugin:list": "[]",
		"out/apps:list": a.Name + "\n", "out/ps:scale_" + a.Name: "web: 1\n", "out/storage:list_" + a.Name: "",
		"out/apps:report_" + a.Name + "_--format_json": `{"dir":"` + home + `"}`} {
		lab.Must(t, os.MkdirAll(filepath.Dir(filepath.Join(o.dir, path)), 0o755))
		lab.Must(t, os.WriteFile(filepath.Join(o.dir, path), []byte(text), 0o755))
	}
	for name, text := range answers {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "APP", a.Name), " ", "_")
		lab.Must(t, os.WriteFile(filepath.Join(o.dir, "out", name), []byte(strings.ReplaceAll(text, "APP", a.Name)), 0o644))
	}
	a.Git("init", "-q", "--bare", "-b", "main", home)
	a.Git("push", "-q", home, "main")
	key := sshtest.Key(t, filepath.Join(o.dir, "key"))
	sshd := sshtest.Start(t, o.dir, key+".pub", "SetEnv PATH="+filepath.Join(o.dir, "bin")+":/usr/bin:/bin")
	o.args = []string{"import", "--port", sshd.URL[strings.LastIndex(sshd.URL, ":")+1:], "--identity", key, sshd.Dest}
	return o
}

// run runs dokku import; known: the host key of the server is known.
func (o *oldServer) run(l *lab.Lab, known bool, more ...string) (out string, code int) {
	l.T.Helper()
	cmd := l.Command(append(o.args, more...)...)
	hosts := "/dev/null"
	if known {
		hosts = filepath.Join(o.dir, "known_hosts")
	}
	ssh, err := exec.LookPath("ssh")
	lab.Must(l.T, err)
	bin := l.T.TempDir()
	lab.Must(l.T, os.WriteFile(filepath.Join(bin, "ssh"), []byte("#!/bin/sh\nexec "+ssh+" -F /dev/null -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile="+hosts+" \"$@\"\n"), 0o755))
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	return l.Start(cmd).Wait()
}

// besideDokku runs a container of Dokku's for an app of the same name, and returns what says
// that it is still as it was.
func besideDokku(t *testing.T, l *lab.Lab, name string) (unchanged func()) {
	t.Helper()
	docker, ctx := l.Tools.Docker, context.Background()
	labels := map[string]string{"dokku": "", "com.dokku.app-name": name, "com.dokku.image-stage": "release", "org.label-schema.vendor": "dokku"}
	base, err := docker.ContainerCreate(ctx, &container.Config{Image: l.Tools.Base, Cmd: []string{"/server"}}, nil, nil, nil, "")
	lab.Must(t, err)
	made, err := docker.ContainerCommit(ctx, base.ID, container.CommitOptions{Reference: "dokku/" + name + ":latest",
		Config: &container.Config{Labels: labels, Entrypoint: []string{"/server"}}})
	lab.Must(t, err)
	lab.Must(t, docker.ContainerRemove(ctx, base.ID, container.RemoveOptions{Force: true}))
	own := map[string]string{"com.dokku.app-name": name, "com.dokku.container-type": "deploy", "com.dokku.process-type": "web", "com.dokku.dyno": "web.1"}
	c, err := docker.ContainerCreate(ctx, &container.Config{Image: made.ID, Labels: own, Env: []string{"PORT=5000"}}, nil, nil, nil, name+".web.1")
	lab.Must(t, err)
	t.Cleanup(func() {
		docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
		docker.ImageRemove(ctx, made.ID, image.RemoveOptions{Force: true})
	})
	lab.Must(t, docker.ContainerStart(ctx, c.ID, container.StartOptions{}))
	return func() {
		t.Helper()
		r, err := docker.ContainerInspect(ctx, c.ID)
		lab.Must(t, err)
		if !r.State.Running || r.Name != "/"+name+".web.1" {
			t.Errorf("Dokku's container is %s, and called %s", r.State.Status, r.Name)
		}
		i, err := docker.ImageInspect(ctx, "dokku/"+name+":latest")
		lab.Must(t, err)
		if i.ID != made.ID {
			t.Errorf("dokku/%s:latest is another image than Dokku's", name)
		}
	}
}

// TestImport: an app comes from a Dokku server over ssh and serves; a second import changes
// nothing. With a prefix of names, that works on the engine where Dokku still runs it.
func TestImport(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"name_prefix": "beside."})
	a := l.App(nil)
	unchanged := besideDokku(t, l, a.Name)
	old := newOldServer(t, a, map[string]string{
		"config:export APP --format json": `{"GREETING":"good day","GIT_REV":"x"}`,
		"git:report APP --format json":    `{"deploy-branch":"main","computed-deploy-branch":"main"}`,
		"ports:report APP --format json":  `{"map":"","map-detected":"http:80:5000"}`,
		"ps:report APP --format json":     `{"deployed":"true","running":"true"}`,
	})
	if out, code := old.run(l, false, a.Name); code != 1 || !strings.Contains(out, "its host key is unknown: check and accept it once") {
		t.Errorf("%d: %s", code, out)
	}
	out, code := old.run(l, true, a.Name)
	if code != 0 || !strings.Contains(out, "Imported 1 app") {
		t.Fatalf("%d: %s", code, out)
	}
	runs := func() string {
		t.Helper()
		list, err := l.Tools.Docker.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(
			filters.Arg("label", "com.dokku.app-name="+a.Name), filters.Arg("label", "com.dokku.attempt"))})
		lab.Must(t, err)
		if len(list) != 1 || list[0].Names[0] != "/beside."+a.Name+".web.1" {
			t.Fatalf("the containers are %+v", list)
		}
		return list[0].ID
	}
	before := runs()
	a.Serves(a.Tip("main"))
	if got := strings.TrimSpace(l.Dokku("config:get", a.Name, "GREETING")); got != "good day" {
		t.Errorf("GREETING is %q", got)
	}
	unchanged()
	if out, code := old.run(l, true, a.Name); code != 0 || !strings.Contains(out, a.Name+" is unchanged") {
		t.Errorf("%d: %s", code, out)
	}
	if runs() != before {
		t.Error("the second import replaced the process")
	}
	l.Dokku("ps:restart", a.Name)
	l.Dokku("cleanup", a.Name)
	unchanged()
	l.Dokku("apps:destroy", "--force", a.Name)
	unchanged()
}

// TestImportDatabase: an app comes with its PostgreSQL from a Dokku server over ssh, reads
// its data by the same URL, and a second import leaves what it has written meanwhile.
func TestImportDatabase(t *testing.T) {
	l, name := servicesLab(t)
	a := l.App(lab.Files{"Dockerfile": "FROM " + name + "\nENTRYPOINT []\nCMD [\"sleep\", \"100000\"]\n", "Procfile": "worker: sleep 100000\n", "DOKKU_SCALE": "worker=1\n"})
	db := "db" + strings.TrimPrefix(a.Name, "e2e-")
	removeServices(t, l, "_postgres."+db)
	l.StartAgent()

	// A service of the old server: made here, and away again before the import.
	l.Dokku("postgres:create", db, "--image", "dokku-test-services", "--image-version", "15")
	url := strings.TrimSpace(l.Dokku("postgres:info", db, "--dsn"))
	_, password, _ := strings.Cut(url, "postgres://postgres:")
	password, _, _ = strings.Cut(password, "@")
	database := url[strings.LastIndex(url, "/")+1:]
	l.Dokku("postgres:enter", db, "psql", "-U", "postgres", database, "-qc", "create table visits (n int, t text); insert into visits select n, md5(n::text) from generate_series(1, 100000) n")
	dump := exportService(t, l, "postgres", db)
	l.Dokku("postgres:destroy", db, "--force")

	old := newOldServer(t, a, map[string]string{
		"config:export APP --format json": `{"DATABASE_URL":"` + url + `"}`,
		"git:report APP --format json":    `{"deploy-branch":"main","computed-deploy-branch":"main"}`,
		"ps:report APP --format json":     `{"deployed":"true","running":"true"}`,
		"docker-options:report APP":       "Docker options deploy: --link dokku.postgres." + db + ":dokku-postgres-" + db + "\n",
		"ps:scale APP":                    "worker: 1\n",
		"postgres:list":                   db + "\n", "postgres:links " + db: a.Name + "\n",
	})
	root := filepath.Join(old.dir, "services", db)
	for path, text := range map[string]string{
		filepath.Join(root, "PASSWORD"): password + "\n", filepath.Join(root, "DATABASE_NAME"): database + "\n",
		filepath.Join(old.dir, "out", "postgres:info_"+db):   "Service root: " + root + "\nStatus: running\nVersion: " + name + "\nExposed ports: -\n",
		filepath.Join(old.dir, "out", "postgres:export_"+db): string(dump),
		filepath.Join(old.dir, "bin", "docker"):              "#!/bin/sh\n[ \"$PGPASSWORD\" = " + password + " ] && echo 1\n",
	} {
		lab.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		lab.Must(t, os.WriteFile(path, []byte(text), 0o755))
	}
	out, code := old.run(l, true, a.Name)
	if code != 0 {
		t.Fatalf("%d: %s", code, out)
	}
	lab.Contains(t, out, "=====> Importing postgres "+db, "postgres "+db+": 1 table, as many as there", "Imported 1 app and 1 service")
	if got := strings.TrimSpace(l.Dokku("config:get", a.Name, "DATABASE_URL")); got != url {
		t.Errorf("DATABASE_URL is %q, want %q", got, url)
	}
	sql := func(query string) string {
		return strings.TrimSpace(l.Dokku("run", a.Name, "psql", url+"?sslmode=require", "-qAtc", query))
	}
	if got := sql("select count(*), sum(n) from visits"); got != "100000|5000050000" {
		t.Errorf("the app reads %q", got)
	}
	sql("insert into visits values (1, 'here')")
	out, code = old.run(l, true, a.Name)
	if code != 0 || !strings.Contains(out, "is here with its data, which stay") {
		t.Errorf("%d: %s", code, out)
	}
	if got := sql("select count(*) from visits"); got != "100001" {
		t.Errorf("after the second import the app reads %q", got)
	}
}
