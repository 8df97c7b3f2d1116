package checks

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// Failures of an answer. Their start is what the page began with, for the report.
type (
	statusError struct {
		text  string
		start start
	}
	contentError struct {
		content string
		read    int64
		start   start
	}
)

func (e statusError) Error() string { return e.text }

func (e contentError) Error() string {
	if e.read >= maxBody {
		return fmt.Sprintf("the first %d MiB of the answer do not hold %q", maxBody>>20, clip(e.content))
	}
	return fmt.Sprintf("the answer does not hold %q", clip(e.content))
}

// answer judges a response that is no redirect.
func answer(resp *http.Response, content string) error {
	var begin start
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text := http.StatusText(resp.StatusCode)
		if text == "" {
			text = "not a 2xx status"
		}
		io.Copy(&begin, io.LimitReader(resp.Body, shownBytes+1)) // as much as there is before an error
		return statusError{text, begin}
	}
	if content == "" {
		return nil
	}
	read, found, err := search(io.TeeReader(io.LimitReader(resp.Body, maxBody), &begin), []byte(content))
	if found {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the answer breaks off: %w", readable(err))
	}
	return contentError{content, read, begin}
}

const (
	// shown is the number of characters of an answer that a report has.
	shown      = 200
	shownBytes = shown * utf8.UTFMax
)

// start keeps the first shownBytes+1 bytes that are written to it.
type start struct{ data []byte }

func (s *start) Write(p []byte) (int, error) {
	s.data = append(s.data, p[:min(len(p), shownBytes+1-len(s.data))]...)
	return len(p), nil
}

// String is the first characters in quotes, with line ends and control characters as
// escapes: an app's bytes never reach a terminal as they are.
func (s start) String() string {
	if len(s.data) == 0 {
		return "is empty"
	}
	rest := s.data
	for n := 0; n < shown && len(rest) > 0; n++ {
		_, size := utf8.DecodeRune(rest)
		rest = rest[size:]
	}
	quoted := strconv.Quote(string(s.data[:len(s.data)-len(rest)]))
	if len(rest) > 0 {
		return "begins with " + quoted + "..."
	}
	return "is " + quoted
}

// answered describes the answer that failed the check; "" if there was none.
func (f *Failure) answered() string {
	if f.ended || len(f.Attempts) == 0 {
		return ""
	}
	err := f.Attempts[len(f.Attempts)-1].Err
	var status statusError
	var content contentError
	switch {
	case errors.As(err, &status):
		return "the answer " + status.start.String()
	case errors.As(err, &content):
		return "the answer " + content.start.String()
	}
	return ""
}
