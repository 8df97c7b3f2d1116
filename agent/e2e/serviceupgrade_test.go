package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
)

// upgradeSQL is what a database may have: tables of two schemas and databases, non-ASCII texts,
// a view, a sequence, an extension, a function, a role with rights and a table of its own.
const upgradeSQL = `
create extension pg_trgm;
create role reader login password 'r' connection limit 3;
create schema "größe";
create table visits (n serial primary key, t text, at timestamptz default now());
insert into visits (t) select 'Grüße №' || g || ' 你好' from generate_series(1, 20000) g;
create index on visits using gin (t gin_trgm_ops);
create table "größe"."ÄÖ" (x jsonb, y bytea);
insert into "größe"."ÄÖ" values ('{"é": [1]}', '\x00ff0a5c');
create table lines (t text);
insert into lines values (E'CREATE ROLE "postgres";'), (E'\\connect elsewhere\\n\\.'), (null);
create view greetings as select n, upper(t) as t from visits where n % 2 = 0;
create materialized view counted as select count(*) from visits;
create function twice(i int) returns int language sql as 'select 2 * i';
create sequence tickets start 1000; select nextval('tickets'), nextval('tickets');
grant select on visits to reader;
alter table lines owner to reader;
alter role reader set statement_timeout = '5s';
create database other;
\connect other
create table there (n int); insert into there values (1), (2);
`

// upgradeAsk is what is compared.
const upgradeAsk = `
select count(*), sum(n), max(n), md5(string_agg(t, ',' order by n)), min(at)::text from visits;
select * from "größe"."ÄÖ"; select t from lines order by t; select count(*), max(t) from greetings; select * from counted; select twice(21);
select last_value from tickets; select nextval('visits_n_seq') > 20000;
select rolname, rolconnlimit, rolcanlogin, rolconfig from pg_roles where rolname = 'reader'; select tableowner from pg_tables where tablename = 'lines';
select has_table_privilege('reader', 'visits', 'select'), has_table_privilege('reader', 'visits', 'insert');
select count(*) from visits where t like '%№77%'; select datcollate, pg_encoding_to_char(encoding) from pg_database where datname = current_database();
\connect other
select * from there order by n;
`

// TestDatabases has real servers of two suites of Debian.
func TestDatabases(t *testing.T) {
	t.Parallel()
	tools, err := lab.Shared()
	lab.Must(t, err)
	x := &databases{old: buildtest.ServiceImages(t, tools.Docker, "bookworm"), new: buildtest.ServiceImages(t, tools.Docker, "trixie")}
	for name, test := range map[string]func(*testing.T){"upgrade of postgres": x.upgrade, "mariadb": x.mariadb, "long dump": x.longDump} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

type databases struct{ old, new buildtest.Services }

// upgrade: PostgreSQL 15 of bookworm becomes 17 of trixie, with all that the server has. The way
// back and the way forward again are one command; --forget ends both.
func (x *databases) upgrade(t *testing.T) {
	l := lab.New(t, nil)
	name := "dokku-test-upgrade"
	l.NameImage(x.old.Postgres, name+":15")
	l.NameImage(x.new.Postgres, name+":17")
	db := "up" + strings.TrimPrefix(l.AppName(1), "e2e-")
	removeServices(t, l, "_postgres."+db, "_postgres."+db+".upgrade")
	l.StartAgent()
	l.Dokku("postgres:create", db, "--image", name, "--image-version", "15")
	a := l.App(lab.Files{"Dockerfile": "FROM " + name + ":15\nENTRYPOINT []\nCMD [\"sleep\", \"100000\"]\n", "Procfile": "worker: sleep 100000\n", "DOKKU_SCALE": "worker=1\n"})
	l.Dokku("apps:create", a.Name)
	a.Push(nil)
	l.Dokku("postgres:link", db, a.Name)
	url := strings.TrimSpace(l.Dokku("config:get", a.Name, "DATABASE_URL"))
	sql := func(text string) string {
		t.Helper()
		cmd := l.Command("postgres:enter", db, "env", "LANG=C.UTF-8", "psql", "-qAtX", "--set=ON_ERROR_STOP=1", "-U", "postgres", strings.ReplaceAll(db, "-", "_"))
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		lab.Must(t, err)
		return string(out)
	}
	sql(upgradeSQL)
	before := sql(upgradeAsk)
	lab.Contains(t, before, "CREATE ROLE \"postgres\";", "GRÜßE №9998 你好", "1001")

	out := l.Dokku("postgres:upgrade", db, "--image-version", "17")
	lab.Contains(t, out, "Upgrading "+db+" from "+name+":15 to "+name+":17", "the linked apps get errors ("+a.Name+")", "The copy has the same: ")
	if after := sql(upgradeAsk); after != before {
		t.Errorf("the copy answers\n%s\nthe old one\n%s", after, before)
	}
	lab.Contains(t, sql("show server_version"), "17.")
	lab.Contains(t, l.Dokku("run", a.Name, "psql", url+"?sslmode=require", "-Atc", "insert into visits (t) values ('new') returning t"), "new")
	reader := strings.Replace(url, "postgres:"+strings.Split(strings.Split(url, "postgres:")[2], "@")[0], "reader:r", 1)
	lab.Contains(t, l.Dokku("run", a.Name, "psql", reader, "-Atc", "select count(*) from visits"), "20001")
	lab.Contains(t, l.Dokku("postgres:info", db), "Previous data:", name+":15")

	lab.Contains(t, l.Refused("postgres:upgrade", db, "--image-version", "15"), "--back")
	lab.Contains(t, l.Dokku("postgres:upgrade", db, "--back", "--restart-apps", "true"), "Going back from "+name+":17 to "+name+":15")
	if after := sql(upgradeAsk); after != before {
		t.Errorf("the old one answers\n%s\nbefore\n%s", after, before)
	}
	lab.Contains(t, l.Refused("postgres:upgrade", db, "--image-version", "17"), "--forget")
	l.Dokku("postgres:upgrade", db, "--back")
	lab.Contains(t, sql("select count(*), max(t collate \"C\") from visits"), "20001|new")
	l.Dokku("postgres:upgrade", db, "--forget")
	lab.Contains(t, l.Refused("postgres:upgrade", db, "--back"), "has no former data")
	if left := leftOfServices(t, l, "_postgres."+db); len(left) != 3 {
		t.Errorf("there are %q, want a container, a network and a volume", left)
	}
	l.Dokku("postgres:unlink", db, a.Name)
	l.Dokku("postgres:destroy", db, "--force")
	lab.WaitFor(t, "nothing is left of the service", func() bool { return len(leftOfServices(t, l, "_postgres."+db, "_postgres."+db+".upgrade")) == 0 })
}
