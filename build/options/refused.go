package options

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// refused are the options of `docker build` without an effect here, and what to use
// instead, by their long and short names.
var refused = []struct {
	names   []string
	instead string
}{
	{[]string{"--ssh"}, "a build gets no key of the server; put a key of its own into the config and mount it: --secret id=KEY,env=KEY"},
	{[]string{"--file", "-f"}, "set the path: dokku builder-dockerfile:set APP dockerfile-path FILE"},
	{[]string{"--tag", "-t"}, "dokku names the image itself"},
	{[]string{"--env", "-e"}, "a Dockerfile takes values as build arguments: --build-arg NAME"},
	{[]string{"--volume", "-v", "--mount"}, "a build mounts no folder of the server; a step can keep one of its own: RUN --mount=type=cache,target=DIR"},
	{[]string{"--network"}, "the steps of all builds run in the engine's default network"},
	{[]string{"--cache-from", "--cache-to"}, "the engine keeps the steps of each build itself"},
	{[]string{"--memory", "-m", "--memory-swap", "--cpu-period", "--cpu-quota", "--cpu-shares", "-c", "--cpuset-cpus", "--cpuset-mems", "--cgroup-parent", "--ulimit", "--shm-size"},
		"BuildKit has no limits for one build"},
	{[]string{"--output", "-o", "--push", "--load", "--builder", "--progress", "--quiet", "-q", "--metadata-file", "--iidfile"}, "dokku decides where the image and the output go"},
	{[]string{"--allow", "--security-opt", "--privileged", "--cap-add", "--device"}, "the steps of a build get no rights over the server"},
	{[]string{"--build-context"}, "a build has the files of the repository; clone others in a step, or add them as a submodule's files"},
	{[]string{"--pull"}, "write the digest of the base image, or remove it on the server (docker image rm) to have it pulled again"},
	{[]string{"--rm", "--force-rm", "--squash", "--compress", "--isolation", "--disable-content-trust"}, "it belongs to docker's old builder, and BuildKit builds"},
	{[]string{"--attest", "--provenance", "--sbom", "--annotation", "--call", "--check", "--debug", "-D"}, "it has no effect on the image that runs"},
}

// refusal is the error of an option without an effect.
func refusal(name string) error {
	for _, r := range refused {
		if slices.Contains(r.names, name) {
			return fmt.Errorf("%s is not supported for builds: %s", name, r.instead)
		}
	}
	return fmt.Errorf("%q is not an option of docker build that is supported here: %s", shown(name),
		strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
}

// processes are options of `docker run` that people give for the phases deploy and run,
// and the command that sets the same.
var processes = []struct {
	names   []string
	instead string
}{
	{[]string{"--volume", "-v", "--mount"}, "dokku storage:mount APP SOURCE:DIR"},
	{[]string{"--memory", "-m", "--memory-swap", "--cpus"}, "dokku resource:limit APP --memory 512m --cpu 0.5"},
	{[]string{"--memory-reservation"}, "dokku resource:reserve APP --memory 256m"},
	{[]string{"--network", "--net", "--link"}, "dokku network:set APP attach-post-create NETWORK"},
	{[]string{"--env", "-e", "--env-file"}, "dokku config:set APP NAME=VALUE"},
	{[]string{"--publish", "-p", "--expose"}, "dokku ports:set APP http:80:5000"},
	{[]string{"--restart"}, "dokku ps:set APP restart-policy on-failure:10"},
	{[]string{"--init"}, "dokku ps:set APP init true"},
	{[]string{"--stop-timeout"}, "dokku ps:set APP stop-timeout-seconds 30"},
	{[]string{"--entrypoint"}, "ENTRYPOINT in the Dockerfile, or a command in the Procfile"},
}

// ForProcesses is the error of options for the containers that run an app, by the words
// of the command line: only builds have options yet.
func ForProcesses(phase, app string, args []string) error {
	only := fmt.Sprintf("Phase %s has no options yet, only build has", phase)
	words, _ := split(args)
	for _, word := range words {
		name, _, _ := strings.Cut(word, "=")
		for _, p := range processes {
			if slices.Contains(p.names, name) {
				return fmt.Errorf("%s; instead of %s: %s", only, name, strings.Replace(p.instead, "APP", app, 1))
			}
		}
	}
	return fmt.Errorf("%s; storage:mount, resource:limit, network:set, ports:set, config:set and ps:set change the processes", only)
}
