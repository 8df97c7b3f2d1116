package dockerfile

import (
	"slices"
	"testing"
)

// TestExposedPorts: the order is that of the file, of the last stage and the stages
// that it builds on.
func TestExposedPorts(t *testing.T) {
	for _, c := range []struct {
		name, file string
		args       map[string]string
		want       []int
	}{
		{"first", "FROM scratch\nEXPOSE 8080\nEXPOSE 2222\n", nil, []int{8080, 2222}},
		{"one line", "FROM scratch\nEXPOSE 9229 3000 443\n", nil, []int{9229, 3000, 443}},
		{"none", "FROM scratch\nCMD run\n", nil, nil},
		{"udp", "FROM scratch\nEXPOSE 53/udp\nEXPOSE 5353/UDP 8080/TCP 80/sctp\n", nil, []int{8080}},
		{"range", "FROM scratch\nEXPOSE 8000-8002 8001 80\n", nil, []int{8000, 8001, 8002, 80}},
		{"case and twice", "from scratch\nexpose 9000\nExpose 80\nEXPOSE 9000/tcp\n", nil, []int{9000, 80}},
		{"continued", "FROM scratch\nEXPOSE 9000 \\\n# comment\n  80\n", nil, []int{9000, 80}},
		{"host port", "FROM scratch\nEXPOSE 8080:9000 80\n", nil, []int{9000, 80}},
		{"not a port", "FROM scratch\nEXPOSE http 70000 0 9000 80\n", nil, []int{9000, 80}},
		{"last stage", "FROM golang AS build\nEXPOSE 6060\nFROM scratch\nEXPOSE 9000\nEXPOSE 80\n", nil, []int{9000, 80}},
		{"last stage has none", "FROM golang AS build\nEXPOSE 6060\nFROM scratch\nCOPY --from=build /a /a\n", nil, nil},
		{"inherited", "FROM node AS Base\nEXPOSE 9000\nFROM base\nEXPOSE 80\n", nil, []int{9000, 80}},
		{"inherited twice", "FROM node AS a\nEXPOSE 9000\nFROM a AS b\nEXPOSE 8000\nFROM other\nEXPOSE 1\nFROM b\nEXPOSE 80\n", nil, []int{9000, 8000, 80}},
		{"name used again", "FROM node AS a\nEXPOSE 9000\nFROM a AS a\nEXPOSE 80\nFROM a\n", nil, []int{9000, 80}},
		{"ARG", "FROM scratch\nARG PORT=9000\nEXPOSE $PORT 80\n", nil, []int{9000, 80}},
		{"ARG given", "FROM scratch\nARG PORT=9000\nEXPOSE ${PORT} 80\n", map[string]string{"PORT": "7000"}, []int{7000, 80}},
		{"not declared", "FROM scratch\nEXPOSE ${PORT} 80\n", map[string]string{"PORT": "7000"}, []int{80}},
		{"default", "FROM scratch\nARG PORT\nEXPOSE ${PORT:-9000} 80\n", nil, []int{9000, 80}},
		{"global ARG", "ARG PORT=9000\nFROM scratch\nARG PORT\nEXPOSE $PORT 80\n", nil, []int{9000, 80}},
		{"global ARG is not in a stage", "ARG PORT=9000\nFROM scratch\nEXPOSE $PORT 80\n", nil, []int{80}},
		{"ARG of ARG", "FROM scratch\nARG A=90\nARG B=${A}00\nEXPOSE $B/tcp 80\n", nil, []int{9000, 80}},
		{"ENV", "FROM scratch\nENV PORT=9000 X=1\nEXPOSE $PORT 80\n", nil, []int{9000, 80}},
		{"ENV wins over ARG", "FROM scratch\nENV PORT 9000\nARG PORT=80\nEXPOSE $PORT 80\n", nil, []int{9000, 80}},
		{"ENV of ARG", "FROM scratch\nARG P=9000\nENV PORT=$P\nEXPOSE $PORT 80\n", map[string]string{"P": "7000"}, []int{7000, 80}},
		{"ENV later", "FROM scratch\nENV PORT=9000\nEXPOSE $PORT\nENV PORT=80\nEXPOSE $PORT\n", nil, []int{9000, 80}},
		{"ENV inherited", "FROM node AS a\nENV PORT=9000\nFROM a\nEXPOSE $PORT 80\n", nil, []int{9000, 80}},
		{"two in one", "FROM scratch\nENV PORTS=\"9000 80\"\nEXPOSE $PORTS\n", nil, []int{9000, 80}},
		{"FROM ARG", "ARG BASE=prod\nFROM node AS prod\nEXPOSE 9000\nFROM node AS dev\nEXPOSE 1\nFROM ${BASE}\nEXPOSE 80\n", nil, []int{9000, 80}},
		{"FROM ARG given", "ARG BASE=prod\nFROM node AS prod\nEXPOSE 9000\nFROM node AS dev\nEXPOSE 7000\nFROM $BASE\nEXPOSE 80\n",
			map[string]string{"BASE": "dev"}, []int{7000, 80}},
		{"escape", "# escape=`\nFROM scratch\nEXPOSE 9000 `\n  80\n", nil, []int{9000, 80}},
		{"heredoc", "# syntax=docker/dockerfile:1\nFROM scratch\nRUN <<EOF\nEXPOSE 1\nEOF\nEXPOSE 9000 80\n", nil, []int{9000, 80}},
		{"not for the last line", "FROM scratch\nONBUILD EXPOSE 1\nLABEL x=\"EXPOSE 2\"\nEXPOSE 9000 80", nil, []int{9000, 80}},
		{"Windows", "\ufeffFROM scratch\r\nEXPOSE 9000\r\nEXPOSE 80\r\n", nil, []int{9000, 80}},
		{"broken", "FROM scratch\nEXPOSE \"$PORT\nRUN <<EOF\n", nil, nil},
		{"not a Dockerfile", "", nil, nil},
		{"before FROM", "EXPOSE 80\n", nil, nil},
	} {
		if got, err := exposedPorts([]byte(c.file), outside{args: c.args}); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestExposedPortsOfTarget: the stage that is built has the ports, by its name or its number.
func TestExposedPortsOfTarget(t *testing.T) {
	const file = "FROM node AS Base\nEXPOSE 9000\nFROM base AS dev\nEXPOSE 9229\nFROM base\nEXPOSE 80\nFROM scratch AS none\n"
	for target, want := range map[string][]int{"": nil, "base": {9000}, "DEV": {9000, 9229}, "2": {9000, 80}, "0": {9000}, "none": nil, "4": nil, "-1": nil, "x": nil} {
		if got, err := exposedPorts([]byte(file), outside{target: target}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", target, got, want)
		}
	}
}

// FuzzExposedPorts: whatever a Dockerfile says, its ports are ports, each once.
func FuzzExposedPorts(f *testing.F) {
	f.Add("FROM scratch AS a\nARG P=80\nENV X=$P\nEXPOSE $X/tcp 8000-8002\nFROM a\nEXPOSE 443\n", "P", "81")
	f.Add("# escape=`\nARG B=a\nFROM ${B:-x}\nEXPOSE `\n 1\n", "B", "")
	f.Fuzz(func(t *testing.T, file, name, value string) {
		seen := map[int]bool{}
		ports, _ := exposedPorts([]byte(file), outside{args: map[string]string{name: value}, target: name})
		for _, p := range ports {
			if p < 1 || p > 65535 || seen[p] {
				t.Errorf("port %d", p)
			}
			seen[p] = true
		}
	})
}

// FuzzUses: no Dockerfile ends the program that looks for what it uses, or has more looked up
// than may be.
func FuzzUses(f *testing.F) {
	f.Add("FROM dokku/sh${TARGETOS:+op}\nADD http://${A}/x /\nONBUILD RUN --mount=type=cache,id=a,target=/x <<E\nCOPY --from=b c d\nE\n", "A", "127.0.0.1")
	f.Add("ARG A=b\nFROM ${A#b*} AS c\nFROM c\nARG TARGETSTAGE\nCOPY --from=$TARGETSTAGE x y\n", "A", "")
	f.Fuzz(func(t *testing.T, file, name, value string) {
		uses, err := usesOf([]byte(file), outside{args: map[string]string{name: value}, platform: value})
		for _, u := range uses {
			if err != nil || u.line < 1 || u.text == "" {
				t.Errorf("%+v, %v", u, err)
			}
		}
		if len(uses) > 2*maxWork/useWork {
			t.Errorf("%d uses", len(uses))
		}
	})
}
