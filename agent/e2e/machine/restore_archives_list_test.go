package machine

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forgedArchives are files that no tar of a backup is.
var forgedArchives = []struct {
	name   string
	change func([]tarMember) []tarMember
	want   string
}{
	{"a symbolic link that leads to the keys", second(func(m *tarMember) {
		m.Typeflag, m.Linkname, m.Size, m.data = tar.TypeSymlink, "/home/dokku/.ssh/authorized_keys", 0, nil
	}), `it has "apps/shop/HEAD" where its manifest says apps/shop/HEAD`},
	{"a hard link", second(func(m *tarMember) {
		m.Typeflag, m.Linkname, m.Size, m.data = tar.TypeLink, "/etc/passwd", 0, nil
	}), `it has "apps/shop/HEAD" where its manifest says apps/shop/HEAD`},
	{"a device", second(func(m *tarMember) {
		m.Typeflag, m.Devmajor, m.Devminor, m.Size, m.data = tar.TypeBlock, 8, 0, 0, nil
	}), `it has "apps/shop/HEAD" where its manifest says apps/shop/HEAD`},
	{"a pipe, at which a reader waits for ever", second(func(m *tarMember) {
		m.Typeflag, m.Size, m.data = tar.TypeFifo, 0, nil
	}), `it has "apps/shop/HEAD" where its manifest says apps/shop/HEAD`},
	{"a folder", second(func(m *tarMember) {
		m.Typeflag, m.Size, m.data = tar.TypeDir, 0, nil
	}), `it has "apps/shop/HEAD" where its manifest says apps/shop/HEAD`},
	{"a name that leads out of the folder", second(func(m *tarMember) { m.Name = "apps/shop/../../../x" }), `it has "apps/shop/../../../x" where its manifest says apps/shop/HEAD`},
	{"an absolute name", second(func(m *tarMember) { m.Name = "/etc/cron.d/x" }), `it has "/etc/cron.d/x" where its manifest says apps/shop/HEAD`},
	{"a name for a terminal", second(func(m *tarMember) { m.Name = "apps/shop/\x1b[31mHEAD" }), `it has "apps/shop/\x1b[31mHEAD" where its manifest says apps/shop/HEAD`},
	{"a member of which the manifest knows nothing", func(list []tarMember) []tarMember {
		return append(list, tarMember{Header: tar.Header{Name: "apps/shop/hooks/update", Typeflag: tar.TypeReg, Mode: 0o755}, data: []byte("#!/bin/sh\n")})
	}, `it has a file that its manifest does not name: "apps/shop/hooks/update"`},
	{"a member twice", func(list []tarMember) []tarMember {
		return append([]tarMember{list[0], list[1], list[1]}, list[2:]...)
	}, `it has "apps/shop/HEAD" where its manifest says apps/shop/config`},
	{"a changed member", second(func(m *tarMember) { m.data = []byte("ref: refs/heads/mine\n") }), `apps/shop/HEAD in it was changed after the backup: its checksum differs`},
	{"a name twice in the manifest", manifested(`"apps/shop/config"`, `"apps/shop/HEAD"`), `its manifest names "apps/shop/HEAD", which cannot be the name of a file in it`},
	{"a manifest's name that leads out", manifested(`"apps/shop/HEAD"`, `"apps/shop/../../../../etc/passwd"`), `its manifest names "apps/shop/../../../../etc/passwd", which cannot be the name of a file in it`},
	{"a manifest's absolute name", manifested(`"apps/shop/HEAD"`, `"/etc/passwd"`), `its manifest names "/etc/passwd", which cannot be the name of a file in it`},
	{"a manifest's name for a terminal", manifested(`"apps/shop/HEAD"`, `"apps/shop/\u009b31m"`), `its manifest names "apps/shop/\u009b31m", which cannot be the name of a file in it`},
	{"a manifest's name that shows as another one", manifested(`"apps/shop/HEAD"`, `"apps/shop/\u202etxt"`), `its manifest names "apps/shop/\u202etxt", which cannot be the name of a file in it`},
	{"a size that no disk has", manifested(`"size": 21,`, `"size": 9223372036854775807,`), `its manifest has an invalid entry for "apps/shop/HEAD"`},
	{"a negative size", manifested(`"size": 21,`, `"size": -1,`), `its manifest has an invalid entry for "apps/shop/HEAD"`},
	{"a size that is none", manifested(`"size": 21,`, `"size": "21",`), "its manifest cannot be read: json: cannot unmarshal string into Go struct field File.files.size of type int64"},
	{"apps that are no list", manifested(`"apps": [`, `"apps": 3, "x": [`), "its manifest cannot be read: json: cannot unmarshal number into Go struct field Manifest.apps of type []archive.App"},
	{"a manifest of a later format", manifested(`"version": 1,`, `"version": 9,`), `it has version 9, this dokku knows up to 1: restore it with the dokku that made it ("") or a newer one`},
	{"no manifest", func(list []tarMember) []tarMember { return list[1:] }, "it is not a backup that dokku has made"},
	{"a manifest of ten million brackets", func(list []tarMember) []tarMember {
		list[0].data = bytes.Repeat([]byte("["), 10_000_000)
		return list
	}, "it is not a backup that dokku has made"},
	{"a header of two megabytes", func(list []tarMember) []tarMember {
		huge := tarMember{Header: tar.Header{Name: "x", Typeflag: tar.TypeReg}, data: []byte("2097152 comment=" + strings.Repeat("x", 2<<20-17) + "\n"), as: tar.TypeXHeader}
		return append([]tarMember{list[0], huge}, list[1:]...)
	}, "it is damaged (archive/tar: header field too long): copy the file again"},
	{"a sparse file", second(func(m *tarMember) { m.as = tar.TypeGNUSparse }), "it is damaged (archive/tar: invalid tar header): copy the file again"},
	{"a file of a terabyte that no byte is of", func(list []tarMember) []tarMember {
		text := "26 GNU.sparse.realsize=1\n22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
		return append([]tarMember{list[0], {Header: tar.Header{Name: "x", Typeflag: tar.TypeReg}, data: []byte(text), as: tar.TypeXHeader}}, list[1:]...)
	}, "it is damaged (archive/tar: invalid tar header): copy the file again"},
	{"another app's name", manifested(`"name": "shop"`, `"name": "../blog"`), `it has an app named "../blog"`},
	{"a name that belongs to the server", manifested(`"name": "shop"`, `"name": ".dokku"`), `it has an app named ".dokku"`},
	{"files of an app that it does not have", manifested(`"name": "shop"`, `"name": "blog"`), `it has "apps/shop/HEAD", which a backup has no place for`},
}

// forgedApps are archives as tar has them, with contents that no server writes.
var forgedApps = []struct {
	name   string
	change func(t *testing.T, dir string)
	want   string
}{
	// Files
	{"a hook", added("apps/shop/hooks/post-receive", "#!/bin/sh\n"), `it has "apps/shop/hooks/post-receive", which a backup has no place for`},
	{"objects of another repository", added("apps/shop/objects/info/alternates", "/home/dokku/blog/objects\n"), `it has "apps/shop/objects/info/alternates", which a backup has no place for`},
	{"a work tree's .git", added("apps/shop/.git/config", "[core]\n"), `it has "apps/shop/.git/config", which a backup has no place for`},
	{"a deploy's log", added("apps/shop/dokku/deploys/1.log", "x"), `it has "apps/shop/dokku/deploys/1.log", which a backup has no place for`},
	{"keys of the user dokku", added("credentials/.ssh/authorized_keys", "ssh-ed25519 x\n"), `it has "credentials/.ssh/authorized_keys", which a backup has no place for`},
	{"a folder of a thousand folders", added("apps/shop/refs/"+strings.Repeat("x/", 1000)+"y", strings.Repeat("0", 40)+"\n"),
		`it has "apps/shop/refs/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x", which lies in more than 80 folders`},
	{"two pages of 10 MB", func(t *testing.T, dir string) {
		added("apps/shop/dokku/maintenance/0123/a.html", strings.Repeat("x", 10<<20))(t, dir)
		added("apps/shop/dokku/maintenance/0123/css/b.css", strings.Repeat("x", 10<<20))(t, dir)
	}, `it has "apps/shop/dokku/maintenance/0123/css/b.css" of 20.97MB, where 16.78MB are possible`},
	{"a certificate of 2 MB", added("apps/shop/dokku/tls/0123/server.crt", strings.Repeat("x", 2<<20)), `it has "apps/shop/dokku/tls/0123/server.crt" of 2.097MB, where 1.049MB are possible`},
	{"an account of 2 MB", added("acme/x/account.key", strings.Repeat("x", 2<<20)), `it has "acme/x/account.key" of 2.097MB, where 1.049MB are possible`},
	{"an account in a folder of its own", added("acme/x/y/z", "1"), `it has "acme/x/y/z", which a backup has no place for`},
	{"a state of 20 MB", added(shopState, `{"version":1,"deploy_branch":"`+strings.Repeat("x", 20<<20)+`"}`), `it has "apps/shop/dokku/state.json" of 20.97MB, where 16.78MB are possible`},
	{"a state of ten million brackets", added(shopState, strings.Repeat("[", 10_000_000)), "app shop: cannot read apps/shop/dokku/state.json: invalid character '[' exceeded max depth"},
	{"no ref but a link's text", added("apps/shop/refs/heads/main", "ref: ../../../../etc/passwd\n"), "app shop: git finds the repository damaged: error: refs/heads/main: invalid sha1 pointer 0000000000000000000000000000000000000000 (exit status 10): push all branches again to a new app, or name the other apps"},
	// The state
	{"a state that is a list", added(shopState, "[]"), "app shop: cannot read apps/shop/dokku/state.json: json: cannot unmarshal array into Go value of type struct { Version int }"},
	{"a config that is a list", state("config", `["A=b"]`), "app shop: cannot read apps/shop/dokku/state.json: json: cannot unmarshal array into Go struct field State.config of type map[string]string"},
	{"a variable that ends the line", state("config", `{"A\nLD_PRELOAD":"x"}`), `app shop: invalid name "A LD_PRELOAD" of a config variable`},
	{"a variable with an equals sign", state("config", `{"PATH=/tmp":"x"}`), `app shop: invalid name "PATH=/tmp" of a config variable`},
	{"a value with a NUL byte", state("config", `{"A":"b\u0000c"}`), `app shop: the config variable A has a NUL byte, which an environment cannot hold`},
	{"a million processes", state("scale", `{"web":1000000}`), `app shop: invalid scale web=1000000: a type of processes has a plain name, and 0 to 100 processes`},
	{"fewer than no process", state("scale_next", `{"web":-1}`), `app shop: invalid scale web=-1: a type of processes has a plain name, and 0 to 100 processes`},
	{"a process type that is a path", state("scale", `{"../x":1}`), `app shop: invalid scale ../x=1: a type of processes has a plain name, and 0 to 100 processes`},
	{"a domain with a directive", state("domains", `["a.example;include /etc/shadow"]`), `app shop: invalid domain "a.example;include /etc/shadow": it needs parts of letters, digits and - between dots`},
	{"a domain with a control character", state("domains", `["a\u001b[31m.example"]`), `app shop: domains has a control character: "a\x1b[31m.example"`},
	{"a redirect into nginx's file", state("redirects", `{"a.example":{"to":"b.example;}","code":301}}`), `app shop: invalid domain "b.example;}": it needs parts of letters, digits and - between dots`},
	{"a redirect with a status of its own", state("redirects", `{"a.example":{"to":"b.example","code":200}}`), `app shop: invalid code 200 of a redirect: give one of 301 302 303 307 308`},
	{"a user of http-auth with a line", state("http_auth", `{"enabled":true,"users":{"a:b":"$6$salt$aaaaaaaa"}}`), `app shop: http-auth: invalid user name "a:b": give 1 to 64 characters without spaces, ':' and '#'`},
	{"a password that is none", state("http_auth", `{"enabled":true,"users":{"a":"x"}}`), `app shop: http-auth: not a hash of a password that begins with $2y$, $5$, $6$, $y$ or $apr1$`},
	{"an address that is none", state("http_auth", `{"enabled":true,"allowed_ips":["all;"]}`), `app shop: invalid address "all;" of http-auth`},
	{"a port that no host has", state("ports", `[{"scheme":"http","host_port":70000,"container_port":5000}]`), `app shop: invalid port mapping http:70000:5000`},
	{"a port twice", state("ports", `[{"scheme":"http","host_port":80,"container_port":1},{"scheme":"http","host_port":80,"container_port":2}]`), `app shop: invalid port mapping http:80:2`},
	{"a scheme that is none", state("ports", `[{"scheme":"tcp","host_port":22,"container_port":22}]`), `app shop: invalid port mapping tcp:22:22`},
	{"a negative host port", state("host_port", `-22`), `app shop: invalid host port -22`},
	{"the root of the host", state("mounts", `[{"source":"/var/lib/dokku/data/storage/../../../../..","target":"/host"}]`), `app shop: invalid mount /var/lib/dokku/data/storage/../../../../..:/host`},
	{"the kernel's files", state("mounts", `[{"source":"data","target":"/proc/sys"}]`), `app shop: invalid mount data:/proc/sys`},
	{"a volume with an option", state("mounts", `[{"source":"data:/etc","target":"/x"}]`), `app shop: invalid mount data:/etc:/x`},
	{"a privileged container", state("docker_options", `{"deploy":["--privileged"]}`), `app shop: the option "--privileged" of the phase deploy is invalid: --privileged is not supported for containers: it would give the app rights over the server; run such a program in a container of your own (docker run) and let the app reach it by a network: dokku network:set APP attach-post-create NETWORK; to remove all of that phase: dokku docker-options:clear shop deploy`},
	{"a network of the host", state("docker_options", `{"deploy":["--network host"]}`), `app shop: the option "--network host" of the phase deploy is invalid: --network is not supported for containers: use dokku network:set APP attach-post-create NETWORK; to remove all of that phase: dokku docker-options:clear shop deploy`},
	{"a build that reads the host", state("build_options", `["--build-context x=/etc"]`), `app shop: the option "--build-context x=/etc" of the build is invalid: --build-context is not supported for builds: a build has the files of the repository; clone others in a step, or add them as a submodule's files`},
	{"another app's network", state("network", `{"attach-post-create":"dokku-blog"}`), `app shop: dokku-blog is the private network of an app: create a shared network with network:create`},
	{"the host's network", state("network", `{"initial-network":"host"}`), `app shop: host is one of the engine's built-in networks, which have no names`},
	{"names below another's", state("network", `{"tld":"a b"}`), `app shop: invalid tld "a b" of network:set`},
	{"a limit that is none", state("resources", `{"web.limit.memory":"-1"}`), `app shop: cannot use the limit of memory for web: "-1" is not a size: use a whole number of megabytes, or a number with the suffix b, k, m or g, such as 512m`},
	{"a resource of the host's", state("resources", `{"web.limit.devices":"all"}`), `app shop: invalid resource "web.limit.devices"`},
	{"a service by a path", state("links", `[{"kind":"postgres","name":"../x"}]`), `app shop: invalid service postgres ../x`},
	{"a buildpack that is an option", state("buildpacks", `["--upload-pack=x"]`), `app shop: Invalid buildpack specified: --upload-pack=x`},
	{"a log that root writes", state("nginx", `{"access-log-path":"/etc/cron.d/x.log"}`), `app shop: invalid access-log-path "/etc/cron.d/x.log": it is not below /var/log/nginx`},
	{"a size with a directive", state("nginx", `{"client-max-body-size":"1m; include /etc/shadow"}`), `app shop: nginx:set client-max-body-size: invalid client-max-body-size "1m; include /etc/shadow": give a number with k, m or g, such as 50m, or 0 for no limit`},
	{"a restart policy that is none", state("ps", `{"restart-policy":"on-failure:x"}`), `app shop: ps:set restart-policy: Invalid restart-policy specified: use no, always, unless-stopped, on-failure or on-failure:N`},
	{"a Procfile of the host", state("ps", `{"procfile-path":"../../etc/passwd"}`), `app shop: ps:set procfile-path: Invalid procfile-path specified: "../../etc/passwd" is not a path of a file in the repository, such as deploy/Procfile`},
	{"a Dockerfile of the host", state("build", `{"dockerfile-path":"../../etc/passwd"}`), `app shop: builder-dockerfile:set dockerfile-path: Invalid dockerfile-path specified: "../../etc/passwd" is not a path of a file in the repository, such as deploy/Dockerfile`},
	{"a limit of pushes that is none", state("git", `{"tree-max-files":"-1"}`), `app shop: git:set tree-max-files: Invalid tree-max-files specified: "-1": it has to be a number from 1 to 5000000`},
	{"a branch that is an option", state("deploy_branch", `"--exec=x"`), `app shop: git:set deploy-branch: Invalid deploy-branch specified: "--exec=x" is not the name of a branch`},
	{"a wait before it begins", state("checks", `{"wait-to-retire":"-1"}`), `app shop: checks:set wait-to-retire: wait-to-retire cannot be "-1": it has to be 0 or more`},
	{"a time zone by a path", state("cron", `{"timezone":"../../../etc/passwd"}`), `app shop: cron:set timezone: Invalid timezone "../../../etc/passwd": give a name such as Europe/Berlin or UTC`},
	{"a task that is a path", state("cron_suspended", `["../../x y"]`), `app shop: invalid task "../../x y" of cron:suspend`},
	{"a page of elsewhere", state("maintenance_page", `"../../../blog"`), `app shop: invalid maintenance page "../../../blog"`},
	{"a certificate of elsewhere", state("certificate", `{"id":"../../../blog","names":["a.example"]}`), `app shop: invalid certificate "../../../blog"`},
	{"a certificate that is not there", state("certificate", `{"id":"abcd","names":["a.example"]}`), `app shop: cannot read the certificate: open apps/shop/dokku/tls/abcd/server.crt: no such file or directory`},
	{"a notification to a file", state("hooks", `[{"id":"x","url":"file:///etc/passwd","on":["deploy"],"format":"json","secret":"aaaaaaaaaaaaaaaaaaaa"}]`), `app shop: invalid URL "file:///etc/passwd": give one of http or https, like https://hooks.example.com/deploys`},
	{"code from a folder of the server", state("synced", `{"revision":"`+strings.Repeat("a", 40)+`","source":{"kind":"git-sync","from":"file:///home/dokku/blog main"}}`), `app shop: file: names a folder of this server: give an address of https, http, ssh or git, or user@host:path`},
	{"a shell that is a command line", state("scheduler", `{"shell":"sh -c id"}`), `app shop: scheduler:set shell: Invalid shell specified: "sh -c id" is not the name or the path of a program, such as bash or /bin/zsh`},
	{"more processes than a kernel has", state("isolation_set", `{"pids-limit":"99999999"}`), `app shop: isolation:set pids-limit: Invalid pids-limit specified: "99999999" is not a number of processes from 16 to 4194304`},
	{"a repository of another registry", state("registry", `{"image-repo":"a b"}`), `app shop: registry:set image-repo: Invalid image-repo specified: "a b" is not the name of an image without registry and tag, such as team/web`},

	// Releases
	{"a release that is an option of git", release("revision", `"--upload-pack=touch${IFS}/tmp/owned;aaaa"`), `app shop: release v2: invalid revision "--upload-pack=touch${IFS}/tmp/owned;aaaa"`},
	{"a release by the name of an image", release("image", `"dokku/blog:latest"`), `app shop: release v2 has no id of an image: "dokku/blog:latest"`},
	{"a release under another number", release("number", `1`), `app shop: release 2.json is none`},
	{"a release whose attempt is a path", release("attempt", `"../x"`), `app shop: release v2: invalid attempt "../x"`},
	{"a release with rights", release("docker_options", `{"deploy":["--privileged"]}`), `app shop: release v2: the option "--privileged" of the phase deploy is invalid: --privileged is not supported for containers: it would give the app rights over the server; run such a program in a container of your own (docker run) and let the app reach it by a network: dokku network:set APP attach-post-create NETWORK; to remove all of that phase: dokku docker-options:clear shop deploy`},
	{"a release with a mount of the host", release("mounts", `[{"source":"/../etc","target":"/x"}]`), `app shop: release v2: invalid mount /../etc:/x`},
	{"a release in another app's network", release("networks", `["dokku-blog"]`), `app shop: release v2: dokku-blog is the private network of an app: create a shared network with network:create`},
	{"a release that builds elsewhere", release("build_dir", `"../../blog"`), `app shop: release v2: invalid path "../../blog"`},
	{"a script of a million brackets, at which a parser fell", release("files", `{"Procfile":"web: `+strings.Repeat("(", 1_000_000)+`\n"}`), `app shop: release v2: Procfile: the file has 1000006 bytes, more than the limit of 65536: is it the right file?`},
	{"an app.json of a million lists", release("files", `{"app.json":"`+strings.Repeat("[", 1_000_000)+`"}`), `app shop: release v2: app.json:1: more than 64 levels of nesting`},
	{"a release that starts a billion processes", release("files", `{"DOKKU_SCALE":"web=1000000000\n"}`), `app shop: release v2: DOKKU_SCALE:1: "web=1000000000": 1000000000 of web is more than 1000, this server's limit for one type: lower it, or ask the server's admin to raise the limit`},
	{"a release whose variable ends the line", release("config", `{"A\n":"x"}`), `app shop: release v2: invalid name "A " of a config variable`},
	{"a release on a port that is none", release("port", `-5`), `app shop: release v2: invalid port -5`},
	{"a release after which no number comes", func(t *testing.T, dir string) {
		state("current", `9223372036854775807`)(t, dir)
		release("number", `9223372036854775807`)(t, dir)
		check(t, os.Rename(filepath.Join(dir, shopRelease), filepath.Join(dir, "apps/shop/dokku/releases/9223372036854775807.json")))
	}, `app shop: release v9223372036854775807: invalid number 9223372036854775807 of a release: no app has more than 1000000000`},
	{"a release whose subject draws on an admin's terminal", release("subject", `"S\u001b[31m"`), `app shop: release v2: subject has a control character: "S\x1b[31m"`},
	{"a release whose message does", release("message", `"M\u001b[31m"`), `app shop: release v2: message has a control character: "M\x1b[31m"`},
	{"a release whose changes do", release("changes", `[{"what":"W\u202e"}]`), `app shop: release v2: what has a control character: "W\u202e"`},

	// Former releases. Every operation reads the file first: apps:destroy and the agent's too.
	{"former releases of a later version", added("apps/shop/dokku/past/0.json", `{"version":99}`), `app shop: cannot read apps/shop/dokku/past/0.json: it has version 99, this dokku knows up to 1: restore it with the newer dokku`},
	{"former releases that are none", added("apps/shop/dokku/past/0.json", `{"releases":"x"}`), `app shop: cannot read apps/shop/dokku/past/0.json: json: cannot unmarshal string into Go struct field past.releases of type []app.ReleaseSummary`},
	{"former releases by another name", added("apps/shop/dokku/past/x.json", `{"version":1}`), `app shop: apps/shop/dokku/past/x.json is no file of former releases`},
	{"a former release in another file", added("apps/shop/dokku/past/0.json", `{"version":1,"releases":[{"number":100}]}`), `app shop: apps/shop/dokku/past/0.json has a release v100, which does not belong there`},
	{"a former release that draws on an admin's terminal", added("apps/shop/dokku/past/0.json", `{"version":1,"releases":[{"number":1,"revision":"`+strings.Repeat("a", 40)+`","by":"a\u001b[31mX"}]}`),
		`app shop: former release v1: by has a control character: "a\x1b[31mX"`},
	{"no release", func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, shopRelease))) }, `app shop: its release v2 is missing`},

	// The server
	{"keys of nodes that are none", func(t *testing.T, dir string) {
		for _, name := range []string{"authority", "node.dokku", "door.dokku", "manager.dokku"} {
			added("nodes/"+name+"/server.crt", "x")(t, dir)
			added("nodes/"+name+"/server.key", "x")(t, dir)
		}
	}, "the keys of the nodes in it: authority: the certificate file has no PEM block: it should begin with -----BEGIN CERTIFICATE-----"},
	{"settings that are a list", added("server.json", "[]"), `cannot read server.json: json: cannot unmarshal array into Go value of type struct { Version int }`},
	{"a setting that is none", server("max_scal", `3`), `cannot use server.json: line 1 has the key "max_scal", which is no setting: did you mean "max_scale"?`},
	{"a server's variable", server("config", `{"A=b":"c"}`), `invalid name "A=b" of a config variable`},
	{"a server's domain", server("domains", `["x;"]`), `invalid domain "x;": it needs parts of letters, digits and - between dots`},
	{"a negative number of processes", server("max_scale", `-1`), `server.json: max_scale and keep_releases are no negative numbers`},
	{"a storage entry of the host's root", server("storage_entries", `{"x":{"host_path":"/../etc"}}`), `storage entry x: invalid path "/../etc"`},
	{"a front door that is an option", server("front_doors", `{"x":{"address":"-oProxyCommand=id@x"}}`), `front door x: invalid address "-oProxyCommand=id@x" of a front door: it has no user before the @; give [USER@]HOST[:PORT], such as 203.0.113.2`},
	{"a builder's size that is none", server("build", `{"cache-size":"all"}`), `builder:set cache-size: Invalid cache-size specified: "all" is not a size: use a whole number of megabytes, or a number with the suffix b, k, m or g, such as 512m; or a part of the disk such as 20%, or none`},
	{"a log of all apps that root writes", server("nginx", `{"properties":{"error-log-path":"/etc/logrotate.d/x.log"}}`), `nginx:set error-log-path: Invalid error-log-path specified: "/etc/logrotate.d/x.log" is not below /var/log/nginx`},
	{"a property of no noun", server("build", `{"nonsense":"x"}`), `server.json has the property "nonsense", which no command stores for the server: remove it`},
	{"keys that are none", added("ssh-keys", "command=\"sh\" x\n"), `cannot add a key named "command=\"sh\""`},
}
