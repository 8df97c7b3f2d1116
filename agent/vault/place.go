package vault

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"dokku/agent/disk"
)

// A Place holds files. All implementations pass the suite in place_test.go.
type Place interface {
	// Put stores what r gives. The file is there once all of it is stored, or not at all.
	// expected is the size in bytes that is likely; 0: unknown.
	Put(ctx context.Context, name string, r io.Reader, expected int64) error
	// Get opens a file. The error is ErrNone for a missing one, here or at the first Read.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List returns the files of a folder, sorted by name, without those of folders in it.
	List(ctx context.Context, folder string) ([]File, error)
	// Remove removes a file, and what an interrupted Put of it has left. A missing one is no
	// error.
	Remove(ctx context.Context, name string) error
}

// File is a file of a place. Size is in bytes.
type File struct {
	Name string
	Size int64
}

// Access is how a place in S3 is reached.
type Access struct {
	Key    string `json:"key,omitempty"`
	Secret string `json:"secret,omitempty"`
	Region string `json:"region,omitempty"`
	// Endpoint is the URL of the service; "": Amazon's.
	Endpoint string `json:"endpoint,omitempty"`
	// IAM: Key and Secret come from the machine's role.
	IAM bool `json:"iam,omitempty"`
	// Public: the endpoint has to be on the public internet, since somebody without a shell of
	// this server named it.
	Public bool `json:"public,omitempty"`
}

// bucketForm is the form of a bucket's name
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

const s3Scheme = "s3://"

// CheckPlace returns an error unless place is s3://BUCKET[/FOLDER] or the path of a folder.
func CheckPlace(place string) error {
	_, _, err := splitPlace(place)
	return err
}

// InS3 reports whether a valid place is in S3.
func InS3(place string) bool { return strings.HasPrefix(place, s3Scheme) }

// splitPlace returns the bucket and the folder in it; bucket is "" for a folder of this host.
func splitPlace(place string) (bucket, folder string, err error) {
	rest, remote := strings.CutPrefix(place, s3Scheme)
	if !remote {
		if !filepath.IsAbs(place) || filepath.Clean(place) != place || place == "/" || hasControl(place) {
			return "", "", fmt.Errorf("%.80q is no place for backups: name a bucket, s3://BUCKET or s3://BUCKET/FOLDER, or a folder of this server, /var/backups/dokku", place)
		}
		return "", place, nil
	}
	bucket, folder, _ = strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	if !bucketForm.MatchString(bucket) || hasControl(folder) || len(folder) > 500 || strings.Contains("/"+folder+"/", "//") && folder != "" ||
		strings.Contains("/"+folder+"/", "/../") || strings.Contains("/"+folder+"/", "/./") {
		return "", "", fmt.Errorf("%.80q is no place for backups: write s3://BUCKET or s3://BUCKET/FOLDER; a bucket has 3 to 63 of a-z, 0-9, '.' and '-'", place)
	}
	return bucket, folder, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}

// CheckEndpoint returns an error unless endpoint is the URL of a service, without a path.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.User == nil {
		return nil
	}
	return fmt.Errorf("%.80q is no endpoint of S3: write its URL, such as https://s3.eu-central-1.amazonaws.com or http://10.0.0.5:9000", endpoint)
}

// Open returns the place of a plan.
func Open(p Plan) (Place, error) { return open(p, disk.Disk{}) }

func open(p Plan, d disk.Disk) (Place, error) {
	bucket, dir, err := splitPlace(p.Place)
	switch {
	case p.Place == "":
		return nil, ErrNoPlace
	case err != nil:
		return nil, err
	case bucket == "":
		return folder{dir, d}, nil
	}
	return openS3(p.Access, bucket, dir)
}
