package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/move"
	"dokku/agent/services"
	"dokku/agent/services/servicestest"
	"dokku/build"
)

// oldHost is a Dokku server with the service postgres db, whose data it has; "": the dump
// breaks off. Its apps have been read.
type oldHost struct{ data string }

const oldRoot = "/var/lib/dokku/services/postgres/db"

func (o oldHost) Run(_ context.Context, out io.Writer, words ...string) error {
	text, ok := map[string]string{
		"dokku --quiet postgres:list": "db\n", "dokku --quiet postgres:links db": "shop\n",
		"dokku --quiet postgres:info db":  "Exposed ports: 5432->15432\nService root: " + oldRoot + "\nStatus: running\nVersion: postgres:18.3\n",
		"cat -- " + oldRoot + "/PASSWORD": "secret\n", "cat -- " + oldRoot + "/DATABASE_NAME": "db\n",
	}[strings.Join(words, " ")]
	if !ok {
		return &move.Failed{Code: 1}
	}
	_, err := io.WriteString(out, text)
	return err
}
func (o oldHost) String() string                          { return "root@old.test" }
func (o oldHost) Hold(words ...string) (move.Held, error) { return oldDump(o), nil }

// oldDump is its dump.
type oldDump oldHost

func (o oldDump) Drop() {}

func (o oldDump) Run(_ context.Context, in string, out io.Writer) (string, error) {
	if !strings.HasPrefix(in, "PGPASSWORD=secret\n") {
		return "", errors.New("the dump does not know the password")
	}
	if o.data == "" {
		io.WriteString(out, servicestest.Head+"part")
		return "", errors.New("the connection was cut")
	}
	_, err := io.WriteString(out, servicestest.Head+o.data)
	n := len(strings.Fields(o.data))
	return fmt.Sprintf("dokku-import-count %d.; dokku-import-count %d.", n, n), err
}

// oldURL is how the app reaches the service there, and has to reach it here.
const oldURL = "postgres://postgres:secret@dokku-postgres-db:5432/db"

// oldApp is what Dokku has of an app: the second version, and settings.
func oldApp(h history, name string) *move.App {
	return &move.App{Name: name, Dir: "/home/dokku/" + name, Branch: "main", Tip: h.two,
		Config: map[string]string{"A": "b", "DATABASE_URL": oldURL}, Scale: map[string]string{"web": "2", "worker": "1"},
		Reports: map[string]move.Report{
			"domains": {"app-vhosts": "www.shop.test"}, "git": {"deploy-branch": "main"}, "ports": {"map-detected": "http:3000:5000"},
			"nginx": {"client-max-body-size": "5m", "computed-client-max-body-size": "5m"}, "ps": {"running": "true", "deployed": "true"},
		}}
}

// mover imports an app into the machine.
func (m *machine) mover() *move.Mover {
	return &move.Mover{From: &move.Server{Host: oldHost{"there"}}, Here: m.server, Importer: m.importer(), Log: event.Log{},
		Run: func(ctx context.Context, words []string, stdin string) (string, error) {
			var out, errs bytes.Buffer
			if code := command.Execute(ctx, cli.Env{Root: m.root, Server: m.server, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Quiet: true}, words); code != 0 {
				return "", fmt.Errorf("%w: %s", errCommand, errs.String())
			}
			return out.String(), nil
		}}
}

var errCommand = errors.New("the command failed")

func (m *machine) importApp(ctx context.Context, h history, name string) error {
	return importFrom(ctx, m.mover(), oldApp(h, name), h)
}

// importFrom imports the services of an app, and then the app.
func importFrom(ctx context.Context, mover *move.Mover, old *move.App, h history) error {
	kinds, err := services.Kinds("")
	if err != nil {
		return err
	}
	if err := mover.From.ReadServices(ctx, kinds, old.Uses); err != nil {
		return err
	}
	for _, v := range mover.From.Services {
		err = errors.Join(err, mover.Service(ctx, v))
	}
	return errors.Join(err, mover.App(ctx, old, h.tar))
}

// told is importFrom, and returns what it prints.
func told(ctx context.Context, mover *move.Mover, old *move.App, h history) (string, error) {
	var out bytes.Buffer
	term := event.NewTerminal(&out, &out, false)
	mover.Log = event.New(term)
	err := importFrom(ctx, mover, old, h)
	term.Close()
	return out.String(), err
}

// imported returns an error unless the app is here what it is there.
func (m *machine) imported(h history) error {
	a, err := m.server.Load("shop")
	if err != nil {
		return err
	}
	st := a.State
	if a.Current == nil || a.Current.Revision != h.two || a.Current.Config["A"] != "b" || a.Current.Port != 5000 ||
		strings.Join(st.Domains, " ") != "www.shop.test" || st.Nginx["client-max-body-size"] != "5m" || st.Scale["web"] != 2 || st.Scale["worker"] != 1 ||
		len(st.Ports) != 1 || st.Ports[0].String() != "http:3000:5000" || st.DeployBranch != "main" || !st.FirstScriptRan {
		return fmt.Errorf("it is %+v, and the release %+v", st, a.Current)
	}
	if a.Current.Config["DATABASE_URL"] != oldURL || len(st.Config) != 2 || len(st.Links) != 1 || len(a.Current.Links) != 1 {
		return fmt.Errorf("it is not linked: %+v, and the release %+v", st, a.Current)
	}
	if got, want := m.askedServices(), fmt.Sprintf("postgres db: postgres:18.3 [15432] %q, stopped false, importing %v", servicestest.Head+"there", time.Time{}); len(got) != 1 || got[0] != want {
		return fmt.Errorf("the service is %v, want %s", got, want)
	}
	return nil
}

// TestImportAgain: a second import changes nothing, and one that was killed before any of its
// changes ends what the first began.
func TestImportAgain(t *testing.T) {
	h := newHistory(t)
	ctx := t.Context()
	empty := func() *machine {
		m := newMachine(t, h)
		check(t, m.server.Destroy(ctx, "shop", event.Log{}))
		m.server.Env.Store.SweepRoot()
		m.count, m.names = 0, nil
		return m
	}
	whole := empty()
	check(t, whole.importApp(ctx, h, "shop"))
	whole.settle()
	check(t, errors.Join(whole.imported(h), whole.atRest()))
	changes, ids := whole.count, whole.ids()
	check(t, whole.importApp(ctx, h, "shop"))
	if fmt.Sprint(whole.ids()) != fmt.Sprint(ids) {
		t.Error("a second import replaced the processes")
	}
	if changes < 45 {
		t.Errorf("%d changes were counted: %v", changes, whole.names)
	}
	for k := 1; k <= changes; k++ {
		m := empty()
		m.kill = k
		m.importApp(ctx, h, "shop")
		m.turnOn()
		m.server.Env.Store.SweepRoot() // the agent's first act
		if apps, err := m.server.Env.Store.Apps(); err != nil || len(apps) > 0 {
			m.settle()
		}
		if err := m.importApp(ctx, h, "shop"); err != nil {
			t.Fatalf("killed before change %d, the second import fails: %v\n%v", k, err, m.names)
		}
		m.settle()
		if err := errors.Join(m.imported(h), m.atRest()); err != nil {
			t.Fatalf("killed before change %d: %v\n%v", k, err, m.names)
		}
	}
	t.Logf("killed before each of %d changes", changes)
}

// TestImportHolds: an app is not deployed without its config, nor on a folder or a volume that
// is empty here and not there. Once that is done, the next import deploys it.
func TestImportHolds(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.server.Destroy(ctx, "shop", event.Log{}))
	m.server.Env.Store.SweepRoot()
	storage := t.TempDir()
	check(t, m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error { s.StorageRoot = storage; return nil }))
	data := filepath.Join(storage, "shop")
	check(t, os.Mkdir(data, 0o700))
	old := oldApp(h, "shop")
	old.Reports["apps"] = move.Report{"locked": "true"}
	deployed := func(want bool) {
		t.Helper()
		a, err := m.server.Load("shop")
		check(t, err)
		if a.Deployed() != want || a.State.Locked != want {
			t.Errorf("deployed is %v, locked %v, want %v: %+v", a.Deployed(), a.State.Locked, want, a.State)
		}
	}
	mover := m.mover()
	run := mover.Run
	mover.Run = func(ctx context.Context, words []string, stdin string) (string, error) {
		if words[0] == "config:set" {
			return "", errCommand
		}
		return run(ctx, words, stdin)
	}
	old.Reports["proxy"] = move.Report{"type": "traefik"}
	printed, err := told(ctx, mover, old, h)
	if want := " !     shop: its proxy is traefik there: "; err == nil || !strings.Contains(printed, want) {
		t.Errorf("an import without the config is reported done (%v), or %q is not in\n%s", err, want, printed)
	}
	deployed(false)
	old.Mounts = []move.Mount{{Source: data, Target: "/data", Dir: data, Filled: true}, {Source: "cache", Target: "/cache", Dir: "/var/lib/docker/volumes/cache/_data", Filled: true}}
	waits := func(want ...string) {
		t.Helper()
		mover := m.mover()
		printed, err := told(ctx, mover, old, h)
		check(t, err)
		for _, text := range want {
			if !strings.Contains(printed, text) {
				t.Errorf("%q is not in\n%s", text, printed)
			}
		}
		if got := strings.Count(printed, "copy the files of"); got != len(want) || (len(mover.Waiting) > 0) != (len(want) > 0) {
			t.Errorf("%d copies are told, and %v waits:\n%s", got, mover.Waiting, printed)
		}
	}
	volume := "copy the files of cache while the app is stopped there: docker volume create cache && " +
		"rsync -a root@old.test:/var/lib/docker/volumes/cache/_data/ \"$(docker volume inspect --format '{{.Mountpoint}}' cache)\"/"
	waits("copy the files of "+data+" while the app is stopped there: rsync -a root@old.test:"+data+"/ "+data+"/", volume)
	deployed(false)
	check(t, os.WriteFile(filepath.Join(data, "file"), nil, 0o600))
	waits(volume)
	deployed(false)
	m.engine.Volume("cache").Set("the files")
	waits()
	deployed(true)
	waits() // a lock keeps deploys out, and there is nothing to deploy
	check(t, m.imported(h))
}

// TestImportBesideDokku: a volume of that name is Dokku's, and a copy of it is not.
func TestImportBesideDokku(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.server.Destroy(ctx, "shop", event.Log{}))
	m.server.Env.Store.SweepRoot()
	check(t, m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error { s.NamePrefix = "beside."; return nil }))
	m.engine.Volume("cache").Set("Dokku's files")
	old := oldApp(h, "shop")
	old.Mounts = []move.Mount{{Source: "cache", Target: "/cache", Dir: "/var/lib/docker/volumes/cache/_data", Filled: true}}
	printed, err := told(ctx, m.mover(), old, h)
	check(t, err)
	a, err := m.server.Load("shop")
	check(t, err)
	if want := " !     the volume cache may be Dokku's. Copy its files to another one, and mount that: dokku storage:mount shop COPY:/cache\n"; !strings.Contains(printed, want) || a.Deployed() || len(a.State.Mounts) > 0 {
		t.Errorf("deployed %v, mounts %v\n%s", a.Deployed(), a.State.Mounts, printed)
	}
	_, err = m.mover().Run(ctx, []string{"storage:mount", "shop", "copy:/cache"}, "")
	check(t, err)
	m.engine.Volume("copy").Set("the files")
	_, err = told(ctx, m.mover(), old, h)
	check(t, err)
	if a, err = m.server.Load("shop"); err != nil || !a.Deployed() || len(a.State.Mounts) != 1 {
		t.Errorf("with a copy: deployed %v, mounts %v (%v)", a.Deployed(), a.State.Mounts, err)
	}
}

// TestImportScale: Dokku does not read DOKKU_SCALE any more. What the file changes is told.
func TestImportScale(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.server.Destroy(ctx, "shop", event.Log{}))
	m.server.Env.Store.SweepRoot()
	put(t, filepath.Join(h.dir, "DOKKU_SCALE"), "web=2\nworker=3\n")
	git(t, h.dir, "add", "-A")
	git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x")
	h.two, h.tar = git(t, h.dir, "rev-parse", "HEAD"), filepath.Join(t.TempDir(), "old.tar")
	if out, err := exec.Command("tar", "-C", filepath.Join(h.dir, ".git"), "-cf", h.tar, "refs", "objects").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	mover := m.mover()
	mover.From.Version = "0.38.27"
	printed, err := told(ctx, mover, oldApp(h, "shop"), h)
	check(t, err)
	want := " !     shop: worker=3 is from DOKKU_SCALE in its repository, which Dokku 0.38.27 does not read: worker=1 there. To have that here, push a version without the file\n"
	if !strings.Contains(printed, want) || strings.Contains(printed, "shop: web=") {
		t.Errorf("%q is not in\n%s", want, printed)
	}
}

// TestImportImage: an app of git:from-image is its Dockerfile. The image may be on the old
// server alone.
func TestImportImage(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.server.Destroy(ctx, "shop", event.Log{}))
	m.server.Env.Store.SweepRoot()
	old := oldApp(h, "shop")
	old.Reports["git"]["source-image"], old.Reports["git"]["computed-source-image"] = "registry.test/shop:1", "registry.test/shop:1"
	m.server.Env.Build = func(context.Context, build.Request) (build.Result, error) { return build.Result{}, errBuilds }
	printed, err := told(ctx, m.mover(), old, h)
	if err == nil {
		t.Error("an image that is missing is no error")
	}
	want := " !     shop is built on the image registry.test/shop:1. If no registry has it: ssh root@old.test docker save registry.test/shop:1 | docker load, then run the import again\n"
	if !strings.Contains(printed, want) || strings.Contains(printed, "git:set shop source-image") {
		t.Errorf("%q is not in\n%s", want, printed)
	}
}

// TestImportService: an app is not deployed before its service is here whole, data here are
// never replaced unasked, and a service of the same name with other passwords stays as it is.
func TestImportService(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.server.Destroy(ctx, "shop", event.Log{}))
	m.server.Env.Store.SweepRoot()
	from := func(data string) *move.Mover {
		mover := m.mover()
		mover.From.Host = oldHost{data}
		return mover
	}
	if err := importFrom(ctx, from(""), oldApp(h, "shop"), h); err == nil || !strings.Contains(err.Error(), "the connection was cut") {
		t.Errorf("half a dump gives %v", err)
	}
	a, err := m.server.Load("shop")
	check(t, err)
	if a.Deployed() || len(a.State.Links) > 0 || a.State.Config["DATABASE_URL"] != "" || len(m.askedServices()) > 0 {
		t.Errorf("without its data: %+v, %v", a.State, m.askedServices())
	}
	check(t, importFrom(ctx, from("there"), oldApp(h, "shop"), h))
	check(t, m.imported(h))
	check(t, importFrom(ctx, from("later"), oldApp(h, "shop"), h))
	check(t, m.imported(h)) // with "there"
	again := from("later again")
	again.Again = map[services.Ref]bool{{Kind: "postgres", Name: "db"}: true}
	check(t, importFrom(ctx, again, oldApp(h, "shop"), h))
	if got := m.askedServices()[0]; !strings.Contains(got, "later again") {
		t.Errorf("asked for, the data are not loaded again: %s", got)
	}

	// Its ports are another's: apps do not need them.
	n := m.another()
	n.engine.SetImage("", engine.ImageInfo{ID: "sha256:postgres:18.3"}, "postgres:18.3")
	n.engine.Behave(behaviour)
	mover := n.mover()
	run := mover.Run
	mover.Run = func(ctx context.Context, words []string, stdin string) (string, error) {
		if words[0] == "postgres:expose" {
			return "", fmt.Errorf("%w: the port is taken", errCommand)
		}
		return run(ctx, words, stdin)
	}
	if err := importFrom(ctx, mover, oldApp(h, "shop"), h); err == nil || !strings.Contains(err.Error(), "is here with its data, but not at its ports") {
		t.Errorf("without its ports: %v", err)
	}
	if a, err := n.server.Load("shop"); err != nil || !a.Deployed() {
		t.Errorf("the app is not deployed without them: %v", err)
	}

	s, err := m.server.Services()
	check(t, err)
	k, err := s.Kind("postgres")
	check(t, err)
	none := event.Log{}
	check(t, m.server.Unlink(ctx, k, "db", "shop", agent.LinkOptions{Announce: func(map[string]string, []string) {}}, none))
	nobody := func(services.Ref) ([]string, error) { return nil, nil }
	check(t, s.Destroy(ctx, k, "db", false, nobody, none))
	_, err = s.Create(ctx, k, "db", services.Options{Password: "another"}, none)
	check(t, err)
	if err := importFrom(ctx, from("there"), oldApp(h, "shop"), h); err == nil || !strings.Contains(err.Error(), "postgres db exists here with other passwords") {
		t.Errorf("over another service: %v", err)
	}
}
