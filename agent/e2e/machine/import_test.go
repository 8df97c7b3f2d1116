package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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

// TestImportHolds: an app is not deployed without its config, nor on a folder that is empty
// here and not there. Once that is done, the next import deploys it.
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
	if err := importFrom(ctx, mover, old, h); err == nil {
		t.Error("an import without the config is reported done")
	}
	deployed(false)
	old.Mounts = []move.Mount{{Source: data, Target: "/data", Filled: true}}
	check(t, importFrom(ctx, m.mover(), old, h))
	deployed(false)
	check(t, os.WriteFile(filepath.Join(data, "file"), nil, 0o600))
	check(t, importFrom(ctx, m.mover(), old, h))
	deployed(true)
	check(t, m.imported(h))
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
