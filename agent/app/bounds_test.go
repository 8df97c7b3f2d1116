package app

import (
	"strings"
	"testing"

	"dokku/build/options"
)

// An operator gave one process more memory than the server has, or logs that fill its disk.
func TestBoundsOfOperators(t *testing.T) {
	old := hostMemory
	hostMemory = func() int64 { return 8 << 30 }
	t.Cleanup(func() { hostMemory = old })
	v := View{App: &App{Name: "hello"}}
	check := func(what string, err error, want string) {
		t.Helper()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", what, got, want)
		}
	}
	const more = ", the most that an operator's key may give: ask an admin to set it, or to raise that: dokku isolation:set --global max-memory "
	check("half", v.CheckMaxMemory(4<<30), "")
	check("more", v.CheckMaxMemory(4<<30+1), "it is more than 4096m"+more+"4097m")
	check("a terabyte", v.CheckMaxMemory(1000<<30), "it is more than 4096m"+more+"1000g")
	check("options", v.CheckMaxOptions(options.Container{Memory: 5 << 30}), "--memory: it is more than 4096m"+more+"5g")
	check("reservation", v.CheckMaxOptions(options.Container{Reservation: 5 << 30}), "--memory-reservation: it is more than 4096m"+more+"5g")
	v.Settings.Isolation = map[string]string{PropMaxMemory: "5g"}
	check("as an admin says", v.CheckMaxOptions(options.Container{Memory: 5 << 30}), "")
	v.Settings.Isolation = nil
	v.State.Scheduler = map[string]string{"selected": "swarm"}
	if v.Scheduler() == SchedulerLocal {
		t.Fatal("no swarm")
	}
	check("on a swarm", v.CheckMaxMemory(1000<<30), "")

	for server, sizes := range map[string]string{"": "50m 51200k", "20m": "50m", "1g": "1g 1024m", LogUnlimited: "1000g unlimited"} {
		v.Settings.Logs = map[string]string{LogMaxSize: server}
		for size := range strings.FieldsSeq(sizes) {
			check(size+" of "+server, v.CheckMaxLog(size), "")
		}
	}
	const most = ", the most that an operator's key may give: ask an admin to run it"
	for server, sizes := range map[string]string{"50m": "51m 1000g unlimited", "1g": "1025m unlimited"} {
		v.Settings.Logs = map[string]string{LogMaxSize: server}
		for size := range strings.FieldsSeq(sizes) {
			check(size+" of "+server, v.CheckMaxLog(size), size+" is more than "+server+most)
		}
	}
	v.Settings.Logs = nil
	check("options", v.CheckMaxOptions(options.Container{LogSize: "1000g"}), "--log-opt max-size: 1000g is more than 50m"+most)
	check("options", v.CheckMaxOptions(options.Container{Settings: options.Settings{LogFiles: 11}}), "--log-opt max-file: 11 is more than 10"+most)
	check("options", v.CheckMaxOptions(options.Container{LogSize: "20m", Settings: options.Settings{LogFiles: 10}}), "")
}
