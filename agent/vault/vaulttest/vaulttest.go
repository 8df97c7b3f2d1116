// Package vaulttest runs a server of S3 for tests.
package vaulttest

import (
	"context"
	"net/http"
	"net/http/httptest"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// The server's only access key and bucket.
const (
	Key    = "KEY"
	Secret = "SECRET"
	Bucket = "backups"
)

// S3 starts a server that checks signatures. It returns its URL. wrap may change how it
// answers; nil: nothing does.
func S3(wrap func(http.Handler) http.Handler) (url string, end func(), err error) {
	backend := s3mem.New()
	if err := backend.CreateBucket(context.Background(), Bucket); err != nil {
		return "", nil, err
	}
	h := gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{Key: Secret})).Server()
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	return s.URL, s.Close, nil
}
