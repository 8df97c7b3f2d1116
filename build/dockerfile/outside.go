package dockerfile

import (
	"maps"
	"runtime"
	"strings"
)

// outside is what gives a Dockerfile values that it does not have itself.
type outside struct {
	args map[string]string // of build arguments, by name
	// target is the stage that is built, "" for the last one; platform is the image's, such as
	// "linux/arm64", "" for the engine's own.
	target, platform string
}

// targetStage is a variable that BuildKit has had since its Dockerfile 1.14 alone.
const targetStage = "TARGETSTAGE"

// variables are those that a file has before its first line: BuildKit's own, unless a build
// argument has the name. https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
func (o outside) variables() map[string]string {
	all := map[string]string{}
	set := func(prefix, platform string) {
		parts := append(strings.SplitN(platform, "/", 3), "", "")
		all[prefix+"PLATFORM"], all[prefix+"OS"], all[prefix+"ARCH"], all[prefix+"VARIANT"] = platform, parts[0], parts[1], parts[2]
	}
	own := "linux/" + runtime.GOARCH
	if runtime.GOARCH == "arm" {
		own += "/v7"
	}
	set("BUILD", own)
	set("TARGET", own)
	if o.platform != "" {
		set("TARGET", o.platform)
	}
	all[targetStage] = "default"
	if o.target != "" {
		all[targetStage] = o.target
	}
	for name := range all {
		if value, ok := o.args[name]; ok {
			all[name] = value
		}
	}
	return all
}

// readings are the variables for each reading of a file: whoever uses one that only some engines have
// may name another image on the others.
func (o outside) readings(content []byte) []map[string]string {
	all := o.variables()
	if !strings.Contains(string(content), targetStage) {
		return []map[string]string{all}
	}
	older := maps.Clone(all)
	delete(older, targetStage)
	return []map[string]string{all, older}
}
