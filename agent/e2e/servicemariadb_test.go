package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/agent/vault/vaulttest"
)

// mariadbSQL is what a database may have: tables of two databases, non-ASCII texts, a view, a
// routine, a trigger, a user with rights.
const mariadbSQL = "create view greetings as select n, upper(t) as t from visits where n % 2 = 0;\n" +
	"create table logged (n int); create trigger logs after insert on visits for each row insert into logged values (new.n);\n" +
	"create function twice(i int) returns int deterministic return 2 * i;\n" +
	"create database `größe x`; create table `größe x`.`Ä``Ö` (b blob, j json); insert into `größe x`.`Ä``Ö` values (x'00ff275c', '{\"é\": [1]}');\n" +
	"create user reader@'%' identified by 'r'; create role readers; grant readers to reader@'%'; grant select on visits to reader@'%';\n"

const mariadbAsk = "select count(*), sum(n), md5(group_concat(md5(t) order by n)) from visits;\n" +
	"select max(t), count(*) from greetings; select twice(21); select hex(b), j from `größe x`.`Ä``Ö`;\n" +
	"select user, host from mysql.user where user like 'reader%' order by user; show grants for reader@'%';\n"

// mariadb: an app writes into MariaDB 10.11 of bookworm that it is linked to. The data outlive
// a kill and a restart; a backup is proven and makes another service; MariaDB 11.8 of trixie has
// the same after an upgrade.
func (x *databases) mariadb(t *testing.T) {
	l := lab.New(t, nil)
	name := "dokku-test-mariadb"
	l.NameImage(x.old.MariaDB, name+":10.11")
	l.NameImage(x.new.MariaDB, name+":11.8")
	id := strings.TrimPrefix(l.AppName(1), "e2e-")
	db, back := "db"+id, "back"+id
	owners := []string{"_mariadb." + db, "_mariadb." + back, "_mariadb." + db + ".upgrade"}
	removeServices(t, l, owners...)
	l.StartAgent()
	lab.Contains(t, l.Dokku("mariadb:create", db, "--image", name, "--image-version", "10.11"), "mysql://mariadb:", "@dokku-mariadb-"+db+":3306/"+strings.ReplaceAll(db, "-", "_"))
	a := l.App(lab.Files{"Dockerfile": "FROM " + name + ":10.11\nENTRYPOINT []\nCMD [\"sleep\", \"100000\"]\n", "Procfile": "worker: sleep 100000\n", "DOKKU_SCALE": "worker=1\n"})
	l.Dokku("apps:create", a.Name)
	a.Push(nil)
	l.Dokku("mariadb:link", db, a.Name)
	ask := func(service, text string) string {
		t.Helper()
		cmd := l.Command("mariadb:enter", service, "sh", "-c", `MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec mariadb --user=root --default-character-set=utf8mb4 -N "$MYSQL_DATABASE"`)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		lab.Must(t, err)
		return string(out)
	}
	// The app writes by its URL alone.
	write := func(query string) string {
		url := strings.TrimPrefix(strings.TrimSpace(l.Dokku("config:get", a.Name, "DATABASE_URL")), "mysql://")
		user, rest, _ := strings.Cut(url, "@")
		host, base, _ := strings.Cut(rest, "/")
		user, password, _ := strings.Cut(user, ":")
		host, port, _ := strings.Cut(host, ":")
		return l.Dokku("run", "-e", "MYSQL_PWD="+password, a.Name, "mariadb", "--skip-ssl", "--host="+host, "--port="+port, "--user="+user,
			"--default-character-set=utf8mb4", "-N", base, "-e", query)
	}
	write("create table visits (n int primary key, t varchar(99)) character set utf8mb4; insert into visits select seq, concat('Grüße ', seq, ' 你好') from seq_1_to_20000")
	lab.Must(t, l.Tools.Docker.ContainerKill(t.Context(), "dokku.mariadb."+db, "KILL"))
	lab.WaitFor(t, "the engine has started the killed server again", func() bool {
		_, code := l.Try("mariadb:enter", db, "mariadb-admin", "--host=127.0.0.1", "--user=nobody", "ping")
		return code == 0
	})
	l.Dokku("mariadb:restart", db)
	lab.Contains(t, write("select count(*), max(t) from visits"), "20000\tGrüße 9999 你好")

	t.Run("backup", func(t *testing.T) {
		url, end, err := vaulttest.S3(nil)
		lab.Must(t, err)
		defer end()
		l.Dokku("mariadb:backup-auth", db, vaulttest.Key, vaulttest.Secret, "us-east-1", "s3v4", url)
		lab.Contains(t, l.Dokku("mariadb:backup", db, vaulttest.Bucket), "Backed up the MariaDB service "+db+" in s3://"+vaulttest.Bucket+"/mariadb/"+db+"/", "proven: 1 table")
		l.Dokku("mariadb:backup-set", db, "place", "s3://"+vaulttest.Bucket)
		lab.Contains(t, l.Dokku("mariadb:restore", back, "--from", db, "--image", name, "--image-version", "10.11"), "Restored "+back+" from the backup ")
		const all = "select count(*), sum(n), md5(group_concat(md5(t) order by n)) from visits"
		if got, want := ask(back, all), ask(db, all); got != want || !strings.Contains(got, "20000\t200010000\t") {
			t.Errorf("the restored one has %q, the other one %q", got, want)
		}
		l.Dokku("mariadb:destroy", back, "--force")
	})

	t.Run("upgrade", func(t *testing.T) {
		ask(db, mariadbSQL)
		before := ask(db, mariadbAsk)
		lab.Contains(t, before, "20000\t", "GRÜßE 9998 你好", "00FF275C", "readers")
		lab.Contains(t, l.Dokku("mariadb:upgrade", db, "--image-version", "11.8"), "MariaDB 11.8 does not use the data of version 10.11", "The copy has the same: 3 tables")
		if after := ask(db, mariadbAsk); after != before {
			t.Errorf("the copy answers\n%s\nthe old one\n%s", after, before)
		}
		write("insert into visits values (0, 'new')")
		lab.Contains(t, ask(db, "select version(); select * from logged"), "11.8", "0")
		l.Dokku("mariadb:upgrade", db, "--back")
		if after := ask(db, mariadbAsk); after != before {
			t.Errorf("the old one answers\n%s\nbefore\n%s", after, before)
		}
	})
	l.Dokku("mariadb:unlink", db, a.Name)
	l.Dokku("mariadb:destroy", db, "--force")
	lab.WaitFor(t, "nothing is left of the services", func() bool { return len(leftOfServices(t, l, owners...)) == 0 })
}
