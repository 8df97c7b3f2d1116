package command_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/build/buildtest"
)

// mostMemory is what each process of ours may hold, whatever is pushed.
const mostMemory = 150 << 20

// worst are the pushes that cost most: what they have is next to what the limits take, or far
// over it, in each of the ways in which an object may be large.
var worst = []struct {
	name string
	make func(p *buildtest.Pack) (refs map[string]string)
}{
	{"a file of 300 MB", func(p *buildtest.Pack) map[string]string {
		return main(p.AddCommit(p.AddTree("100644 Dockerfile", p.Add(buildtest.PackBlob, []byte("FROM scratch\n")), "100644 big", p.Add(buildtest.PackBlob, make([]byte, 300<<20)))))
	}},
	{"a link to a path of 300 MB", func(p *buildtest.Pack) map[string]string {
		return main(p.AddCommit(p.AddTree("120000 link", p.Add(buildtest.PackBlob, bytes.Repeat([]byte("a"), 300<<20)))))
	}},
	{"a folder of 190,000 files", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(wide(p, 190_000))) }},
	{"a folder of a million files", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(wide(p, 1_000_000))) }},
	{"a folder ten million times", func(p *buildtest.Pack) map[string]string {
		id, mode := p.Add(buildtest.PackBlob, []byte("x")), "100644 "
		for range 7 {
			var entries []string
			for n := range 10 {
				entries = append(entries, mode+strconv.Itoa(n), id)
			}
			id, mode = p.AddTree(entries...), "40000 "
		}
		return main(p.AddCommit(id))
	}},
	{"a difference that makes 120 MB", func(p *buildtest.Pack) map[string]string {
		base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
		p.AddDelta(base, buildtest.Repeat(1<<16, 1920))
		return main(p.AddCommit(p.AddTree("100644 base", base)))
	}},
	{"ten differences that make 100 MB", func(p *buildtest.Pack) map[string]string {
		base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
		for n := range 10 {
			p.AddDelta(base, buildtest.Repeat(1<<16, 1600+n))
		}
		return main(p.AddCommit(p.AddTree("100644 base", base)))
	}},
	{"10,000 branches", func(p *buildtest.Pack) map[string]string {
		rev, refs := p.AddCommit(p.AddTree()), map[string]string{}
		for n := range 10_000 {
			refs[fmt.Sprintf("refs/heads/b%d", n)] = rev
		}
		return refs
	}},
	{"a Procfile of 100 MB", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(huge(p, "Procfile"))) }},
	{"an app.json of 100 MB", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(huge(p, "app.json"))) }},
	{"a Dockerfile of 100 MB", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(huge(p, "Dockerfile"))) }},
	{".gitattributes of 100 MB", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(huge(p, ".gitattributes"))) }},
	{".dockerignore of 100 MB", func(p *buildtest.Pack) map[string]string { return main(p.AddCommit(huge(p, ".dockerignore"))) }},
	{"a message of 100 MB", func(p *buildtest.Pack) map[string]string {
		return main(commit(p, "", "x "+strings.Repeat("message ", 100<<20/8)))
	}},
	{"a subject of 50 MB", func(p *buildtest.Pack) map[string]string { return main(commit(p, "", strings.Repeat("x", 50<<20))) }},
	{"100 MB of headers", func(p *buildtest.Pack) map[string]string {
		return main(commit(p, "gpgsig "+strings.Repeat("x\n ", 100<<20/3)+"\n", "x"))
	}},
	{"a million parents", func(p *buildtest.Pack) map[string]string {
		parent := p.AddCommit(p.AddTree("100644 a", p.Add(buildtest.PackBlob, []byte("x"))))
		return main(commit(p, strings.Repeat("parent "+parent+"\n", 1_000_000), "x"))
	}},
	{"a chain of 20,000 tags", func(p *buildtest.Pack) map[string]string {
		id, kind := p.AddCommit(p.AddTree()), "commit"
		refs := main(id)
		for n := range 20_000 {
			id = p.Add(buildtest.PackTag, fmt.Appendf(nil, "object %s\ntype %s\ntag t%d\ntagger A <a@example.com> 1700000000 +0000\n\nx\n", id, kind, n))
			kind = "tag"
		}
		refs["refs/tags/t"] = id
		return refs
	}},
	{"a tag of 100 MB", func(p *buildtest.Pack) map[string]string {
		rev := p.AddCommit(p.AddTree())
		refs := main(rev)
		refs["refs/tags/t"] = p.Add(buildtest.PackTag, []byte("object "+rev+"\ntype commit\ntag t\ntagger A <a@example.com> 1700000000 +0000\n\n"+strings.Repeat("x", 100<<20)))
		return refs
	}},
	{"a history of 50,000 commits", func(p *buildtest.Pack) map[string]string {
		rev, tree := "", p.AddTree("100644 Dockerfile", p.Add(buildtest.PackBlob, []byte("FROM scratch\n")))
		for range 50_000 {
			if rev == "" {
				rev = p.AddCommit(tree)
			} else {
				rev = p.AddCommit(tree, rev)
			}
		}
		return main(rev)
	}},
	{"200,000 files that no revision has", func(p *buildtest.Pack) map[string]string {
		for n := range 200_000 {
			p.Add(buildtest.PackBlob, strconv.AppendInt(nil, int64(n), 10))
		}
		return main(p.AddCommit(p.AddTree()))
	}},
}

func main(rev string) map[string]string { return map[string]string{"refs/heads/main": rev} }

// wide is a folder with so many files.
func wide(p *buildtest.Pack, n int) string {
	blob := p.Add(buildtest.PackBlob, []byte("x"))
	entries := make([]string, 0, 2*n)
	for i := range n {
		entries = append(entries, fmt.Sprintf("100644 file-%08d", i), blob)
	}
	return p.AddTree(entries...)
}

// huge is a folder with one file of 100 MB.
func huge(p *buildtest.Pack, name string) string {
	return p.AddTree("100644 "+name, p.Add(buildtest.PackBlob, bytes.Repeat([]byte("# a line\n"), 100<<20/9)))
}

// commit is a revision with headers and a message of its own.
func commit(p *buildtest.Pack, headers, message string) string {
	return p.Add(1, []byte("tree "+p.AddTree()+"\n"+parentsFirst(headers, "parent")+"author A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n"+
		parentsFirst(headers, "gpgsig")+"\n"+message+"\n"))
}

// parentsFirst returns headers if they begin with a word.
func parentsFirst(headers, word string) string {
	if strings.HasPrefix(headers, word) {
		return headers
	}
	return ""
}

// TestMemoryOfPushes: a pusher makes the program hold gigabytes by one object that is large, or
// by very many. No process of ours holds more than 150 MB, whatever comes; git's own have a
// limit of theirs.
func TestMemoryOfPushes(t *testing.T) {
	root, bin := t.TempDir(), filepath.Join(t.TempDir(), "dokku")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "dokku").CombinedOutput(); err != nil {
		t.Fatalf("cannot build dokku: %s\n%s", err, out)
	}
	if err := writeJSON(filepath.Join(root, ".dokku", "server.json"), app.Settings{Version: 1, Docker: "unix://" + emptyEngine(t),
		Nginx: app.NginxSettings{Port: 80, Check: []string{"true"}, Reload: []string{"true"}}}); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "DOKKU_ROOT="+root)
	for n, w := range worst {
		p := &buildtest.Pack{}
		refs := w.make(p)
		in := bytes.NewReader(p.Requests(refs))
		cmd := exec.CommandContext(t.Context(), bin, "shell", "alice")
		cmd.Env = append(env, fmt.Sprintf("SSH_ORIGINAL_COMMAND=git-receive-pack app-%d", n))
		cmd.Stdin = in
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		peaks := peakOf(bin, cmd.Process.Pid, func() { cmd.Wait() })
		for command, peak := range peaks {
			if peak > mostMemory {
				t.Errorf("%s: %s held %d MB", w.name, command, peak>>20)
			}
		}
		if len(peaks) == 0 {
			t.Errorf("%s: no process was seen\n%.300q", w.name, out.String())
		}
	}
}

// peakOf calls wait and returns the most memory that processes of a program held meanwhile, in
// bytes, by their first words.
func peakOf(bin string, first int, wait func()) map[string]int64 {
	peaks, done := map[string]int64{}, make(chan struct{})
	go func() { defer close(done); wait() }()
	for t := time.NewTicker(3 * time.Millisecond); ; {
		select {
		case <-done:
			t.Stop()
			return peaks
		case <-t.C:
		}
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid < first {
				continue
			}
			if exe, _ := os.Readlink(filepath.Join("/proc", e.Name(), "exe")); exe != bin {
				continue
			}
			status, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "status"))
			words, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			_, after, _ := strings.Cut(string(status), "VmHWM:")
			number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
			kilobytes, _ := strconv.ParseInt(number, 10, 64)
			name := filepath.Base(string(bytes.Split(words, []byte{0})[0]))
			peaks[name] = max(peaks[name], kilobytes<<10)
		}
	}
}
