package doctor_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/doctor"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/manifest"
	"imageferry/policy"
)

func TestMain(m *testing.M) { os.Exit(goleakRun(m)) }

func goleakRun(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return code
}

const (
	exportsBucket   = "imageferry-exports"
	manifestsBucket = "imageferry-manifests"
	exportRole      = "AliyunECSImageExportDefaultRole"
	functionRole    = "imageferry"
)

// A clinic is an embedded cloud with an account in it, and a doctor.
type clinic struct {
	*localcloud.Cloud
	t       *testing.T
	keys    account.Identity // that the doctor calls with
	config  config.Config
	options doctor.Options
	session *alicloud.Session
	store   manifest.Store
	layout  manifest.Layout
	at      manifest.Destination
	journal *manifest.Journal
	index   *manifest.Index
	images  []string // that are exported
}

// past is when the exports of a healthy account were made: long enough ago for everything to have come to rest.
const past = -2 * time.Hour

// bare is an account without anything in it.
func bare(t *testing.T) *clinic {
	t.Helper()
	cloud, err := localcloud.Start(localcloud.Options{Speed: 1_000_000, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	c := &clinic{Cloud: cloud, t: t, keys: cloud.Administrator}
	c.config, err = config.Parse(map[string]string{
		"FERRY_BUCKET": exportsBucket, "FERRY_MANIFEST_BUCKET": manifestsBucket, "FERRY_PREFIX": "images",
	})
	if err != nil {
		t.Fatal(err)
	}
	c.layout = manifest.Layout(c.config.ManifestPrefix)
	c.at = c.config.Settings(cloud.Region, cloud.Directory.ID()).Destination
	c.session = c.openAs(cloud.Administrator)
	c.store = c.session.OSS.Store(manifestsBucket)
	c.journal, c.index = manifest.NewJournal(c.store, c.layout), manifest.NewIndex(c.store, c.layout)
	return c
}

// healthy is an account in which everything was deployed and has worked.
func healthy(t *testing.T) *clinic {
	t.Helper()
	c := bare(t)
	for _, name := range []string{exportsBucket, manifestsBucket} {
		if err := c.OSS.CreateBucket(ossd.BucketSpec{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust), c.policy(policy.ExportPermissions))
	c.Directory.PutRole(functionRole, c.policy(policy.FunctionTrust), c.policy(policy.FunctionPermissions))
	ferry := c.ferry(past)
	c.images = []string{c.export(ferry, ecsd.Image{Name: "web"}), c.export(ferry, ecsd.Image{Name: "db", Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 40}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 20},
	}})}
	c.beat(0)
	return c
}

// ferry is the domain with a clock that is off.
func (c *clinic) ferry(off time.Duration) *export.Ferry {
	settings := c.config.Settings(c.Region, c.Directory.ID())
	return export.New(c.session.Cloud(manifestsBucket), settings, export.NewBucketMemory(),
		func() time.Time { return time.Now().Add(off) }, slog.New(slog.DiscardHandler))
}

// beat leaves the traces of both timers, as of some time from now.
func (c *clinic) beat(off time.Duration) {
	c.ferry(off).Beat(c.t.Context(), []export.Round{{Action: "follow"}, {Action: "drain"}, {Action: "sweep"}}, "req-1", false)
}

// export carries out an export from beginning to end.
func (c *clinic) export(ferry *export.Ferry, image ecsd.Image) string {
	c.t.Helper()
	id := c.submit(ferry, image)
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	for {
		if _, err := ferry.Follow(ctx); err != nil {
			c.t.Fatal(err)
		}
		m, err := ferry.Get(ctx, id)
		if err != nil {
			c.t.Fatal(err)
		}
		if m.State == manifest.Exported {
			return id
		}
		if m.State.Terminal() {
			c.t.Fatalf("%s is %s: %s", id, m.State, m.Detail)
		}
	}
}

func (c *clinic) submit(ferry *export.Ferry, image ecsd.Image) string {
	c.t.Helper()
	id := c.ECS.AddImage(image)
	if _, err := ferry.Submit(c.t.Context(), export.Order{ImageID: id, Explicit: true, Trigger: manifest.Trigger{Kind: "cli"}}); err != nil {
		c.t.Fatal(err)
	}
	return id
}

func (c *clinic) policy(name string) account.Policy {
	c.t.Helper()
	text, err := policy.Render(name, policy.Vars{
		Region: c.Region, AccountID: c.Directory.ID(), Bucket: exportsBucket, ManifestBucket: manifestsBucket,
		ManifestPrefix: c.config.ManifestPrefix, FailureQueue: "imageferry-failed",
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.parse(string(text))
}

func (c *clinic) parse(text string) account.Policy {
	c.t.Helper()
	p, err := account.ParsePolicy([]byte(text))
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// without is a policy without an action.
func (c *clinic) without(name, action string) account.Policy {
	p := c.policy(name)
	statements := p.Statement
	p.Statement = nil
	for _, s := range statements {
		var kept account.Strings
		for _, a := range s.Action {
			if a != action {
				kept = append(kept, a)
			}
		}
		if s.Action = kept; len(kept) > 0 {
			p.Statement = append(p.Statement, s)
		}
	}
	return p
}

func (c *clinic) alicloud(keys account.Identity) alicloud.Options {
	transport := alicloud.NewTransport()
	c.t.Cleanup(transport.CloseIdleConnections)
	return alicloud.Options{
		Region:      c.Region,
		AccountID:   c.Directory.ID(),
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret}),
		ECSEndpoint: "http://" + c.Endpoints.ECS,
		OSSEndpoint: "http://" + c.Endpoints.OSS,
		HTTP:        transport,
		Backoff:     alicloud.Backoff{First: time.Microsecond, Max: time.Microsecond},
	}
}

func (c *clinic) openAs(keys account.Identity) *alicloud.Session {
	c.t.Helper()
	session, err := alicloud.Open(c.alicloud(keys))
	if err != nil {
		c.t.Fatal(err)
	}
	return session
}

// examine runs the doctor with the clinic's keys and options.
func (c *clinic) examine() (doctor.Report, error) {
	c.t.Helper()
	options := c.alicloud(c.keys)
	session := c.openAs(c.keys)
	accounts, err := alicloud.OpenAccount(options, "http://"+c.Endpoints.STS, "http://"+c.Endpoints.RAM)
	if err != nil {
		c.t.Fatal(err)
	}
	o := c.options
	o.Config = c.config
	if o.Region == "" {
		o.Region = c.Region
	}
	return doctor.New(doctor.Cloud{
		Identities: accounts, Roles: accounts, Compute: session.ECS, Storage: session.OSS,
		Store: session.OSS.Store(c.config.ManifestBucket), Exports: session.OSS.Unpacking(c.config.Bucket),
	}, o).Run(c.t.Context())
}

// put writes an object of the manifest bucket over whatever is there.
func (c *clinic) put(key, text string) {
	c.t.Helper()
	if err := c.store.Put(c.t.Context(), key, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clinic) remove(key string) {
	c.t.Helper()
	if err := c.store.Delete(c.t.Context(), key); err != nil {
		c.t.Fatal(err)
	}
}

// append writes another revision of an export, and nothing else.
func (c *clinic) append(id string, change func(*manifest.Manifest)) *manifest.Manifest {
	c.t.Helper()
	head, err := c.journal.Head(c.t.Context(), c.at, id)
	if err != nil {
		c.t.Fatal(err)
	}
	next := head.Clone()
	next.Revision++
	change(next)
	if err := c.journal.Append(c.t.Context(), next); err != nil {
		c.t.Fatal(err)
	}
	return next
}

// mark enters what a revision calls for into the index.
func (c *clinic) mark(m *manifest.Manifest) {
	c.t.Helper()
	marker, ok := manifest.MarkerOf(m)
	if !ok {
		c.t.Fatal("a terminal revision has no marker")
	}
	if err := c.index.Put(c.t.Context(), marker); err != nil {
		c.t.Fatal(err)
	}
}

// object is the key of the exported system disk of an image.
func (c *clinic) object(id string) string { return "images_" + id + "_system.raw.tar.gz" }

// finding is the first one of a check that has the status, else the first one of the check.
func finding(r doctor.Report, check string, status doctor.Status) (doctor.Finding, bool) {
	var first doctor.Finding
	found := false
	for _, f := range r.Findings {
		if f.Check != check {
			continue
		}
		if f.Status == status {
			return f, true
		}
		if !found {
			first, found = f, true
		}
	}
	return first, found
}

func text(t *testing.T, r doctor.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
