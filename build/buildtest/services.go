package buildtest

import (
	"archive/tar"
	"io"
	"os"
	"testing"

	"github.com/docker/docker/client"
)

// serviceEntrypoint keeps the contract of the official images of PostgreSQL and Redis: their
// variables, their folders, and that a server listens on a socket alone while it sets its
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
esac
exec "$@"
`

// ServiceImage makes an image of Debian's PostgreSQL 15 and Redis 7 and returns its id. It is
// removed after the test; the root file system that it is made of stays in the cache of the
// user.
func ServiceImage(t testing.TB, cli *client.Client) (id string) {
	t.Helper()
	file, err := os.Open(debian(t, "postgresql", "redis-server"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w := io.Pipe()
	go func() { w.CloseWithError(withFile(file, w, "usr/local/bin/docker-entrypoint.sh", serviceEntrypoint)) }()
	return importImage(t, cli, r, "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"ENV PGDATA=/var/lib/postgresql/data", `ENTRYPOINT ["docker-entrypoint.sh"]`, `CMD ["postgres"]`)
}

// withFile copies an archive and adds an executable file and the folder /data.
func withFile(from io.Reader, to io.Writer, name, text string) error {
	in, out := tar.NewReader(from), tar.NewWriter(to)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
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
