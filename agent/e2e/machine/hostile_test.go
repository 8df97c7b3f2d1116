package machine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/source"
)

// offer does pre-receive's part for a push of a pack that no git would make. It returns the
// error and what the pusher reads.
func (m *machine) offer(p *buildtest.Pack, refs ...deploy.Ref) (string, error) {
	m.t.Helper()
	dir := m.server.Env.Store.Dir("shop")
	objects := source.Options{GitDir: dir, ObjectDir: p.Quarantine(buildtest.At(m.t, dir))}
	var out strings.Builder
	term := event.NewTerminal(&out, &out, false)
	err := m.server.Prepare(m.t.Context(), deploy.Push{App: "shop", Refs: refs, Objects: objects}, event.New(term))
	term.Close()
	return out.String(), err
}

// sums returns a sum of every file of the server but for logs, by path: what a push
// leaves that is refused.
func (m *machine) sums() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(m.root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(m.root, path)
		if err != nil || d.IsDir() || strings.Contains(rel, "/deploys/") || strings.HasPrefix(rel, ".dokku/log/") || strings.HasPrefix(rel, ".dokku/events") {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			all[rel], err = os.Readlink(path)
			return err
		}
		b, err := os.ReadFile(path)
		all[rel] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	m.must(err)
	return all
}

// A hostile repository: what it has, and the line with which a push of it to the deploy
// branch is refused.
type hostile struct {
	name string
	// tree adds what is in the repository, and returns the id of its tree.
	tree func(p *buildtest.Pack) string
	want string
}

// oneFile is a tree with a file beside a Dockerfile.
func oneFile(mode, name, content string) func(*buildtest.Pack) string {
	return withFiles(mode+" "+name, content)
}

// withFiles is a tree of files: "MODE NAME" and contents, in turn. A name is a single one.
func withFiles(files ...string) func(*buildtest.Pack) string {
	return func(p *buildtest.Pack) string {
		entries := []string{"100644 Dockerfile", p.Add(buildtest.PackBlob, []byte("FROM scratch\n"))}
		for i := 0; i < len(files); i += 2 {
			entries = append(entries, files[i], p.Add(buildtest.PackBlob, []byte(files[i+1])))
		}
		return p.AddTree(entries...)
	}
}

// inFolder is a tree with a folder.
func inFolder(name string, tree func(*buildtest.Pack) string) func(*buildtest.Pack) string {
	return func(p *buildtest.Pack) string {
		return p.AddTree("100644 Dockerfile", p.Add(buildtest.PackBlob, []byte("FROM scratch\n")), "40000 "+name, tree(p))
	}
}

const file, link = "100644", "120000"

var lfsPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 9\n"

var hostileNames = []hostile{
	{"git's folder", inFolder(".git", oneFile(file, "config", "x")), ".git: \".git\" is git's own folder to some file system; remove it from the repository"},
	{"in capitals", inFolder(".GIT", oneFile(file, "config", "x")), `".GIT" is git's own folder to some file system`},
	{"with a space", oneFile(file, ".git ", "x"), `".git " is git's own folder to some file system`},
	{"with a dot", oneFile(file, ".git.", "x"), `".git." is git's own folder to some file system`},
	{"of NTFS", oneFile(file, "git~1", "x"), `"git~1" is git's own folder to some file system`},
	{"with a stream", oneFile(file, ".git::$INDEX_ALLOCATION", "x"), "is git's own folder to some file system"},
	{"of HFS+", oneFile(file, ".g\u200cit", "x"), `".g\u200cit" is git's own folder to some file system`},
	{"a dot", oneFile(file, ".", "x"), `"." is not a name; rename it`},
	{"two dots", oneFile(file, "..", "x"), `".." is not a name; rename it`},
	{"no name", oneFile(file, "", "x"), "a name is empty; commit the file under a name"},
	{"a slash", oneFile(file, "a/b", "x"), `the name "a/b" has a slash; rename it`},
	{"up", oneFile(file, "../../etc/cron.d/x", "x"), `the name "../../etc/cron.d/x" has a slash; rename it`},
	{"a backslash", oneFile(file, `a\b`, "x"), "has a backslash; rename it"},
	{"not UTF-8", oneFile(file, "a\xff", "x"), `the name "a\xff" is not UTF-8; rename it`},
	{"an escape", oneFile(file, "a\x1b[2J", "x"), `the name "a\x1b[2J" has a control character; rename it`},
	{"a line end", oneFile(file, "a\nb", "x"), `the name "a\nb" has a control character; rename it`},
	{"C1", oneFile(file, "a\u009b31m", "x"), `the name "a\u009b31m" has a control character; rename it`},
	{"256 bytes", oneFile(file, strings.Repeat("a", 256), "x"), "its name has 256 bytes, more than 255; shorten it"},
	{"twice", withFiles(file+" a", "x", file+" a", "y"), "a: the folder has this name twice; remove one"},
	{"a device", oneFile("60000", "sda", "x"), "sda: its mode 060000 is not a file's mode; commit a plain file"},
	{"a pipe", oneFile("10000", "pipe", "x"), "pipe: its mode 010000 is not a file's mode; commit a plain file"},
	{"no mode", oneFile("0", "none", "x"), "none: its mode 000000 is not a file's mode; commit a plain file"},
	{"a link to nothing", oneFile(link, "l", ""), "l: its link target has 0 bytes; a target has 1 to "},
	{"a long link", oneFile(link, "l", strings.Repeat("a", 5000)), "l: its link target has 5000 bytes; a target has 1 to "},
	{"a link with NUL", oneFile(link, "l", "a\x00b"), `l: its link target "a\x00b" is not text in UTF-8; correct it`},
	{"a submodule of nowhere", func(p *buildtest.Pack) string {
		return p.AddTree("100644 Dockerfile", p.Add(buildtest.PackBlob, []byte("FROM scratch\n")), "160000 sub", strings.Repeat("1", 40))
	}, "sub: it is a submodule"},
	{"a submodule of a file", func(p *buildtest.Pack) string {
		b := p.Add(buildtest.PackBlob, []byte("[submodule \"sub\"]\n\tpath = sub\n\turl = file:///etc\n"))
		return p.AddTree("100644 .gitmodules", b, "160000 sub", strings.Repeat("1", 40))
	}, "file:///etc"},
	{"an LFS pointer", oneFile(file, "large.bin", lfsPointer), "large.bin: it is a Git LFS pointer, but .gitattributes does not say filter=lfs for it"},
	{"an LFS pointer to a path", withFiles(file+" .gitattributes", "* filter=lfs\n", file+" large.bin", strings.Replace(lfsPointer, strings.Repeat("a", 64), "../../../../etc/passwd", 1)),
		"large.bin: it is a Git LFS pointer without a valid oid and size"},
	{"10^10 files", func(p *buildtest.Pack) string {
		kind, id := "100644", p.Add(buildtest.PackBlob, []byte("x"))
		for range 10 {
			var entries []string
			for n := range 10 {
				entries = append(entries, fmt.Sprintf("%s %d", kind, n), id)
			}
			kind, id = "40000", p.AddTree(entries...)
		}
		return id
	}, "it has more than 200000 files and folders; remove what the app does not need"},
	{"65 folders", func(p *buildtest.Pack) string {
		id := p.AddTree("100644 f", p.Add(buildtest.PackBlob, []byte("x")))
		for range 65 {
			id = p.AddTree("40000 d", id)
		}
		return id
	}, "it has more than 64 folders inside one another; move them up"},
	{"a path of 3215 bytes", func(p *buildtest.Pack) string {
		id := p.AddTree("100644 "+strings.Repeat("e", 200), p.Add(buildtest.PackBlob, []byte("x")))
		for range 15 {
			id = p.AddTree("40000 "+strings.Repeat("d", 200), id)
		}
		return id
	}, "it has a path of 3215 bytes, more than 3072; shorten it"},
	{"a bomb", func(p *buildtest.Pack) string {
		base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
		p.AddDelta(base, buildtest.Repeat(1<<16, 2100))
		return p.AddTree("100644 base", base)
	}, "has 138 MB and is stored as a difference from another one, for which the limit is 134 MB; "},
	{"a large tree", func(p *buildtest.Pack) string {
		id := p.Add(buildtest.PackBlob, []byte("x"))
		entries := make([]string, 0, 400_002)
		for n := range 200_001 {
			entries = append(entries, fmt.Sprintf("100644 %06d", n), id)
		}
		return p.AddTree(entries...)
	}, "it has more than 200000 files and folders"},
	{"an ignore file of 30,000 patterns", func(p *buildtest.Pack) string {
		id := p.Add(buildtest.PackBlob, []byte("x"))
		var entries []string
		for n := range 5000 {
			entries = append(entries, fmt.Sprintf("100644 %06d", n), id)
		}
		return p.AddTree(append(entries, "100644 .dockerignore", p.Add(buildtest.PackBlob, []byte(strings.Repeat("a\n", 32_000))))...)
	}, ".dockerignore has too many patterns (32000) for 5001 files; remove some"},
}

var hostileFiles = []hostile{
	{"Procfile of UTF-16", oneFile(file, "Procfile", "\xff\xfew\x00e\x00b\x00"), "Procfile: the file is UTF-16: save it as UTF-8"},
	{"Procfile with NUL", oneFile(file, "Procfile", "web: a\x00b\n"), "Procfile:1: the file contains a NUL byte"},
	{"Procfile of Latin-1", oneFile(file, "Procfile", "web: \xe9\n"), "Procfile:1: the file is not UTF-8: save it as UTF-8"},
	{"Procfile of 64 KiB and a byte", oneFile(file, "Procfile", "web: "+strings.Repeat("a", 64<<10)), "cannot read Procfile in "},
	{"Procfile with a long command", oneFile(file, "Procfile", "web: "+strings.Repeat("a", 4097)+"\n"), "it has 4097 bytes, more than the limit of 4096: put it into a script of the repository, and run that"},
	{"Procfile of parentheses", oneFile(file, "Procfile", "release: "+strings.Repeat("(", 4000)+"\n"), "no shell can read this"},
	{"Procfile of one type twice", oneFile(file, "Procfile", "web: a\nweb: b\n"), "line 1 already has web: rename one of them"},
	{"Procfile with a type of 64 letters", oneFile(file, "Procfile", strings.Repeat("w", 64)+": a\n"), "the name of the process type is longer than 63 characters"},
	{"Procfile with a type that is a path", oneFile(file, "Procfile", "../web: a\n"), `"../web" cannot be the name of a process type: use letters, digits, - and _`},
	{"Procfile without a process", oneFile(file, "Procfile", "# nothing\n"), "Procfile: the file has no process"},
	{"Procfile that is a folder", inFolder("Procfile", oneFile(file, "a", "x")), "Procfile"},
	{"Procfile that leads out", oneFile(link, "Procfile", "../../etc/passwd"), "Procfile"},
	{"Procfile that leads to the host", oneFile(link, "Procfile", "/etc/passwd"), "Procfile"},
	{"Procfile that leads to itself", oneFile(link, "Procfile", "Procfile"), "Procfile"},
	{"5,000,000 processes", withFiles(file+" Procfile", "web: a\n", file+" app.json", `{"formation":{"web":{"quantity":5000000}}}`), "5000000 of web is more than 100, this server's limit for one type"},
	{"300 processes", withFiles(file+" Procfile", "web: a\nb: a\nc: a\n", file+" app.json", `{"formation":{"web":{"quantity":100},"b":{"quantity":100},"c":{"quantity":100}}}`),
		"shop would run 300 processes, more than 250; lower the counts, or: dokku ps:set shop max-processes NUMBER"},
	{"10^30 processes", oneFile(file, "DOKKU_SCALE", "web=1000000000000000000000000000000\n"), "is more than 100, this server's limit for one type"},
	{"arithmetic", oneFile(file, "DOKKU_SCALE", "web=$((1+1))\n"), "is not a count: write a whole number such as web=1"},
	{"less than none", oneFile(file, "DOKKU_SCALE", "web=-1\n"), `"-1" is not a count: write a whole number such as web=1`},
	{"6,000 unknown types", withFiles(file+" Procfile", "web: a\n", file+" DOKKU_SCALE", func() string {
		var b strings.Builder
		for n := range 6000 {
			fmt.Fprintf(&b, "w%d=1\n", n)
		}
		return b.String()
	}()), "DOKKU_SCALE: and 5980 more like these"},
	{"app.json of arrays", oneFile(file, "app.json", strings.Repeat("[", 60_000)), "app.json:1: more than 64 levels of nesting"},
	{"app.json of objects", oneFile(file, "app.json", strings.Repeat(`{"a":`, 12_000)), "app.json:1: more than 64 levels of nesting"},
	{"app.json that ends", oneFile(file, "app.json", `{"formation": {`), "the file ends too early: a } is missing"},
	{"app.json of 64 KiB and a byte", oneFile(file, "app.json", "{}"+strings.Repeat(" ", 64<<10)), "cannot read app.json in "},
	{"app.json with a long script", oneFile(file, "app.json", `{"scripts":{"dokku":{"predeploy":"`+strings.Repeat("a", 5000)+`"}}}`), "scripts.dokku.predeploy, it has 5000 bytes, more than the limit of 4096"},
	{"app.json with a long cron task", oneFile(file, "app.json", `{"cron":[{"schedule":"@daily","command":"`+strings.Repeat("a", 5000)+`"}]}`), "cron, it has 5000 bytes, more than the limit of 4096"},
	{"CHECKS for a year", oneFile(file, "CHECKS", "ATTEMPTS=101\n/ x\n"), "CHECKS:1"},
	{"CHECKS of 64 KiB and a byte", oneFile(file, "CHECKS", strings.Repeat("/a\n", 22_000)), "cannot read CHECKS in "},
	{"CHECKS of 20,000 paths", oneFile(file, "CHECKS", strings.Repeat("/a\n", 20_000)), "CHECKS: there are 20000 checks, which all run at once for each process: keep at most "},
}

// TestHostileRepositories (I11): no repository of these is built, each is refused with a line
// that names what is wrong, and leaves nothing.
func TestHostileRepositories(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	built := 0
	build1 := m.server.Env.Build
	m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) { built++; return build1(ctx, r) }
	before := m.sums()
	try := func(name, want string, p *buildtest.Pack, refs ...deploy.Ref) {
		t.Helper()
		out, err := m.offer(p, refs...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %.300v, want %q", name, err, want)
		}
		if len(out) > 20_000 || err != nil && len(err.Error()) > 20_000 {
			t.Errorf("%s: the pusher reads %d bytes", name, len(out))
		}
		if strings.ContainsAny(out+fmt.Sprint(err), "\x1b\u009b\x00") {
			t.Errorf("%s: it prints control characters: %q", name, err)
		}
		after := m.sums()
		for path := range app.Merged(before, after) {
			if before[path] != after[path] {
				t.Errorf("%s: %s has changed", name, path)
			}
		}
		if built > 0 {
			t.Errorf("%s: it was built", name)
			built = 0
		}
	}
	for _, test := range append(hostileNames, hostileFiles...) {
		p := &buildtest.Pack{}
		rev := p.AddCommit(test.tree(p), h.one)
		try(test.name, test.want, p, deploy.Ref{Old: h.one, New: rev, Name: "refs/heads/main"})
	}
	p := &buildtest.Pack{}
	blob := p.Add(buildtest.PackBlob, []byte("x"))
	tree := p.AddTree("100644 a", blob)
	tag := p.Add(buildtest.PackTag, []byte("object "+h.one+"\ntype commit\ntag v1\ntagger A <a@example.com> 1700000000 +0000\n\nmessage\n"))
	for kind, id := range map[string]string{"blob": blob, "tree": tree, "tag": tag} {
		try("a "+kind+" on the deploy branch", "it is a "+kind+", not a commit", p, deploy.Ref{Old: h.one, New: id, Name: "refs/heads/main"})
	}
}

// TestLargeFilesAndManyProcesses (L5): control files were parsed again for each process, which
// took 29 s for 20 of them. A deploy parses them a few times, however many processes it has.
func TestLargeFilesAndManyProcesses(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	var procfile, formation strings.Builder
	procfile.WriteString("web: a\n")
	for n := range 2000 {
		fmt.Fprintf(&procfile, "w%d: a %s\n", n, strings.Repeat("b", 20))
		fmt.Fprintf(&formation, `"w%d":{"quantity":0},`, n)
	}
	p := &buildtest.Pack{}
	rev := p.AddCommit(withFiles(file+" Procfile", procfile.String(), file+" app.json", `{"formation":{`+formation.String()+`"web":{"quantity":20}}}`,
		file+" CHECKS", strings.Repeat("# a comment of a file that is as large as it may be\n", 1200))(p), h.one)
	begun := cpuTime(t)
	if out, err := m.offer(p, deploy.Ref{Old: h.one, New: rev, Name: "refs/heads/main"}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := cpuTime(t) - begun; d > 5*time.Second {
		t.Errorf("the deploy computes for %s", d)
	}
}

// cpuTime is the time that this process has computed: the machine may be busy with others.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
