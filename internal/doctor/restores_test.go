package doctor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imageferry/internal/doctor"
	"imageferry/internal/localcloud"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/policy"
)

// restoring is a healthy account whose function restores.
func restoring(t *testing.T) *clinic {
	t.Helper()
	c := healthy(t)
	c.config.Restore = true
	c.Directory.PutRole(functionRole, c.policy(policy.FunctionTrust), c.policy(policy.FunctionPermissions), c.policy(policy.RestorePermissions))
	c.Directory.PutRole(localcloud.ImportRole, c.policy(policy.ImportTrust), c.policy(policy.ImportPermissions))
	return c
}

// restored writes the first revision of a restore as it was at a time from now, with its entry in the index.
func (c *clinic) restored(off time.Duration, change func(*restore.Record)) {
	c.t.Helper()
	source, err := c.journal.Head(c.t.Context(), c.at, c.images[0])
	if err != nil {
		c.t.Fatal(err)
	}
	at := time.Now().Add(off).UTC()
	r := &restore.Record{
		Revision: 1, State: restore.Queued, DueAt: &at, CreatedAt: at, UpdatedAt: at, BegunAt: at, Region: c.Region, Name: "web-restored",
		ID: "0123456789abcdef", Source: source, Disks: []restore.Disk{{Role: "system", Key: "k", Format: "RAW"}},
	}
	change(r)
	c.put(c.layout.Open(c.Region, manifest.Open{BegunAt: at, Name: r.Name, ID: r.ID}), "")
	journal := restore.NewJournal(c.store, c.layout)
	if err := errors.Join(journal.Append(c.t.Context(), r), journal.Publish(c.t.Context(), r)); err != nil {
		c.t.Fatal(err)
	}
}

func TestRestores(t *testing.T) {
	t.Parallel()
	const day = -24 * time.Hour
	for name, c := range map[string]struct {
		plant        func(*clinic)
		check        string
		status       doctor.Status
		seen, repair string
	}{
		"healthy":        {func(*clinic) {}, "restores", doctor.OK, "0 restores at work", ""},
		"nothing left":   {func(*clinic) {}, "restore-leftovers", doctor.OK, "nothing is left", ""},
		"import role":    {func(*clinic) {}, "import-role-permissions", doctor.OK, "all 3 things", ""},
		"permissions":    {func(*clinic) {}, "restore-permissions", doctor.OK, "all 10 things", ""},
		"no import role": {func(c *clinic) { c.Directory.DeleteRole(localcloud.ImportRole) }, "import-role", doctor.Problem, "does not exist", "CreateRole --RoleName " + localcloud.ImportRole},
		"import role trust": {func(c *clinic) {
			c.Directory.PutRole(localcloud.ImportRole, c.policy(policy.FunctionTrust), c.policy(policy.ImportPermissions))
		}, "import-role-trust", doctor.Problem, "ecs.aliyuncs.com may not", "UpdateRole"},
		"no permissions": {func(c *clinic) {
			c.Directory.PutRole(functionRole, c.policy(policy.FunctionTrust), c.policy(policy.FunctionPermissions))
		}, "restore-permissions", doctor.Problem, "it lacks ecs:ImportImage", "CreatePolicy --PolicyName imageferry-restore"},
		"at work": {func(c *clinic) { c.restored(0, func(*restore.Record) {}) }, "restores", doctor.OK, "1 restore at work", ""},
		"forgotten": {func(c *clinic) { c.restored(day, func(*restore.Record) {}) },
			"restores", doctor.Problem, "is queued, and nobody goes on", "imageferry restore m-"},
		"to be repaired": {func(c *clinic) {
			c.restored(0, func(r *restore.Record) { r.Reason, r.Remedy = "import-role-missing", "Create the role." })
		}, "restores", doctor.Problem, "import-role-missing", "Create the role."},
		"died": {func(c *clinic) {
			c.restored(day, func(r *restore.Record) {
				r.State, r.DueAt, r.Lease, r.Rehearsal = restore.Preparing, nil, &manifest.Lease{Until: r.UpdatedAt}, true
			})
		}, "restores", doctor.Problem, "is preparing", "--rehearse"},
		"imports for ever": {func(c *clinic) {
			c.restored(2*day, func(r *restore.Record) {
				r.State, r.DueAt, r.Image = restore.Importing, nil, &restore.Imported{ID: "m-new", TaskID: "t-1"}
			})
		}, "restores", doctor.Problem, "has been importing m-new", "DescribeTaskAttribute"},
		"index emptied": {func(c *clinic) {
			c.restored(0, func(*restore.Record) {})
			c.emptyRestores()
		}, "restores", doctor.OK, "1 restore at work; the next round writes their index anew", ""},
		"index emptied, temporary object in use": {func(c *clinic) {
			c.restored(0, func(*restore.Record) {})
			c.emptyRestores()
			c.temporary("imageferry/restore/0123456789abcdef/disk.raw")
		}, "restore-leftovers", doctor.OK, "nothing", ""},
		"not in a whole index": {func(c *clinic) {
			c.restored(day, func(r *restore.Record) { due := time.Now(); r.DueAt = &due })
			c.emptyRestores()
			c.put(c.layout.OpenComplete(c.Region), "")
		}, "restores", doctor.Problem, "the index does not have it", "ossutil rm oss://"},
		"unreadable": {func(c *clinic) {
			c.put(c.layout.Restores(c.Region)+"broken.json", "{")
			c.put(c.layout.RestoreJournal(c.Region, "broken")+"00000001.json", "{")
		}, "restores", doctor.Problem, "unreadable", "list --restores"},
		"temporary object": {func(c *clinic) {
			c.temporary("imageferry/restore/fedcba9876543210/disk.raw")
		}, "restore-leftovers", doctor.Problem, "1 temporary object with 4 bytes and 0 unfinished uploads", "ossutil rm"},
		"temporary object in use": {func(c *clinic) {
			c.restored(0, func(*restore.Record) {})
			c.temporary("imageferry/restore/0123456789abcdef/disk.raw")
		}, "restore-leftovers", doctor.OK, "nothing", ""},
		"upload": {func(c *clinic) {
			if _, err := c.session.OSS.Unpacking(exportsBucket).Begin(c.t.Context(), "imageferry/restore/fedcba9876543210/disk.raw"); err != nil {
				c.t.Fatal(err)
			}
		}, "restore-leftovers", doctor.Problem, "1 unfinished upload belong", "-m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clinic := restoring(t)
			c.plant(clinic)
			r, err := clinic.examine()
			if err != nil {
				t.Fatal(err)
			}
			f, ok := finding(r, c.check, c.status)
			if !ok || f.Status != c.status || !strings.Contains(f.Seen, c.seen) || !strings.Contains(strings.Join(f.Repair, "\n"), c.repair) {
				t.Errorf("%+v, want %s with %q and %q:\n%s", f, c.status, c.seen, c.repair, text(t, r))
			}
		})
	}
}

// temporary puts four bytes beside the exported objects.
func (c *clinic) temporary(key string) {
	c.t.Helper()
	if err := c.session.OSS.Store(exportsBucket).Put(c.t.Context(), key, []byte("disk")); err != nil {
		c.t.Fatal(err)
	}
}

// emptyRestores empties the index of the restores.
func (c *clinic) emptyRestores() {
	c.t.Helper()
	keys, _, err := c.store.List(c.t.Context(), string(c.layout)+"active/restores/", "", 100)
	if err != nil || len(keys) == 0 {
		c.t.Fatalf("the index has %q (%v)", keys, err)
	}
	for _, key := range keys {
		if err := c.store.Delete(c.t.Context(), key); err != nil {
			c.t.Fatal(err)
		}
	}
}

// Where nothing is restored, nothing is said of it, and the export bucket is not listed.
func TestNoRestores(t *testing.T) {
	t.Parallel()
	c := healthy(t)
	c.temporary("imageferry/restore/fedcba9876543210/disk.raw")
	r, err := c.examine()
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []string{"import-role", "restore-permissions", "restores", "restore-leftovers"} {
		if f, ok := finding(r, check, doctor.OK); ok {
			t.Errorf("%+v", f)
		}
	}
}
