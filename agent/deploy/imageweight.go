package deploy

import (
	"fmt"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// The most that the configuration of an app's image may have beside app.PropMaxImagePorts. The
// engine makes each of its volumes with each container, and sends all of its labels with each
// list of containers, which the agent reads every few seconds: an app that runs hundreds of
// processes multiplies them. Buildpacks write tens of KiB of their own notes into labels.
const (
	maxImageVolumes    = 32
	maxImageLabels     = 128
	maxImageLabelBytes = 64 << 10
	maxImageConfig     = 256 << 10
)

// light refuses an image whose containers would keep the engine busy for all apps: with four
// containers that expose 65535 ports each, it takes 10 seconds to list containers, and 40 to
// start one.
func light(v app.View, w engine.ImageWeight) error {
	most, err := v.PSNumber(app.PropMaxImagePorts)
	if err != nil {
		return err
	}
	if w.Ports > most {
		return fmt.Errorf("the image exposes %d ports, more than %d; EXPOSE fewer in the Dockerfile, or use another base image, or: dokku ps:set %s %s NUMBER",
			w.Ports, most, v.Name, app.PropMaxImagePorts)
	}
	for _, limit := range []struct {
		has, most int
		unit, fix string
	}{
		{w.Volumes, maxImageVolumes, "volumes", "remove VOLUME lines from the Dockerfile"},
		{w.Labels, maxImageLabels, "labels", "remove LABEL lines from the Dockerfile"},
		{w.LabelBytes, maxImageLabelBytes, "bytes of labels", "shorten the LABEL lines of the Dockerfile"},
		{w.Bytes, maxImageConfig, "bytes of configuration", "shorten ENV and the other lines of the Dockerfile that every container gets"},
	} {
		if limit.has > limit.most {
			return fmt.Errorf("the image has %d %s, more than %d; %s, or use another base image", limit.has, limit.unit, limit.most, limit.fix)
		}
	}
	return nil
}
