package options

import (
	"reflect"
	"strings"
	"testing"
)

// TestContainers: the options of a process type replace those of all types that set the same.
func TestContainers(t *testing.T) {
	lines := func(text string) []string {
		list, err := Deploy.Parse([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		return stored(list)
	}
	base := lines("--ulimit nofile=1:2 --ulimit nproc=-1 --shm-size 64 --add-host db:192.0.2.1 --cap-drop cap_net_raw --cap-add sys_ptrace --label a=b=c --log-opt max-size=5m " +
		"--log-opt max-file=4 --stop-signal quit --tmpfs /tmp/ --tmpfs /run:ro -u 5 --read-only --security-opt no-new-privileges --restart on-failure:3 --device /dev/fuse -v data:/data/:ro")
	own := lines("--ulimit nofile=9 --init --mount type=bind,src=/a/../b,dst=/b,readonly --tmpfs /tmp:size=1m")
	got, err := Deploy.Containers(base, own)
	want := Container{
		Settings: Settings{Ulimits: map[string][2]int64{"nofile": {9, 9}, "nproc": {-1, -1}}, ShmSize: 64, Hosts: []string{"db:192.0.2.1"},
			CapAdd: []string{"SYS_PTRACE"}, CapDrop: []string{"NET_RAW"}, Devices: []string{"/dev/fuse"}, Labels: map[string]string{"a": "b=c"}, LogFiles: 4,
			StopSignal: "quit", Tmpfs: map[string]string{"/tmp": "size=1m", "/run": "ro"}, User: "5", ReadOnly: true, NoNewPrivileges: true},
		Mounts:  []Mount{{"data", "/data", true}, {"/b", "/b", true}},
		Restart: "on-failure:3", Init: true, LogSize: "5m",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v, error %v", got, want, err)
	}
	for _, same := range []string{"--tmpfs /data", "--mount source=x1,target=/data/"} {
		if _, err := Deploy.Containers(base, lines(same)); err == nil || !strings.Contains(err.Error(), "have the same path in the container") {
			t.Errorf("%s: %v", same, err)
		}
	}
	if _, err := Run.Containers([]string{"--restart always"}, nil); err == nil {
		t.Error("a one-off command may be restarted")
	}
}

// TestParseContainers: what no container may have is refused with what is wrong.
func TestParseContainers(t *testing.T) {
	for text, want := range map[string]string{
		"--shm-size 0":                             "it is not a size",
		"--shm-size 9999999t":                      "it is not a size",
		"--ulimit nofile=5:4":                      "a limit is a name, a soft and a hard number",
		"--ulimit nice=1":                          "go before those of others",
		"--user -x":                                "it is not a user",
		"--restart sometimes":                      "a policy is",
		"--stop-signal SIGSTOP":                    "it freezes a process instead of ending it",
		"--stop-signal tstp":                       "it freezes a process instead of ending it",
		"--stop-signal 21":                         "it freezes a process instead of ending it",
		"--stop-signal 65":                         "it is not the name or number of a signal",
		"--tmpfs tmp":                              "begins with /",
		"--tmpfs /":                                "the root of the image",
		"--tmpfs /t:suid":                          `"suid" is not one of`,
		"-v /a:/b:z":                               "a mount is SOURCE:DIR",
		"-v a/b:/c":                                "its source is neither",
		"-v data:/sys/x":                           "/sys belongs to the kernel",
		"--mount type=bind,src=x,dst=/y":           "its source is neither",
		"--mount type=bind,src=xy,dst=/y":          "type is bind for a folder",
		"--mount type=volume,src=/x,dst=/y":        "type is bind for a folder",
		"--mount type=tmpfs,dst=/y":                "write it as --tmpfs",
		"--mount src=xy,dst=/y,propagation=shared": `"propagation=shared" is not a part of a mount`,
		"--device /dev/../etc/passwd":              "a device is its path",
		"--device /etc/passwd":                     "a device is its path",
		"--cap-drop a-b":                           "it is not the name of a capability",
		"--log-opt max-file=0":                     "a log has 1 to 100 files",
		"--add-host db:nowhere":                    "it needs a name and an IP address, or host-gateway",
		"--label com.dokku.x=1":                    "are dokku's own",
		"--init=false":                             "takes no value",
		"--gpus all":                               "rights over the server",
		"-p 80:80":                                 "dokku ports:set",
		"--build-arg A=1":                          "an option of the phase build",
	} {
		if _, err := Deploy.Parse([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// FuzzParseContainers: what is accepted is stored and read as the same.
func FuzzParseContainers(f *testing.F) {
	f.Add("--ulimit nofile=1:2 --shm-size 1g --tmpfs /a:size=1m -v data:/b")
	f.Add("--mount type=bind,src=/a,dst=/b,ro --label a='b c' --device /dev/fuse:r --log-opt max-size=1m")
	f.Fuzz(func(t *testing.T, line string) {
		list, err := Deploy.Parse([]string{line})
		if err != nil {
			return
		}
		lines, err := Deploy.Add(nil, list)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		again, err := Deploy.Read(lines)
		if err != nil || !reflect.DeepEqual(stored(again), lines) || len(again) != len(list) {
			t.Errorf("%q is stored as %q, which is read as %q, %v", line, lines, again, err)
		}
		_, _ = Deploy.Containers(lines, nil)
	})
}
