package buildkit

import (
	"encoding/json"
	"fmt"
	"io"

	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/proto"
)

// The ids of the messages that an engine sends about a BuildKit build.
const (
	idTrace = "moby.buildkit.trace"
	idImage = "moby.image.id"
)

// message is one of the engine's answers: a piece of progress, the id of the
// image, or why there is none.
type message struct {
	status *control.StatusResponse
	image  string
	err    string
}

type messageReader struct{ d *json.Decoder }

func newMessages(r io.Reader) *messageReader { return &messageReader{json.NewDecoder(r)} }

// next returns the next message, or io.EOF at the end.
func (r *messageReader) next() (message, error) {
	var raw struct {
		ID          string          `json:"id"`
		Aux         json.RawMessage `json:"aux"`
		Error       string          `json:"error"`
		ErrorDetail struct {
			Message string `json:"message"`
		} `json:"errorDetail"`
	}
	if err := r.d.Decode(&raw); err != nil {
		return message{}, err
	}
	m := message{err: raw.ErrorDetail.Message}
	if m.err == "" {
		m.err = raw.Error
	}
	switch raw.ID {
	case idTrace:
		var b []byte
		if err := json.Unmarshal(raw.Aux, &b); err != nil {
			return m, fmt.Errorf("progress is not base64: %w", err)
		}
		m.status = &control.StatusResponse{}
		if err := proto.Unmarshal(b, m.status); err != nil {
			return m, fmt.Errorf("progress is no status: %w", err)
		}
	case idImage:
		var image struct{ ID string }
		if err := json.Unmarshal(raw.Aux, &image); err != nil {
			return m, fmt.Errorf("the image's id is no id: %w", err)
		}
		m.image = image.ID
	}
	return m, nil
}
