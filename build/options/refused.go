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
func (p Phase) refusal(name string) error {
	if p != Build {
		return p.processRefusal(name)
	}
	for _, r := range refused {
		if slices.Contains(r.names, name) {
			return fmt.Errorf("%s is not supported for builds: %s", name, r.instead)
		}
	}
	return fmt.Errorf("%q is not an option of docker build that is supported here: %s", shown(name),
		strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
}

// refusedProcess are the options of `docker run` without an effect here, and what to use
// instead.
var refusedProcess = []struct {
	names   []string
	instead string
}{
	{[]string{"--publish", "-p", "--publish-all", "-P", "--expose"}, "a fixed port of the host can have one process only, so no deploy could start the new one beside the old one; nginx takes the port: " +
		"dokku ports:set APP http:80:5000"},
	{[]string{"--memory-swap", "--memory-swappiness"}, "use dokku resource:limit APP --memory 512m --memory-swap 1g"},
	{[]string{"--cpu-period", "--cpu-quota"}, "use --cpus 0.5, or dokku resource:limit APP --cpu 0.5"},
	{[]string{"--network", "--net", "--network-alias", "--net-alias", "--link", "--ip", "--ip6", "--mac-address"}, "use dokku network:set APP attach-post-create NETWORK"},
	{[]string{"--env", "-e", "--env-file"}, "use dokku config:set APP NAME=VALUE"},
	{[]string{"--label-file"}, "write each label: --label NAME=VALUE"},
	{[]string{"--stop-timeout"}, "use dokku ps:set APP stop-timeout-seconds 30"},
	{[]string{"--entrypoint", "--workdir", "-w"}, "write ENTRYPOINT and WORKDIR into the Dockerfile, or a command into the Procfile"},
	{[]string{"--health-cmd", "--health-interval", "--health-retries", "--health-timeout", "--health-start-period", "--health-start-interval", "--no-healthcheck"},
		"write HEALTHCHECK into the Dockerfile, or healthchecks into app.json, which deploys wait for"},
	{[]string{"--device-cgroup-rule", "--device-read-bps", "--device-write-bps", "--gpus", "--privileged", "--runtime", "--group-add", "--sysctl", "--userns", "--volumes-from"},
		"it would give the app rights over the server; run such a program in a container of your own (docker run) and let the app reach it by a network: dokku network:set APP attach-post-create NETWORK"},
	{[]string{"--pid", "--ipc", "--uts", "--cgroupns", "--cgroup-parent", "--isolation", "--oom-kill-disable", "--oom-score-adj"},
		"each container has its own view of the server and its place among the others"},
	{[]string{"--cpu-shares", "-c", "--cpuset-cpus", "--cpuset-mems", "--cpu-rt-period", "--cpu-rt-runtime", "--kernel-memory", "--blkio-weight", "--pids-limit"},
		"use dokku resource:limit APP --cpu 0.5, or --ulimit nproc=N for the number of processes"},
	{[]string{"--log-driver"}, "logs and failed deploys read json-file; set its size: --log-opt max-size=20m"},
	{[]string{"--dns", "--dns-search", "--dns-option", "--dns-opt", "--domainname", "--hostname", "-h"}, "the engine resolves names, as its daemon.json says; add one: --add-host NAME:ADDRESS"},
	{[]string{"--storage-opt", "--volume-driver"}, "use dokku storage:mount APP VOLUME:DIR with a volume that you make (docker volume create)"},
	{[]string{"--name", "--detach", "-d", "--rm", "--tty", "-t", "--interactive", "-i", "--attach", "-a", "--cidfile", "--sig-proxy", "--detach-keys", "--pull", "--platform", "--disable-content-trust", "--quiet", "-q"},
		"dokku decides how containers are named, started and removed"},
	{[]string{"--build-arg", "--no-cache", "--secret", "--target", "--ssh", "--file", "-f"}, "it is an option of the phase build: dokku docker-options:add APP build OPTION"},
}

func (p Phase) processRefusal(name string) error {
	for _, r := range refusedProcess {
		if slices.Contains(r.names, name) {
			return fmt.Errorf("%s is not supported for containers: %s", name, r.instead)
		}
	}
	return fmt.Errorf("%q is not an option of docker run that is supported here: %s", shown(name),
		strings.Join(slices.Sorted(maps.Keys(processKinds)), ", "))
}
