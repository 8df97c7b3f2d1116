package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/services"
)

func TestParseReport(t *testing.T) {
	for _, test := range []struct {
		noun, text string
		want       Report
	}{
		{"nginx", `{"client-max-body-size":"5m","computed-client-max-body-size":"5m","hsts":""}`,
			Report{"client-max-body-size": "5m", "computed-client-max-body-size": "5m", "hsts": ""}},
		{"docker-options", `{"docker-options-deploy":"--init","deploy-list":["--init"]}`, Report{"deploy": "--init"}},
		{"ps", "=====> hello ps information\n       Deployed:                      true\n       Ps restart policy:             on-failure:10\n       Status web 1:                  running (CID: 1)\n",
			Report{"deployed": "true", "restart-policy": "on-failure:10", "status-web-1": "running (CID: 1)"}},
		{"ssl", "       Ssl enabled:                   true\n       Ssl expires at:                Nov 1 00:00:00 2026 GMT\n",
			Report{"enabled": "true", "expires-at": "Nov 1 00:00:00 2026 GMT"}},
		{"resource", "       _default_ limit memory:        512\n       web limit cpu:\n", Report{"_default_-limit-memory": "512", "web-limit-cpu": ""}},
		{"ps", " !     App is locked\n", Report{}},
	} {
		got, err := ParseReport(test.noun, test.text)
		if err != nil || !maps.Equal(got, test.want) {
			t.Errorf("%q: got %v (%v), want %v", test.text, got, err, test.want)
		}
	}
	if _, err := ParseReport("ps", "{"); err == nil {
		t.Error("half a report is no error")
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		``: nil, `a  b`: {"a", "b"}, `--label 'a b'`: {"--label", "a b"}, `--label=a\ b "c 'd'" ''`: {"--label=a b", "c 'd'", ""}, `'a\b'`: {`a\b`},
	} {
		if got := words(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ49Nc18H/dsmdB+oZ6WQ0Q07gZDc9uC0pNxmcoFMjGQ"
	line := `command="FINGERPRINT=SHA256:x NAME=\"ann\" ` + "`cat /home/dokku/.sshcommand` $SSH_ORIGINAL_COMMAND" + `",no-agent-forwarding,no-pty ` + key
	for _, test := range []struct {
		text   string
		keys   int
		others int
	}{
		{"# a comment\n" + line + "\n", 1, 0},
		{line + ` ann@laptop`, 1, 0},
		{line + ` ann's "old" laptop, "x`, 1, 0},
		{line + "\n" + key + " of an admin\n" + `from="10.0.0.1" ` + key + "\n", 1, 2},
	} {
		keys, others := parseKeys(test.text)
		if len(keys) != test.keys || others != test.others || keys[0] != (Key{"ann", key + "\n"}) {
			t.Errorf("%s: got %q and %d others", test.text, keys, others)
		}
	}
}

// TestPlanOfApp: each setting that differs is one command; one that is the same is none.
func TestPlanOfApp(t *testing.T) {
	full := &App{Name: "hello", Dir: "/home/dokku/hello", Scale: map[string]string{"web": "2", "old": "0"},
		Config: map[string]string{"A": "it's", "GIT_REV": "x", "DOKKU_PROXY_PORT": "80", "DOKKU_WAIT_TO_RETIRE": "9"},
		Mounts: []Mount{{Source: "/var/lib/dokku/data/storage/hello", Target: "/data"}, {Source: "cache", Target: "/cache", Options: "ro"}},
		Reports: map[string]Report{
			"domains":        {"app-enabled": "true", "app-vhosts": "b.test a.test"},
			"ports":          {"map": "https:443:5000 http:80:5000"},
			"proxy":          {"enabled": "false"},
			"checks":         {"disabled-list": "worker,cron", "skipped-list": "none", "wait-to-retire": "30", "computed-wait-to-retire": "30"},
			"nginx":          {"hsts": "--global", "computed-hsts": "true", "new-thing": "1", "computed-new-thing": "1"},
			"network":        {"attach-post-create": "db", "computed-attach-post-create": "db"},
			"resource":       {"web.limit.memory": "256", "_default_-reserve-memory": "64"},
			"buildpacks":     {"list": "heroku/nodejs,heroku/ruby"},
			"docker-options": {"deploy": "--restart=on-failure:10 -v /var/lib/dokku/data/storage/hello:/data --label 'a b' --init", "deploy.web": "--init"},
			"maintenance":    {"enabled": "true"},
			"registry":       {"server": "ghcr.io/", "computed-server": "ghcr.io/", "computed-image-repo": "dokku/hello", "image-repo": ""},

			"scheduler-docker-local": {"init-process": "false", "computed-init-process": "false"},
		}, Redirects: []string{"c.test:a.test:302"}, OwnNginx: map[string]string{"own.conf": "gzip on;"}}
	have := Have{Reports: map[string]Report{
		"checks": {"computed-wait-to-retire": "60"}, "nginx": {"computed-hsts": "true"}, "network": {"computed-attach-post-create": ""},
		"registry": {"computed-server": "", "computed-image-repo": "dokku/hello"}, "scheduler-docker-local": {"computed-init-process": "true"},
	}}
	plan := full.Plan(have)
	var got []string
	for _, s := range plan.Steps {
		got = append(got, strings.Join(s.Words, "|"))
	}
	want := []string{
		"config:set|--no-restart|--no-echo|--|hello|A=it's|DOKKU_WAIT_TO_RETIRE=9",
		"checks:set|--|hello|wait-to-retire|30", "nginx:set|--|hello|hsts|--global",
		"registry:set|--|hello|server|ghcr.io/", "scheduler-docker-local:set|--|hello|init-process|false",
		"network:create|--|db", "network:set|--|hello|attach-post-create|db",
		"buildpacks:add|--|hello|heroku/nodejs", "buildpacks:add|--|hello|heroku/ruby",
		"domains:set|--|hello|b.test|a.test", "proxy:disable|--|hello", "ports:set|--|hello|http:80:5000|https:443:5000",
		"checks:disable|--|hello|worker,cron", "ps:scale|--|hello|web=2",
		"resource:reserve|--memory|64|--|hello", "resource:limit|--memory|256|--process-type|web|--|hello",
		"storage:mount|--|hello|/var/lib/dokku/data/storage/hello:/data", "storage:mount|--|hello|cache:/cache:ro",
		"docker-options:add|hello|deploy|--label|a b", "docker-options:add|hello|deploy|--init", "docker-options:add|--process|web|hello|deploy|--init",
		"redirect:set|--|hello|c.test|a.test|302", "maintenance:enable|--|hello",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := plan.Steps[0].String(); text != "config:set --no-restart hello A=... DOKKU_WAIT_TO_RETIRE=..." {
		t.Errorf("shown is %q", text)
	}
	notes := []string{"nginx:set hello new-thing 1 has no equal here"}
	if !slices.Equal(plan.Notes, notes) || len(plan.Missing) > 0 {
		t.Errorf("the notes are %q, missing is %q", plan.Notes, plan.Missing)
	}

	same := Have{Config: full.Config, Scale: map[string]string{"web": "2"}, Mounts: []app.Mount{{Source: "/elsewhere", Target: "/data"}, {Source: "cache", Target: "/cache", ReadOnly: true}}, Networks: []string{"db"},
		Reports: map[string]Report{
			"domains": {"app-vhosts": "a.test b.test"}, "ports": {"map": "http:80:5000 https:443:5000"}, "proxy": {"enabled": "false"},
			"checks": {"disabled-list": "worker,cron", "wait-to-retire": "30", "computed-wait-to-retire": "30"}, "nginx": {"hsts": "--global", "computed-hsts": "--global"},
			"registry": {"server": "ghcr.io/", "computed-server": "ghcr.io/"}, "scheduler-docker-local": {"init-process": "false", "computed-init-process": "false"},
			"network":  {"attach-post-create": "db", "computed-attach-post-create": "db"},
			"resource": {"web.limit.memory": "256", "_default_.reserve.memory": "64"}, "buildpacks": {"list": "heroku/nodejs,heroku/ruby"},
			"docker-options": {"deploy": "--label 'a b' --init", "deploy.web": "--init"}, "maintenance": {"enabled": "true"}, "redirect": {"map": "c.test:a.test:302"},
		}}
	if again := full.Plan(same); len(again.Steps) > 0 {
		t.Errorf("a second run has %v", again.Steps)
	}
}

// TestPlanBesideDokku: what may be Dokku's on this server is neither joined nor mounted.
func TestPlanBesideDokku(t *testing.T) {
	a := &App{Name: "hello", Mounts: []Mount{{Source: "cache", Target: "/cache"}, {Source: "own", Target: "/own"}}, Reports: map[string]Report{"network": {"attach-post-create": "a,b", "attach-post-deploy": "c"}}}
	have := Have{Networks: []string{"b"}, ForeignNetworks: []string{"b"}, ForeignVolumes: map[string]bool{"cache": true},
		Reports: map[string]Report{"network": {"computed-attach-post-create": "", "computed-attach-post-deploy": ""}}}
	plan, got := a.Plan(have), ""
	for _, s := range plan.Steps {
		got += s.String() + "\n"
	}
	if want := "network:create c\nnetwork:set hello attach-post-deploy c\nstorage:mount hello own:/own\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if len(plan.Notes) != 1 || plan.Notes[0] != "it does not join a,b, which may be Dokku's: two apps would have one name there. If no app of Dokku is in it: dokku network:set hello attach-post-create a,b" {
		t.Errorf("%q", plan.Notes)
	}
	if len(plan.Missing) != 1 || plan.Missing[0] != "the volume cache may be Dokku's. Copy its files to another one, and mount that: dokku storage:mount hello COPY:/cache" {
		t.Errorf("%q", plan.Missing)
	}
	have.Mounts = []app.Mount{{Source: "copy", Target: "/cache"}, {Source: "own", Target: "/own"}}
	if plan := a.Plan(have); len(plan.Missing) > 0 {
		t.Errorf("with a copy: %q", plan.Missing)
	}
}

// TestPlanOfScale: web has one process by itself, here and there, and other types have none.
func TestPlanOfScale(t *testing.T) {
	for _, test := range []struct {
		there, here map[string]string
		want        string
	}{
		{map[string]string{"web": "0", "worker": "1", "cron": "0"}, nil, "ps:scale hello web=0 worker=1"},
		{map[string]string{"web": "0"}, map[string]string{"web": "0"}, ""},
		{map[string]string{"web": "1", "worker": "0"}, map[string]string{"web": "1", "worker": "2"}, "ps:scale hello worker=0"},
	} {
		plan, got := (&App{Name: "hello", Scale: test.there}).Plan(Have{Scale: test.here}), ""
		for _, s := range plan.Steps {
			got += s.String()
		}
		if got != test.want {
			t.Errorf("%v there, %v here: got %q, want %q", test.there, test.here, got, test.want)
		}
	}
}

// TestPlanOfCertificate: a certificate comes once, and never in the place of one that a CA has
// issued here.
func TestPlanOfCertificate(t *testing.T) {
	pair, err := certs.SelfSigned([]string{"a.test"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Name: "hello", Certificate: "# of the CA\n" + string(pair.Chain), PrivateKey: string(pair.Key), Reports: map[string]Report{"letsencrypt": {"active": "true"}}}
	plan := a.Plan(Have{})
	if len(plan.Steps) != 1 || plan.Steps[0].String() != "certs:add hello server.crt server.key" || strings.Join(plan.Steps[0].Words, " ") != "certs:add -- hello" ||
		len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "run dokku letsencrypt:enable hello") {
		t.Errorf("%+v", plan)
	}
	for _, have := range []Have{{Certificate: string(pair.Chain)}, {Issued: true}} {
		if plan := a.Plan(have); len(plan.Steps)+len(plan.Notes) > 0 {
			t.Errorf("with %+v: %+v", have, plan)
		}
	}
}

// TestLogins: a login of the old server's file is stored here once, and one whose password is
// elsewhere is told.
func TestLogins(t *testing.T) {
	config := `{"auths":{"ghcr.io":{"auth":"Ym90OnBhc3M6d29yZA=="},"https://index.docker.io/v1/":{"auth":"YW5uOnB3"},"quay.io":{}}}`
	a := &App{Name: "hello", Docker: config}
	plan := a.Plan(Have{Logins: []string{"docker.io"}})
	if len(plan.Steps) != 1 || plan.Steps[0].String() != "registry:login --password-stdin hello ghcr.io bot < password" || plan.Steps[0].Stdin != "pass:word\n" ||
		strings.Join(plan.Steps[0].Words, " ") != "registry:login --password-stdin -- hello ghcr.io bot" {
		t.Errorf("%+v", plan.Steps)
	}
	if len(plan.Notes) != 1 || plan.Notes[0] != "the login to quay.io is not taken, since its password is not in config.json there; to log in here: dokku registry:login hello quay.io USER PASSWORD" {
		t.Errorf("%q", plan.Notes)
	}
	p := planning{}
	if p.logins(config, nil); len(p.steps) != 2 || strings.Join(p.steps[0].Words, " ") != "registry:login --password-stdin --global -- docker.io ann" {
		t.Errorf("%+v", p.steps)
	}
}

// TestStopped: an app without processes is not stopped.
func TestStopped(t *testing.T) {
	for processes, want := range map[string]bool{"1": true, "0": false} {
		a := &App{Reports: map[string]Report{"ps": {"deployed": "true", "running": "false", "processes": processes}}}
		if got := a.stopped(); got != want {
			t.Errorf("with %s processes: %v", processes, got)
		}
	}
}

// TestService: a variable that leads to a service of a plugin is never set, and is missing
// until somebody sets it here.
func TestService(t *testing.T) {
	a := &App{Name: "hello", Config: map[string]string{"DATABASE_URL": "postgres://u:p@dokku-postgres-main-db:5432/x", "A": "b"}}
	plan := a.Plan(Have{})
	if len(plan.Missing) != 1 || !strings.Contains(plan.Missing[0], "the service main-db of the plugin postgres") || plan.Steps[0].String() != "config:set --no-restart hello A=..." {
		t.Errorf("%+v", plan)
	}
	if plan := a.Plan(Have{Config: map[string]string{"DATABASE_URL": "postgres://here", "A": "b"}}); len(plan.Missing) > 0 || len(plan.Steps) > 0 {
		t.Errorf("with another value here: %+v", plan)
	}
}

// scripted is a Host that answers with texts, by the words.
type scripted map[string]string

func (s scripted) String() string { return "root@old.test" }
func (s scripted) Run(_ context.Context, out io.Writer, words ...string) error {
	text, ok := s[strings.Join(words, " ")]
	if !ok {
		return &Failed{Code: 1, Text: "no such command"}
	}
	io.WriteString(out, text)
	return nil
}

func (s scripted) Hold(words ...string) (Held, error) { return &laterAnswer{s, words}, nil }

// laterAnswer is a program of scripted, which answers with the text for its words.
type laterAnswer struct {
	s     scripted
	words []string
}

func (p *laterAnswer) Run(ctx context.Context, in string, out io.Writer) (string, error) {
	return p.s["said"], p.s.Run(ctx, out, append([]string{in}, p.words[3:]...)...)
}
func (p *laterAnswer) Drop() {}

// TestReadServices: a service of Dokku's plugin is in its files, one of this program in its
// record. The dump is counted before and after, and the secrets come by standard input.
func TestReadServices(t *testing.T) {
	kinds, err := services.Kinds("")
	if err != nil {
		t.Fatal(err)
	}
	root := "/var/lib/dokku/services/postgres/main-db/"
	dump := "LANG=C.UTF-8\nLC_ALL=C.UTF-8\n\n"
	s := &Server{Host: scripted{
		"dokku --quiet postgres:list": "main-db\nother\nbroken\n !     There are no Postgres services\n", "dokku --quiet postgres:links other": "elsewhere\n", "dokku --quiet postgres:links broken": "hello\n", "dokku --quiet postgres:links main-db": "hello\n",
		"dokku --quiet postgres:info main-db": "=====> main-db postgres service information\n       Config dir:          " + root + "data\n       Dsn:                 postgres://postgres:pw@dokku-postgres-main-db:5432/main_db\n" +
			"       Exposed ports:       5432->15432 \n       Initial network:     backend\n       Service root:        " + root + "\n       Status:              running\n       Version:             postgres:15.4\n",
		"cat -- " + root + "PASSWORD": "pw\n", "cat -- " + root + "DATABASE_NAME": "main_db\n", "cat -- " + root + "ENV": "A=1\nB=x y\n", "cat -- " + root + "SERVICE_MEMORY": "256\n", "cat -- " + root + "SHM_SIZE": "64m\n",
		"cat -- " + root + "CONFIG_OPTIONS": "-c shared_buffers=128MB\n",
		"dokku --quiet redis:list":          "q\n", "dokku --quiet redis:links q": "hello\n", "dokku --quiet redis:info q": "Service root: /home/dokku/.dokku/services/redis/q\nStatus: exited\n",
		"cat -- /home/dokku/.dokku/services/redis/q/service.json": `{"version":1,"kind":"redis","name":"q","database":"q","password":"rpw","container":{"image":"redis:7.4","env":["C=d"],"memory":64,"shm_size":1048576}}`,
		"PGPASSWORD=pw\n" + dump + " sh postgres main-db docker container exec --env PGPASSWORD --env LANG --env LC_ALL dokku.postgres.main-db " +
			"psql -qAt --host=127.0.0.1 --username=postgres main_db --command=select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')": "the dump",
		"said": "dokku-import-count 3.; a notice; dokku-import-count 4.",
	}}
	if err := s.ReadServices(t.Context(), kinds, func(v *Service) bool { return slices.Contains(v.Links, "hello") }); err != nil {
		t.Fatal(err)
	}
	if len(s.Services) != 3 || s.Services[1].Name != "broken" || s.Services[1].err == nil || s.Services[0].err != nil {
		t.Fatalf("%+v", s.Services)
	}
	db, q := s.Services[0], s.Services[2]
	if o := db.Options; o.Image != "postgres:15.4" || o.Password != "pw" || o.Database != "main_db" || *o.Env != "A=1;B=x y" || *o.Config != "-c shared_buffers=128MB" || o.Memory != 256 || o.ShmSize != "64m" ||
		o.Properties["initial-network"] != "backend" || !slices.Equal(db.Ports, []string{"15432"}) || db.Status != "running" || db.Host() != "dokku-postgres-main-db" {
		t.Errorf("%+v", db)
	}
	if o := q.Options; o.Image != "redis:7.4" || o.Password != "rpw" || *o.Env != "C=d" || o.Memory != 64 || o.ShmSize != "1048576" || q.Status != "exited" {
		t.Errorf("%+v", q)
	}
	var out strings.Builder
	before, after, err := db.Dump(t.Context(), &out)
	if err != nil || before != 3 || after != 4 || out.String() != "the dump" {
		t.Errorf("%d %d %q %v", before, after, out.String(), err)
	}
	if _, _, err := q.Dump(t.Context(), &out); err == nil || err.Error() != "dokku redis:export q fails there: no such command" {
		t.Errorf("%v", err)
	}
}

// TestDumpScript: the script does nothing until it is told to, and fails as the export does.
func TestDumpScript(t *testing.T) {
	bin := t.TempDir()
	for name, text := range map[string]string{
		"dokku":  `[ "$*" = "--quiet postgres:export db" ] && printf "dump of $A" && exit $CODE`,
		"docker": `echo "$*" | grep -q "container exec --env A dokku.postgres.db psql" && echo 7`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ in, code, out, said string }{
		{"", "0", "", ""},
		{"A=b c\n", "0", "", ""},
		{"A=b c\nCODE=0\n\n", "0", "dump of b c", "dokku-import-count 7.\ndokku-import-count 7.\n"},
		{"A=b c\nCODE=4\n\n", "4", "dump of b c", "dokku-import-count 7.\n"},
	} {
		cmd := exec.Command("sh", "-c", script, "sh", "postgres", "db", "docker", "container", "exec", "--env", "A", "dokku.postgres.db", "psql")
		var out, said strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(test.in), &out, &said
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		cmd.Run()
		if code := strconv.Itoa(cmd.ProcessState.ExitCode()); code != test.code || out.String() != test.out || said.String() != test.said {
			t.Errorf("%q: exit code %s, %q, %q", test.in, code, out.String(), said.String())
		}
	}
}

// TestPlanOfServices: an app is linked to what is here, and is not deployed without the rest.
func TestPlanOfServices(t *testing.T) {
	db, q := services.Ref{Kind: "postgres", Name: "main_db"}, services.Ref{Kind: "redis", Name: "q"}
	a := &App{Name: "hello", Config: map[string]string{"DATABASE_URL": "postgres://postgres:pw@dokku-postgres-main-db:5432/main_db?pool=5", "REDIS_URL": "redis://:pw@dokku-redis-q:6379"},
		Reports: map[string]Report{"docker-options": {"deploy": "--link dokku.postgres.main_db:dokku-postgres-main-db --init"}}}
	have := Have{Services: []serviceHere{{db, nil, true}, {q, errors.New("its image\ncannot be pulled"), true}}}
	plan := a.Plan(have)
	var got []string
	for _, s := range plan.Steps {
		got = append(got, strings.Join(s.Words, "|"))
	}
	if want := []string{"config:set|--no-restart|--no-echo|--|hello|DATABASE_URL=" + a.Config["DATABASE_URL"], "postgres:link|--no-restart|--|main_db|hello", "docker-options:add|hello|deploy|--init"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if plan.Blocked != "it needs redis q, whose import failed (see above)" {
		t.Errorf("blocked is %q", plan.Blocked)
	}
	have.Services[1].err = nil
	have.Config, have.Links = map[string]string{"DATABASE_URL": "postgres://elsewhere", "REDIS_URL": a.Config["REDIS_URL"]}, map[services.Ref]bool{q: true}
	if plan = a.Plan(have); len(plan.Steps) != 1 || len(plan.Missing) > 0 || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "it is not linked to postgres main_db, since its variables lead elsewhere here") {
		t.Errorf("%+v", plan)
	}
}

// TestReadOldest: Dokku 0.30 has no ports:report, and reports as text.
func TestReadOldest(t *testing.T) {
	s, err := Open(t.Context(), scripted{
		"dokku version": "dokku version 0.30.11\n", "dokku --quiet plugin:list": "  apps  0.30.11 enabled    dokku core apps plugin\n  redirect 0.1 enabled x\n",
		"dokku --quiet apps:list": "hello\n", "dokku --quiet config:export hello --format json": `{"A":"b"}`,
		"dokku --quiet proxy:ports hello": "-----> Port mappings for hello\n    -----> scheme  host port  container port\n    http           8080       5000\n",
		"dokku --quiet ps:scale hello":    "-----> Scaling for hello\nproctype: qty\n--------: ---\nweb:  3\n", "dokku --quiet storage:list hello": "hello volume bind-mounts:\n     /srv/x:/x\n     cache:/cache\n     gone:/gone\n",
		"ls -A -- /srv/x": "file\n", "docker volume inspect --format {{.Mountpoint}} -- cache": "/var/lib/docker/volumes/cache/_data\n", "ls -A -- /var/lib/docker/volumes/cache/_data": "f\n", "cat -- /home/dokku/hello/packed-refs": "# pack-refs with: peeled\n" + strings.Repeat("ab", 20) + " refs/heads/master\n",
		"cat -- /home/dokku/hello/REDIRECTS": "a.test:b.test\n", "dokku --quiet git:report hello": "       Git deploy branch:             master\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Read(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	if a.Tip != strings.Repeat("ab", 20) || a.Branch != "master" || a.Scale["web"] != "3" || len(a.Scale) != 1 || a.Reports["ports"]["map"] != "http:8080:5000" ||
		len(a.Mounts) != 3 || !a.Mounts[0].Filled || a.Mounts[1] != (Mount{Source: "cache", Target: "/cache", Dir: "/var/lib/docker/volumes/cache/_data", Filled: true}) || a.Mounts[2].Filled || !slices.Equal(a.Redirects, []string{"a.test:b.test"}) || a.Config["A"] != "b" {
		t.Errorf("%+v", a)
	}
}

// TestReadScale: Dokku drops web=0 from its list where no Procfile names web.
func TestReadScale(t *testing.T) {
	for _, test := range []struct{ list, deployed, want string }{
		{"worker: 1\n", "true", "map[web:0 worker:1]"}, {"", "true", "map[web:0]"}, {"", "false", "map[]"}, {"web: 2\n", "true", "map[web:2]"},
	} {
		s := &Server{Host: scripted{"dokku --quiet ps:scale hello": test.list}}
		a := &App{Name: "hello", Reports: map[string]Report{"ps": {"deployed": test.deployed}}}
		if err := s.scale(t.Context(), a); err != nil || fmt.Sprint(a.Scale) != test.want {
			t.Errorf("%+v: got %v (%v)", test, a.Scale, err)
		}
	}
}

// TestReadOwn: an app of this program has its passwords, redirects and certificate in its
// state and below it.
func TestReadOwn(t *testing.T) {
	s := &Server{Names: []string{"hello"}, Plugins: map[string]bool{"redirect": true, "http-auth": true}, text: map[string]bool{}, Host: scripted{
		"dokku --quiet config:export hello --format json": `{}`, "dokku --quiet ps:scale hello": "web: 1\n", "dokku --quiet storage:list hello": "",
		"dokku --quiet certs:report hello --format json":   `{"ssl-enabled":"true"}`,
		"cat -- /home/dokku/hello/dokku/state.json":        `{"version":1,"certificate":{"id":"c1"},"redirects":{"a.test":{"to":"b.test","code":302}},"http_auth":{"enabled":true,"users":{"bob":"$6$y","ann":"$6$x"}}}`,
		"cat -- /home/dokku/hello/dokku/tls/c1/server.crt": "the chain", "cat -- /home/dokku/hello/dokku/tls/c1/server.key": "the key",
	}}
	a, err := s.Read(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Redirects, []string{"a.test:b.test:302"}) || a.Users != "ann:$6$x\nbob:$6$y\n" || a.Certificate != "the chain" || a.PrivateKey != "the key" {
		t.Errorf("%+v", a)
	}
}

func TestOpenRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"dokku version 0.29.4\n": "it has Dokku 0.29.4, and 0.30 is the oldest that can be read", "hello\n": `answers "hello" there, which is no version of Dokku`,
	} {
		if _, err := Open(t.Context(), scripted{"dokku version": text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Open(t.Context(), scripted{}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("%v", err)
	}
}
