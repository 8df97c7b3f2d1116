package source

import (
	"fmt"
	"strings"
	"testing"
)

// TestFileLinks: links to files and folders inside the repository are followed. A link
// that leads out of it or nowhere is refused by name.
func TestFileLinks(t *testing.T) {
	r := newRepo(t)
	f := files{
		"deploy/Dockerfile": "FROM scratch\n", "deploy/prod/Procfile": "web: x\n",
		"120000 Dockerfile": "deploy/Dockerfile", "120000 Procfile": "./deploy//prod/../prod/Procfile",
		"120000 chain": "Procfile", "120000 current": "deploy/prod", "120000 app": "current",
		"120000 deploy/up": "../Procfile", "120000 deploy/prod/same": "Procfile", "120000 dir/here": ".",
		"120000 passwd": "/etc/passwd", "120000 out": "../../x", "120000 deploy/out": "prod/../../..",
		"120000 over": "out", "120000 none": "missing.txt", "120000 under": "deploy/Dockerfile/x",
		"120000 a": "b", "120000 b": "c", "120000 c": "a", "120000 self": "self", "120000 folder": "deploy",
		"120000 odd": "é\x1b[31m/x",
	}
	for i := range maxLinks {
		f[fmt.Sprintf("120000 l%d", i)] = fmt.Sprintf("l%d", i+1)
	}
	f[fmt.Sprintf("120000 l%d", maxLinks)] = "Procfile"
	rev := r.Commit("", f)
	s := r.open()
	for name, want := range map[string]string{
		"Dockerfile": "FROM scratch\n", "Procfile": "web: x\n", "chain": "web: x\n", "current/Procfile": "web: x\n",
		"app/Procfile": "web: x\n", "deploy/up": "web: x\n", "deploy/prod/same": "web: x\n", "app/same": "web: x\n", "l3": "web: x\n",
		"dir/here/here/x": "", "current/nothing": "", "app/a/b": "", "nothing": "", "nothing/x": "", "deploy/Dockerfile/x": "",
	} {
		b, ok, err := s.File(rev, name, 100)
		if string(b) != want || ok != (want != "") || err != nil {
			t.Errorf("%s: %q, %v, %v, want %q", name, b, ok, err, want)
		}
	}
	for name, want := range map[string]string{
		"passwd": "the symbolic link passwd -> /etc/passwd leads out of the repository; commit the file itself, or link to one in the repository",
		"out":    "the symbolic link out -> ../../x leads out of the repository",
		"over":   "the symbolic link out -> ../../x leads out of the repository", "deploy/out": "the symbolic link deploy/out -> prod/../../.. leads out",
		"none":  "the symbolic link none -> missing.txt leads to a file that is not in the repository; commit it or correct the link",
		"under": "the symbolic link under -> deploy/Dockerfile/x leads to a file that is not in the repository",
		"a":     "its symbolic links go in a circle (a -> b, b -> c, c -> a); make one of them a file",
		"self":  "its symbolic links go in a circle (self -> self, self -> self, self -> self)",
		"l0":    "its symbolic links go in a circle (l0 -> l1, ", "folder": "it is not a file (mode 040000)",
		"odd": `the symbolic link odd -> "é\x1b[31m/x" leads to a file`, "../x": "the path leads out of the repository",
	} {
		_, _, err := s.File(rev, name, 100)
		if prefix := "cannot read " + name + " in " + rev[:7] + ": "; err == nil || !strings.HasPrefix(err.Error(), prefix+want) {
			t.Errorf("%s: %v, want %s", name, err, prefix+want)
		}
	}
	if names, err := s.Files(rev, "current"); err != nil || strings.Join(names, " ") != "Procfile" {
		t.Errorf("the folder behind a link has %q, %v", names, err)
	}
}
