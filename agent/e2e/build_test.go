package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestBuildPorts: the first EXPOSE of the Dockerfile is web's port, whatever its number.
func TestBuildPorts(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(nil)
	dockerfile := func(expose, port string) lab.Files {
		return lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\n" + expose + "CMD [\"/server\", \"-port=" + port + "\"]\n"}
	}
	out := a.Push(dockerfile("EXPOSE 8080\nEXPOSE 2222\n", "8080"))
	lab.Contains(t, out, "The image exposes 2 ports: web listens on 8080. If it is 2222 instead: ssh ", " ports:set "+a.Name+" http:80:2222")
	a.Serves(a.Tip("main"))
	out = a.Push(dockerfile("ARG PORT=9229\nEXPOSE 53/udp\nEXPOSE $PORT 3000\n", "9229"))
	lab.Contains(t, out, "web listens on 9229.")
	a.Serves(a.Tip("main"))
	lab.Lacks(t, a.Push(dockerfile("EXPOSE 9229\n", "9229")), "The image exposes")
	a.Serves(a.Tip("main"))
}

// TestBuildLinks: links to files of the repository are followed, and what .dockerignore
// leaves out does not reject.
func TestBuildLinks(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Dockerfile": "", "deploy/Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nCMD [\"/server\"]\n",
		"deploy/Procfile": "web: /server -say=by-the-link\n"})
	for link, target := range map[string]string{"Dockerfile": "deploy/Dockerfile", "current": "deploy", "Procfile": "current/Procfile"} {
		lab.Must(t, os.Symlink(target, filepath.Join(a.Work, link)))
	}
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 12345\n"
	addSubmodule(a, "docs/theme")
	lab.Contains(t, a.Push(lab.Files{".dockerignore": "docs\n", "docs/logo.psd": pointer, `docs/a\b`: "x"}), "Building "+a.Name+" from Dockerfile (")
	a.Serves(a.Tip("main"))
	lab.Contains(t, l.Dokku("logs", a.Name), "by-the-link")

	lab.Contains(t, a.Rejected(lab.Files{".dockerignore": "docs\n!docs/logo.psd\n"}), "docs/logo.psd: it is a Git LFS pointer")
	lab.Must(t, os.Remove(filepath.Join(a.Work, "Procfile")))
	lab.Must(t, os.Symlink("/etc/passwd", filepath.Join(a.Work, "Procfile")))
	lab.Contains(t, a.Rejected(lab.Files{}), "cannot read Procfile in ", "the symbolic link Procfile -> /etc/passwd leads out of the repository")
	a.Serves(a.Tip("main"))
}

// TestBuildMessages: the error of a build names the cause, once.
func TestBuildMessages(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	from := "FROM " + l.Tools.Base + "\n"

	out := a.Rejected(lab.Files{"Dockerfile": from + "RUN [\"/server\", \"-say=no-space-left\", \"-exit=7\"]\n"})
	lab.Contains(t, out, "  | no-space-left", ": step [2/2] RUN ended with exit code 7; correct the command")
	if n := strings.Count(out, "-exit=7"); n != 1 {
		t.Errorf("the step is printed %d times:\n%s", n, out)
	}
	out = a.Rejected(lab.Files{"Dockerfile": from + "COPY missing.txt /\n"})
	lab.Contains(t, out, ": step [2/2] COPY: missing.txt is not in the repository; is it committed?")
	out = a.Rejected(lab.Files{"Dockerfile": from + "COPY missing.txt /\n", "missing.txt": "x", ".dockerignore": "*.txt\n"})
	lab.Contains(t, out, ": step [2/2] COPY: missing.txt is committed, but .dockerignore leaves it out; add the line !missing.txt at its end")
	out = a.Rejected(lab.Files{"Dockerfile": "", "Dockerfile.prod": from, "backend/Dockerfile": from})
	lab.Contains(t, out, "it has no Dockerfile in its root, but Dockerfile.prod, backend/Dockerfile; to build Dockerfile.prod: ssh ", " builder-dockerfile:set "+a.Name+" dockerfile-path Dockerfile.prod")
}

// TestKeepGitDir: a build gets a .git folder if that is set, from a push, where the commit is
// not in the repository yet, and from ps:rebuild.
func TestKeepGitDir(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	needs := lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nCOPY .git/index /git/\nCMD [\"/server\"]\n"}
	lab.Contains(t, a.Rejected(needs), "COPY: .git/index is not there: a build has no .git folder, unless that is set: ", " git:set "+a.Name+" keep-git-dir true")
	l.Dokku("git:set", a.Name, "keep-git-dir", "true")
	a.Push(lab.Files{"more": "1"})
	a.Serves(a.Tip("main"))
	l.Dokku("ps:rebuild", a.Name)
	a.Serves(a.Tip("main"))
	if _, err := os.Stat(a.Dir("dokku", "git-dir")); !os.IsNotExist(err) {
		t.Errorf("the build's .git folder is left on the server: %v", err)
	}
	a.Push(lab.Files{".dockerignore": ".git\n", "Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nCMD [\"/server\"]\n"})
	l.Dokku("git:set", a.Name, "keep-git-dir")
	lab.Contains(t, a.Rejected(lab.Files{"Dockerfile": needs["Dockerfile"], ".dockerignore": ""}), "COPY: .git/index is not there")
}
