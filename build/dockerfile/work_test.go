package dockerfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestWork: somebody pushes a small Dockerfile whose variables, stages, ports or documents take
// the server's memory or minutes of its processors before any build begins.
func TestWork(t *testing.T) {
	doubled := "FROM scratch\nARG A0=xxxxxxxx\n"
	for i := range 40 {
		doubled += fmt.Sprintf("ARG A%d=$A%d$A%d\n", i+1, i, i)
	}
	stages := "FROM scratch AS a\n"
	for i := range 2000 {
		stages += fmt.Sprintf("ENV V%d=x\n", i)
	}
	stages += strings.Repeat("FROM a AS a\n", 15000)
	names := ""
	for i := range 8000 {
		names += fmt.Sprintf("FROM i%d\n", i)
	}
	for _, c := range []struct{ name, file, want string }{
		{"doubled values", doubled, "too much work"},
		{"one long word", "FROM scratch\nENV A=" + strings.Repeat("x", 4000) + "\nEXPOSE " + strings.Repeat("$A", 20000) + "\n", "too much work"},
		{"replacements", "FROM scratch\nENV A=" + strings.Repeat("x", 4000) + "\nEXPOSE ${A//x/" + strings.Repeat("y", 50000) + "}\n", "too much work"},
		{"words in words", "FROM scratch\nEXPOSE " + strings.Repeat("${A:-\\\n", 20000) + "\n", "more than 65536"},
		{"many images", names, "too much work"},
		{"ranges of stages", strings.Repeat("FROM scratch\nEXPOSE 1-65535\n", 1000), "too much work"},
		{"ranges of UDP", "FROM scratch\n" + strings.Repeat("EXPOSE 1-65535/udp\n", 1000), ""},
		{"triggers in triggers", "FROM scratch\n" + strings.Repeat("ONBUILD ", 30000) + "RUN x\n", "ONBUILD occurs 30000 times, more than 200"},
		{"ranges", "FROM scratch\n" + strings.Repeat("EXPOSE 1-65535\n", 1000), ""},
		{"stages", stages, ""},
	} {
		_, err := exposedPorts([]byte(c.file), outside{})
		if err == nil {
			_, err = usesOf([]byte(c.file), outside{})
		}
		if e := (*workError)(nil); c.want == "" && err != nil || c.want != "" && (!errors.As(err, &e) || !strings.Contains(e.text, c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestWorkOfHonestFiles: large files that people write are read as before.
func TestWorkOfHonestFiles(t *testing.T) {
	file := "ARG VERSION=1.2.3\n"
	for i := range 60 {
		file += fmt.Sprintf("FROM golang:${VERSION} AS s%d\nARG VERSION\nENV PATH=/opt/s%d/bin:$PATH\n", i, i)
		file += strings.Repeat("RUN --mount=type=cache,target=/root/.cache go build ${VERSION%.*}\n", 10)
	}
	file += "RUN <<EOF\n" + strings.Repeat("echo $HOME/of/the/build\n", 2000) + "EOF\nEXPOSE 3000-3010\n"
	ports, err := exposedPorts([]byte(file), outside{})
	if err != nil || len(ports) != 11 {
		t.Errorf("%v, %v", ports, err)
	}
	if uses, err := usesOf([]byte(file), outside{}); err != nil || len(uses) < 600 {
		t.Errorf("%d uses, %v", len(uses), err)
	}
}
