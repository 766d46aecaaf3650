package notify

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"imageferry/internal/manifest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

// The tokens and secrets are made up; the one of json is the example of Standard Webhooks.
const (
	token      = "TOKENfake0123456789"
	chatSecret = "SECfake0123456789"
	jsonSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

var target = manifest.Destination{Region: "cn-hangzhou", Bucket: "golden-images", Prefix: "nightly", Format: "qcow2"}

func failed() *manifest.Manifest {
	return &manifest.Manifest{
		Schema:      manifest.SchemaV1,
		Revision:    9,
		State:       manifest.Failed,
		Reason:      "task-failed",
		Remedy:      "Read the detail: ECS's task failed; it is tried again until FERRY_MAX_ATTEMPTS.",
		Detail:      "task t-bp1fake: TaskFailed: Disk I/O error & more",
		CreatedAt:   now.Add(-5 * time.Hour),
		UpdatedAt:   now.Add(-time.Minute),
		Destination: target,
		Image:       manifest.Image{ID: "m-bp1fake", Name: "web-golden_2026.11"},
		Attempts: []manifest.Attempt{
			{Number: 1, StartedAt: now.Add(-5 * time.Hour)}, {Number: 2, StartedAt: now.Add(-84 * time.Minute)},
		},
	}
}

func exported() *manifest.Manifest {
	m := failed()
	m.State, m.Reason, m.Remedy, m.Detail, m.Revision = manifest.Exported, "", "", "", 3
	m.Image.Name = "数据库-黄金镜像"
	m.Objects = []manifest.Object{{Size: 12 << 30}, {Size: 345 << 20}}
	return m
}

// hostile is what somebody writes into names who wants to be seen.
func hostile() *manifest.Manifest {
	m := failed()
	m.Image.Name = "<!channel> <!all> @all @here <@U0001> <at user_id=\"all\">x</at> [x](https://evil.example) *b* `c` \u202egnp\u0000"
	m.Image.ID = "m-@all<!here>"
	m.Detail = "first\nImage: forged\r\n<https://evil.example|click> http://evil.example www.evil.example \u2028&lt;!here&gt; \xff"
	m.Remedy = "<font color=\"red\">\u200b@\u200ball</font>"
	m.Reason = "<@userid>"
	m.Destination.Prefix = "@all"
	return m
}

func settings(f Format, url string) Settings {
	s := Settings{
		URL: url, Format: f, On: []manifest.State{manifest.Failed, manifest.Exported}, PageURL: "https://ferry.example.com/",
		ManifestBucket: "golden-records", Layout: "imageferry/",
	}
	switch f {
	case JSON:
		s.Secret = jsonSecret
	case DingTalk, Feishu:
		s.Secret = chatSecret
	}
	return s
}
