package ossd_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// listAll follows the pages to the end and returns keys and common prefixes in the order of their pages.
func listAll(t testing.TB, b *oss.Bucket, options ...oss.Option) (keys, prefixes []string, pages int) {
	t.Helper()
	for token := ""; ; pages++ {
		page, err := b.ListObjectsV2(append(options, oss.ContinuationToken(token))...)
		noError(t, err)
		for _, o := range page.Objects {
			keys = append(keys, o.Key)
		}
		prefixes = append(prefixes, page.CommonPrefixes...)
		if !page.IsTruncated {
			if page.NextContinuationToken != "" {
				t.Error("the last page has a token")
			}
			return keys, prefixes, pages + 1
		}
		token = page.NextContinuationToken
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	stored := []string{"a", "a/1", "a/2", "a/b/3", "a0", "b/x", "b/y", "c&<>+ %", "é", "\U0001F600"}
	for _, key := range slices.Backward(stored) {
		noError(t, b.PutObject(key, strings.NewReader(key)))
	}
	for name, tc := range map[string]struct {
		options  []oss.Option
		keys     []string
		prefixes []string
	}{
		"all":                    {nil, stored, nil},
		"prefix":                 {[]oss.Option{oss.Prefix("a/")}, []string{"a/1", "a/2", "a/b/3"}, nil},
		"prefix without match":   {[]oss.Option{oss.Prefix("zzz")}, nil, nil},
		"delimiter":              {[]oss.Option{oss.Delimiter("/")}, []string{"a", "a0", "c&<>+ %", "é", "\U0001F600"}, []string{"a/", "b/"}},
		"prefix and delimiter":   {[]oss.Option{oss.Prefix("a/"), oss.Delimiter("/")}, []string{"a/1", "a/2"}, []string{"a/b/"}},
		"start after a key":      {[]oss.Option{oss.StartAfter("a/2")}, stored[3:], nil},
		"start after no key":     {[]oss.Option{oss.StartAfter("a/15")}, stored[2:], nil},
		"start after in a group": {[]oss.Option{oss.StartAfter("a/1"), oss.Delimiter("/")}, []string{"a0", "c&<>+ %", "é", "\U0001F600"}, []string{"a/", "b/"}},
		"start before a prefix":  {[]oss.Option{oss.StartAfter("a"), oss.Prefix("b/")}, []string{"b/x", "b/y"}, nil},
		"start behind a prefix":  {[]oss.Option{oss.StartAfter("c"), oss.Prefix("b/")}, nil, nil},
	} {
		for limit := 1; limit <= 4; limit++ {
			t.Run(fmt.Sprintf("%s by %d", name, limit), func(t *testing.T) {
				t.Parallel()
				keys, prefixes, pages := listAll(t, b, append([]oss.Option{oss.MaxKeys(limit)}, tc.options...)...)
				if !slices.Equal(keys, tc.keys) || !slices.Equal(prefixes, tc.prefixes) {
					t.Errorf("listed %q and %q, want %q and %q", keys, prefixes, tc.keys, tc.prefixes)
				}
				if want := max(1, (len(keys)+len(prefixes)+limit-1)/limit); pages != want {
					t.Errorf("%d pages, want %d", pages, want)
				}
			})
		}
	}
}

func TestListingDefaultsAndLimits(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	for i := range 101 {
		noError(t, c.oss.PutObjectAs(t.Context(), c.admin, bucket, fmt.Sprintf("%03d", i), nil))
	}
	page, err := b.ListObjectsV2()
	noError(t, err)
	if len(page.Objects) != 100 || !page.IsTruncated || page.MaxKeys != 100 || page.Objects[0].Owner.ID != "" {
		t.Errorf("%d objects, truncated %t, max-keys %d, owner %q", len(page.Objects), page.IsTruncated, page.MaxKeys, page.Objects[0].Owner.ID)
	}
	for name, option := range map[string]oss.Option{
		"no keys": oss.MaxKeys(0), "too many keys": oss.MaxKeys(1001), "foreign token": oss.ContinuationToken("*"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.ListObjectsV2(option)
			wantError(t, err, http.StatusBadRequest, "InvalidArgument")
		})
	}
	for encoding, want := range map[string]string{"": "<Key>000</Key>", "base64": "InvalidArgument"} {
		params := map[string]any{"list-type": "2", "encoding-type": encoding}
		answer, err := b.Client.Conn.Do("GET", bucket, "", params, nil, nil, 0, nil)
		if answer == nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		noError(t, err)
		noError(t, answer.Body.Close())
		if !strings.Contains(string(body), want) {
			t.Errorf("encoding %q is answered %.300s", encoding, body)
		}
	}
	_, err = b.ListObjects()
	wantError(t, err, http.StatusNotImplemented, "NotImplemented")
}

// A page that is read while keys come and go never repeats a key and never misses one that was there all the time.
func TestListingSurvivesWritesBetweenPages(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	var stay []string
	for i := range 50 {
		key := fmt.Sprintf("%03d/stays", i)
		stay = append(stay, key)
		noError(t, b.PutObject(key, strings.NewReader("")))
	}
	var seen []string
	for token, i := "", 0; ; i++ {
		page, err := b.ListObjectsV2(oss.MaxKeys(7), oss.ContinuationToken(token))
		noError(t, err)
		for _, o := range page.Objects {
			seen = append(seen, o.Key)
		}
		if !page.IsTruncated {
			break
		}
		token = page.NextContinuationToken
		last := seen[len(seen)-1]
		noError(t, b.PutObject(last+"+", strings.NewReader("")))
		noError(t, b.DeleteObject(fmt.Sprintf("%03d/gone", i)))
		noError(t, b.PutObject("000/late", strings.NewReader("")))
	}
	if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Errorf("keys are repeated or out of order: %q", seen)
	}
	for _, key := range stay {
		if !slices.Contains(seen, key) {
			t.Errorf("%s is missing", key)
		}
	}
}
