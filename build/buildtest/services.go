package buildtest

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// serviceEntrypoint keeps the contract of the official images of PostgreSQL, Redis and MariaDB:
// their variables, their folders, and that a server listens on a socket alone while it sets its
// data up.
const serviceEntrypoint = `#!/bin/sh
set -e
case "$1" in -*|"") set -- postgres "$@" ;; esac
as() { user=$1; shift; exec setpriv --reuid "$user" --regid "$user" --init-groups "$0" "$@"; }
case "$1:$(id -u)" in
postgres:0)
	mkdir -p "$PGDATA" /var/run/postgresql
	chown -R postgres: "$PGDATA" /var/run/postgresql
	chmod 700 "$PGDATA"
	as postgres "$@" ;;
postgres:*)
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		umask 077
		printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
		initdb --username=postgres --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust > /dev/null
		rm /tmp/password
		echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
		echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
		pg_ctl -w -o "-c listen_addresses=''" start > /dev/null
		[ "${POSTGRES_DB:-postgres}" = postgres ] || createdb -U postgres "$POSTGRES_DB"
		pg_ctl -w stop > /dev/null
	fi ;;
redis-server:0)
	cd /data
	chown -R redis: .
	as redis "$@" ;;
redis-server:*)
	cd /data ;;
mariadbd:0)
	mkdir -p /run/mysqld
	chown -R mysql: /var/lib/mysql /run/mysqld
	as mysql "$@" ;;
mariadbd:*)
	set -- "$@" --bind-address=0.0.0.0
	if [ ! -d /var/lib/mysql/mysql ]; then
		mariadb-install-db --skip-test-db --auth-root-authentication-method=normal > /dev/null
		mariadbd --skip-networking &
		until mariadb-admin -u root ping > /dev/null 2>&1; do sleep 0.1; done
		password=${MARIADB_ROOT_PASSWORD:-$MYSQL_ROOT_PASSWORD} database=${MARIADB_DATABASE:-$MYSQL_DATABASE} user=${MARIADB_USER:-$MYSQL_USER}
		mariadb -u root <<-END
			CREATE DATABASE $database;
			CREATE USER '$user'@'%' IDENTIFIED BY '${MARIADB_PASSWORD:-$MYSQL_PASSWORD}';
			GRANT ALL ON $database.* TO '$user'@'%';
			DELETE FROM mysql.global_priv WHERE user = 'root' AND host <> 'localhost';
			FLUSH PRIVILEGES;
			CREATE USER root@'%' IDENTIFIED BY '$password';
			GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
			ALTER USER root@localhost IDENTIFIED BY '$password';
		END
		kill $!
		wait $!
	fi ;;
esac
exec "$@"
`

// Services are images of databases: their ids.
type Services struct {
	Postgres string // of PostgreSQL; the command redis-server runs Redis, if the suite is bookworm
	MariaDB  string
}

// ServiceImages makes images of a suite of Debian: bookworm has PostgreSQL 15, MariaDB 10.11
// and Redis 7, trixie PostgreSQL 17 and MariaDB 11.8. They are removed after the test; the root
// file system that they are made of stays in the cache of the user.
func ServiceImages(t testing.TB, cli *client.Client, suite string) Services {
	t.Helper()
	packages, version := []string{"postgresql", "redis-server", "mariadb-server"}, "15"
	if suite == "trixie" {
		packages, version = []string{"postgresql", "mariadb-server"}, "17"
	}
	file, err := os.Open(debian(t, suite, packages...))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w := io.Pipe()
	go func() { w.CloseWithError(withFile(file, w, "usr/local/bin/docker-entrypoint.sh", serviceEntrypoint)) }()
	postgres := importImage(t, cli, r, "ENV PATH=/usr/lib/postgresql/"+version+"/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"ENV PGDATA=/var/lib/postgresql/data", "ENV LANG=C.UTF-8", `ENTRYPOINT ["docker-entrypoint.sh"]`, `CMD ["postgres"]`)
	return Services{postgres, derived(t, cli, postgres, `CMD ["mariadbd"]`)}
}

// derived makes an image that differs from another one in its configuration.
func derived(t testing.TB, cli *client.Client, from string, changes ...string) (id string) {
	t.Helper()
	ctx := context.Background()
	made, err := cli.ContainerCreate(ctx, &container.Config{Image: from}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer cli.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true})
	name := fmt.Sprintf("dokku-build-test:%d-%d", os.Getpid(), time.Now().UnixNano())
	committed, err := cli.ContainerCommit(ctx, made.ID, container.CommitOptions{Reference: name, Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := cli.ImageRemove(ctx, name, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return committed.ID
}

// withFile copies an archive and adds an executable file and the folder /data. The data that
// Debian's MariaDB comes with are left out: an image sets its own up.
func withFile(from io.Reader, to io.Writer, name, text string) error {
	in, out := tar.NewReader(from), tar.NewWriter(to)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err == nil && strings.HasPrefix(h.Name, "./var/lib/mysql/") && h.Name != "./var/lib/mysql/" {
			continue
		}
		if err == nil {
			err = out.WriteHeader(h)
		}
		if err == nil {
			_, err = io.Copy(out, in)
		}
		if err != nil {
			return err
		}
	}
	err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "data/", Mode: 0o755})
	if err == nil {
		err = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))})
	}
	if err == nil {
		_, err = io.WriteString(out, text)
	}
	if err == nil {
		err = out.Close()
	}
	return err
}
