package export

import (
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

func TestPreflightOfImage(t *testing.T) {
	t.Parallel()
	data := func(n, size int) func(*manifest.Image) {
		return func(i *manifest.Image) {
			for range n {
				i.Disks = append(i.Disks, manifest.Disk{Device: "/dev/xvdx", Type: "data", SizeGiB: size})
			}
		}
	}
	status := func(s string) func(*manifest.Image) { return func(i *manifest.Image) { i.Status = s } }
	for name, c := range map[string]struct {
		change func(*manifest.Image)
		state  manifest.State
		reason string
	}{
		"good":                     {func(*manifest.Image) {}, manifest.Exporting, ""},
		"four data disks":          {data(4, 500), manifest.Exporting, ""},
		"five data disks":          {data(5, 40), manifest.Skipped, imageDisks},
		"a data disk too large":    {data(1, 501), manifest.Skipped, imageDisks},
		"a large system disk":      {func(i *manifest.Image) { i.Disks[0].SizeGiB = 2048 }, manifest.Exporting, ""},
		"encrypted system disk":    {func(i *manifest.Image) { i.Disks[0].Encrypted = true }, manifest.Skipped, imageEncrypted},
		"Creating":                 {status("Creating"), manifest.Queued, imageNotAvailable},
		"Waiting":                  {status("Waiting"), manifest.Queued, imageNotAvailable},
		"a status of the future":   {status("Optimizing"), manifest.Queued, imageNotAvailable},
		"CreateFailed":             {status("CreateFailed"), manifest.Skipped, imageCreateFailed},
		"UnAvailable":              {status("UnAvailable"), manifest.Skipped, imageUnavailable},
		"Deprecated":               {status("Deprecated"), manifest.Skipped, imageDeprecated},
		"Windows":                  {func(i *manifest.Image) { i.OSType = "windows" }, manifest.Skipped, imageWindows},
		"Windows, spelled so":      {func(i *manifest.Image) { i.OSType = "Windows" }, manifest.Skipped, imageWindows},
		"product code":             {func(i *manifest.Image) { i.ProductCode = "cmjj000001" }, manifest.Skipped, imageMarketplace},
		"owned by the Marketplace": {func(i *manifest.Image) { i.OwnerAlias = "marketplace" }, manifest.Skipped, imageMarketplace},
		"public":                   {func(i *manifest.Image) { i.OwnerAlias = "system" }, manifest.Skipped, imageNotOwned},
		"shared":                   {func(i *manifest.Image) { i.OwnerAlias = "others" }, manifest.Skipped, imageNotOwned},
		"of another account":       {func(i *manifest.Image) { i.AccountID = "6543210987654321" }, manifest.Skipped, imageNotOwned},
		"owner not told":           {func(i *manifest.Image) { i.AccountID, i.OwnerAlias = "", "" }, manifest.Exporting, ""},
		"shared and Creating":      {func(i *manifest.Image) { i.OwnerAlias, i.Status = "others", "Creating" }, manifest.Skipped, imageNotOwned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1", c.change)
				w.wantResult(w.submit("m-1"), c.state, c.reason)
				head := w.wantHead("m-1", c.state, c.reason)
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
				if c.reason == "" {
					return
				}
				w.wantCalls(opExport, 0)
				if head.Detail == "" || len(head.Attempts) != 0 || head.Image.Name == "" {
					t.Errorf("head is %+v", head)
				}
			})
		})
	}
}

func TestPreflightOfBucket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Bucket)
		reason string
	}{
		"good":                  {func(*Bucket) {}, ""},
		"nothing told":          {func(b *Bucket) { *b = Bucket{Name: b.Name} }, ""},
		"IA":                    {func(b *Bucket) { b.StorageClass = "IA" }, ""},
		"SSE None":              {func(b *Bucket) { b.SSEAlgorithm = "None" }, ""},
		"another region":        {func(b *Bucket) { b.Location = "oss-cn-beijing" }, bucketWrongRegion},
		"another account":       {func(b *Bucket) { b.OwnerID = "6543210987654321" }, bucketNotOwned},
		"everybody may write":   {func(b *Bucket) { b.ACL = "public-read-write" }, bucketPublicWrite},
		"everybody may read":    {func(b *Bucket) { b.ACL = "public-read" }, bucketPublicRead},
		"encrypted by KMS":      {func(b *Bucket) { b.SSEAlgorithm = "KMS" }, bucketEncrypted},
		"encrypted by AES256":   {func(b *Bucket) { b.SSEAlgorithm = "AES256" }, bucketEncrypted},
		"Archive":               {func(b *Bucket) { b.StorageClass = "Archive" }, bucketArchive},
		"ColdArchive":           {func(b *Bucket) { b.StorageClass = "ColdArchive" }, bucketArchive},
		"region before archive": {func(b *Bucket) { b.Location, b.StorageClass = "oss-cn-beijing", "Archive" }, bucketWrongRegion},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.settings.ManifestBucket = "manifests"
				w.cloud.buckets["manifests"] = goodBucket("manifests")
				bad := goodBucket("golden-images")
				c.change(&bad)
				w.cloud.buckets["golden-images"] = bad
				w.add("m-1")
				if c.reason == "" {
					w.wantResult(w.submit("m-1"), manifest.Exporting, "")
					return
				}
				w.wantResult(w.submit("m-1"), manifest.Queued, c.reason)
				w.wantCalls(opExport, 0)
				w.wantHold(c.reason)
				// Once repaired it heals by itself.
				w.cloud.buckets["golden-images"] = goodBucket("golden-images")
				w.pass(3 * time.Minute)
				w.wantHead("m-1", manifest.Exporting, "")
				w.wantHold("")
			})
		})
	}
}

func (w *world) wantHold(reason string) {
	w.Helper()
	hold, err := manifest.NewIndex(w.store, testLayout).Hold(w.Context())
	switch {
	case err != nil:
		w.Fatal(err)
	case reason == "" && hold != nil, reason != "" && (hold == nil || hold.Reason != reason || hold.Remedy == ""):
		w.Fatalf("hold is %+v, want %q", hold, reason)
	}
}

func TestBucketThatIsMissing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings.ManifestBucket = "manifests"
		w.cloud.buckets["manifests"] = goodBucket("manifests")
		delete(w.cloud.buckets, "golden-images")
		w.add("m-1")
		w.wantResult(w.submit("m-1"), manifest.Queued, bucketNotFound)
		w.wantHold(bucketNotFound)
	})
}

func TestPublicReadMayBeAllowed(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings.AllowPublicRead = true
		public := goodBucket("golden-images")
		public.ACL = "public-read"
		w.cloud.buckets["golden-images"] = public
		w.add("m-1")
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
	})
}

// The looks of the preflight may fail in their own ways.
func TestPreflightThatCannotLook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op     string
		err    error
		reason string
	}{
		"no answer about the image":  {opImage, lost(opImage), ecsUnavailable},
		"image forbidden":            {opImage, &CallError{Op: opImage, Status: 403, Code: "Forbidden.RAM", Message: "no"}, permissionDenied},
		"image throttled":            {opImage, &CallError{Op: opImage, Status: 400, Code: "Throttling.User", Message: "slow"}, throttled},
		"credentials":                {opImage, &CallError{Op: opImage, Status: 404, Code: "InvalidAccessKeyId.NotFound", Message: "no"}, credentialsRefused},
		"no answer about the bucket": {opBucket, lost(opBucket), ossUnavailable},
		"bucket forbidden":           {opBucket, &CallError{Op: opBucket, Status: 403, Code: "AccessDenied", Message: "no"}, bucketForbidden},
		"OSS in trouble":             {opBucket, &CallError{Op: opBucket, Status: 503, Code: "TryLater", Message: "later"}, ossUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.fault(c.op, false, c.err, 0)
				w.wantResult(w.submit("m-1"), manifest.Queued, c.reason)
				w.wantCalls(opExport, 0)
				if head := w.head("m-1"); len(head.Attempts) != 0 || head.Failures != 0 {
					t.Errorf("head is %+v", head)
				}
				w.noFault()
				w.pass(2 * time.Minute)
				w.wantHead("m-1", manifest.Exporting, "")
			})
		})
	}
}

// A bucket that was found good is not asked about again for a minute; one that was not is.
func TestBucketIsRemembered(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.add("m-2")
		w.add("m-3")
		w.submit("m-1")
		w.submit("m-2")
		w.wantCalls(opBucket, 1)
		time.Sleep(bucketTTL)
		bad := goodBucket("golden-images")
		bad.SSEAlgorithm = "KMS"
		w.cloud.buckets["golden-images"] = bad
		w.wantResult(w.submit("m-3"), manifest.Queued, bucketEncrypted)
		w.wantCalls(opBucket, 2)
		w.cloud.buckets["golden-images"] = goodBucket("golden-images")
		time.Sleep(w.settings.RetryDelay)
		w.drain()
		w.wantHead("m-3", manifest.Exporting, "")
		w.wantCalls(opBucket, 3)
	})
}

// On a versioned bucket create-only writes mean nothing: nothing may be exported, and the event has to come again.
func TestVersionedManifestBucket(t *testing.T) {
	t.Parallel()
	for _, versioning := range []string{"Enabled", "Suspended"} {
		for _, bucket := range []string{"golden-images", "manifests"} {
			t.Run(versioning+" "+bucket, func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					w.settings.ManifestBucket = bucket
					versioned := goodBucket(bucket)
					versioned.Versioning = versioning
					w.cloud.buckets[bucket] = versioned
					w.add("m-1")
					_, err := w.ferry().Submit(w.Context(), Order{ImageID: "m-1", Trigger: w.trigger("event")})
					if err == nil || !strings.Contains(err.Error(), "FERRY_MANIFEST_BUCKET") || !strings.Contains(err.Error(), bucketVersioned) {
						t.Errorf("error is %v", err)
					}
					time.Sleep(2 * time.Minute)
					if _, err := w.ferry().Drain(w.Context()); err == nil {
						t.Error("the drain goes on")
					}
					w.wantCalls(opExport, 0)
				})
			})
		}
	}
}

// The export bucket may be versioned, if the manifests are elsewhere.
func TestVersionedExportBucket(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings.ManifestBucket = "manifests"
		w.cloud.buckets["manifests"] = goodBucket("manifests")
		versioned := goodBucket("golden-images")
		versioned.Versioning = "Enabled"
		w.cloud.buckets["golden-images"] = versioned
		w.add("m-1")
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
	})
}
