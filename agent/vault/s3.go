package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"dokku/agent/remote"
)

const (
	amazon = "https://s3.amazonaws.com"
	// partSize is the size in bytes of the parts of an upload, which are held in memory.
	partSize = 8 << 20
	// mostParts is the largest number of parts of one upload, as S3 has it.
	mostParts = 10_000
)

// bucket is a Place in S3.
type bucket struct {
	client *minio.Client
	name   string
	folder string
}

func openS3(a Access, name, folder string) (Place, error) {
	endpoint := cmp.Or(a.Endpoint, amazon)
	if err := CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	transport, err := minio.DefaultTransport(u.Scheme == "https")
	if err != nil {
		return nil, err
	}
	if a.Public {
		transport.DialContext = remote.DialPublic
		transport.Proxy = nil
	}
	o := minio.Options{Secure: u.Scheme == "https", Region: a.Region, Transport: http.RoundTripper(transport), MaxRetries: 3,
		Creds: credentials.NewStaticV4(a.Key, a.Secret, "")}
	switch {
	case a.IAM:
		o.Creds = credentials.NewIAM("")
	case a.Key == "" || a.Secret == "":
		return nil, ErrNoAccess
	}
	if a.Endpoint != "" && !strings.HasSuffix(u.Hostname(), ".amazonaws.com") {
		o.BucketLookup = minio.BucketLookupPath // others rarely have a host name for each bucket
	}
	c, err := minio.New(u.Host, &o)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", endpoint, err)
	}
	return &bucket{client: c, name: name, folder: folder}, nil
}

func (b *bucket) object(name string) string { return path.Join(b.folder, name) }

// explained makes S3's own words shorter, and says what can be done.
func (b *bucket) explained(err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	at := b.client.EndpointURL().String()
	switch r.Code {
	case "NoSuchKey":
		return ErrNone
	case "NoSuchBucket":
		return fmt.Errorf("%s has no bucket %s: create it there", at, b.name)
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled":
		return fmt.Errorf("%s refuses the access key for the bucket %s (%s): give it a valid one with the right to put, get, list and delete", at, b.name, r.Code)
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%s refuses this server's time: set its clock (%s)", at, r.Code)
	}
	return fmt.Errorf("%s, bucket %s: %w", at, b.name, err)
}

func (b *bucket) Put(ctx context.Context, name string, r io.Reader, expected int64) error {
	part := max(partSize, uint64(2*expected/mostParts))
	_, err := b.client.PutObject(ctx, b.name, b.object(name), r, -1, minio.PutObjectOptions{
		PartSize: part, NumThreads: 1, ContentType: "application/octet-stream",
		// Some services do not know checksums in trailers, and all know this.
		SendContentMd5: true,
	})
	return b.explained(err)
}

func (b *bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.name, b.object(name), minio.GetObjectOptions{})
	if err != nil {
		return nil, b.explained(err)
	}
	return &object{o, b}, nil
}

// object is an open object, with the bucket's errors.
type object struct {
	*minio.Object
	bucket *bucket
}

func (o *object) Read(p []byte) (int, error) {
	n, err := o.Object.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = o.bucket.explained(err)
	}
	return n, err
}

func (b *bucket) List(ctx context.Context, below string) (list []File, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the listing at an error
	defer cancel()
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.object(below) + "/"}) {
		if o.Err != nil {
			return nil, b.explained(o.Err)
		}
		if strings.HasSuffix(o.Key, "/") {
			continue // a folder
		}
		name := strings.TrimPrefix(strings.TrimPrefix(o.Key, b.folder), "/")
		list = append(list, File{Name: name, Size: o.Size})
	}
	slices.SortFunc(list, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (b *bucket) Remove(ctx context.Context, name string) error {
	err := b.client.RemoveObject(ctx, b.name, b.object(name), minio.RemoveObjectOptions{})
	if err == nil {
		// The parts of an upload that was cut short cost as much as others, and are not listed.
		c, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		err = b.client.RemoveIncompleteUpload(c, b.name, b.object(name))
	}
	if code := minio.ToErrorResponse(err).Code; code == "NoSuchKey" || code == "NoSuchBucket" || code == "NoSuchUpload" || code == "NotImplemented" {
		err = nil
	}
	return b.explained(err)
}
