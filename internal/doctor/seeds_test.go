package doctor_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"imageferry/internal/doctor"
	"imageferry/internal/export"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/policy"
)

// A seed is one thing that is wrong in an otherwise healthy account, and what the doctor says to it.
type seed struct {
	name   string
	plant  func(*testing.T, *clinic)
	check  string
	status doctor.Status
	seen   string // within Finding.Seen
	repair string // within one of Finding.Repair
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	for _, group := range [][]seed{accountSeeds(), bucketSeeds(), roleSeeds(), queueSeeds(), driftSeeds()} {
		for _, s := range group {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				c := healthy(t)
				s.plant(t, c)
				r, err := c.examine()
				if err != nil {
					t.Fatal(err)
				}
				f, ok := finding(r, s.check, s.status)
				switch {
				case !ok:
					t.Fatalf("no finding %s:\n%s", s.check, text(t, r))
				case f.Status != s.status:
					t.Errorf("%s is %s, want %s: %s", s.check, f.Status, s.status, f.Seen)
				case !strings.Contains(f.Seen, s.seen):
					t.Errorf("seen %q, want %q", f.Seen, s.seen)
				case !strings.Contains(strings.Join(f.Repair, "\n"), s.repair):
					t.Errorf("repair %q, want %q", f.Repair, s.repair)
				}
				if (s.status == doctor.Problem) != (r.Problems > 0) {
					t.Errorf("%d problems:\n%s", r.Problems, text(t, r))
				}
			})
		}
	}
}

// user lets the doctor call as a user who may do everything but some things.
func user(deny ...string) func(*testing.T, *clinic) {
	return func(_ *testing.T, c *clinic) {
		c.keys = c.Directory.PutUser("operator", account.Administrator(), account.Policy{Version: "1", Statement: []account.Statement{
			{Effect: "Deny", Action: deny, Resource: account.Strings{"*"}},
		}})
	}
}

func accountSeeds() []seed {
	return []seed{
		{"region unknown", func(_ *testing.T, c *clinic) { c.options.Region = "cn-atlantis" },
			"region", doctor.Problem, "does not know the region cn-atlantis", "aliyun ecs DescribeRegions"},
		{"regions not readable", user("ecs:DescribeRegions"),
			"region", doctor.Unknown, "Forbidden.RAM", "aliyun ecs DescribeRegions"},
		{"format", func(_ *testing.T, c *clinic) { c.config.Format = "qcow2" },
			"region-format", doctor.Unknown, "cn-hangzhou is not among the regions that are documented to export qcow2", "FERRY_FORMAT"},
		{"images not readable", user("ecs:DescribeImages"),
			"may-describe-images", doctor.Problem, "Forbidden.RAM", "aliyun ram AttachPolicyToUser --PolicyType Custom --PolicyName imageferry-ecs-describeimages --UserName operator"},
		{"tasks not readable", user("ecs:DescribeTasks"),
			"may-describe-tasks", doctor.Problem, "Forbidden.RAM", `"Action":"ecs:DescribeTasks","Resource":"*"`},
		{"no listing", user("oss:ListObjects"),
			"may-list", doctor.Problem, "AccessDenied", `"oss:ListObjects"`},
		{"no reading", user("oss:GetObject"),
			"may-read", doctor.Problem, "AccessDenied", "acs:oss:*:*:imageferry-manifests/imageferry/*"},
		{"clock behind", func(_ *testing.T, c *clinic) {
			c.options.Now = func() time.Time { return time.Now().Add(-40 * time.Second) }
		}, "clock", doctor.Problem, "behind OSS's", "timedatectl"},
		{"clock within its limit", func(_ *testing.T, c *clinic) {
			c.options.Now = func() time.Time { return time.Now().Add(5 * time.Second) }
		}, "clock", doctor.OK, "ahead of OSS's, FERRY_CLOCK_SKEW allows 10s", ""},
	}
}

// change alters a bucket.
func change(bucket string, alter func(*ossd.BucketSpec)) func(*testing.T, *clinic) {
	return func(t *testing.T, c *clinic) {
		if err := c.OSS.UpdateBucket(bucket, alter); err != nil {
			t.Fatal(err)
		}
	}
}

func bucketSeeds() []seed {
	return []seed{
		{"bucket missing", func(_ *testing.T, c *clinic) { c.config.Bucket = "imageferry-nowhere" },
			"bucket-exists", doctor.Problem, "imageferry-nowhere does not exist", "ossutil mb oss://imageferry-nowhere --region cn-hangzhou"},
		{"bucket not readable", user("oss:GetBucketInfo"),
			"bucket-exists", doctor.Unknown, "AccessDenied", "If the bucket belongs to another account: Set FERRY_BUCKET"},
		{"bucket elsewhere", change(exportsBucket, func(b *ossd.BucketSpec) { b.Region = "cn-beijing" }),
			"bucket-region", doctor.Problem, "is in oss-cn-beijing, the images are in cn-hangzhou", "Set FERRY_BUCKET"},
		{"manifest bucket elsewhere", change(manifestsBucket, func(b *ossd.BucketSpec) { b.Region = "cn-beijing" }),
			"bucket-region", doctor.Problem, "imageferry-manifests is in oss-cn-beijing", "Set FERRY_MANIFEST_BUCKET"},
		{"another's bucket that is closed to us", change(exportsBucket, func(b *ossd.BucketSpec) { b.OwnerID = "6543210987654321" }),
			"may-read-exports", doctor.Problem, "AccessDenied", `"oss:GetObject"`},
		{"another's bucket that is open", func(_ *testing.T, c *clinic) {
			c.Tap.Inject(func(call trace.Call) trace.Fault {
				if call.Action != "oss:GetBucketInfo" {
					return trace.Fault{}
				}
				return trace.Fault{Mangle: func(status int, body []byte) (int, []byte) {
					return status, bytes.ReplaceAll(body, []byte(c.Directory.ID()), []byte("6543210987654321"))
				}}
			})
		}, "bucket-owner", doctor.Problem, "the owner is account 6543210987654321", "Set FERRY_BUCKET"},
		{"public bucket", change(exportsBucket, func(b *ossd.BucketSpec) { b.ACL = "public-read" }),
			"bucket-acl", doctor.Problem, "the ACL is public-read", "put-bucket-acl --bucket imageferry-exports --acl private"},
		{"public bucket allowed", func(t *testing.T, c *clinic) {
			change(exportsBucket, func(b *ossd.BucketSpec) { b.ACL = "public-read" })(t, c)
			c.config.AllowPublicRead = true
		}, "bucket-acl", doctor.OK, "the ACL is", ""},
		{"encrypted", change(exportsBucket, func(b *ossd.BucketSpec) { b.SSEAlgorithm = "KMS" }),
			"bucket-encryption", doctor.Problem, "the default encryption is KMS", "delete-bucket-encryption --bucket imageferry-exports"},
		{"archive", change(exportsBucket, func(b *ossd.BucketSpec) { b.StorageClass = "ColdArchive" }),
			"bucket-class", doctor.Problem, "the storage class is ColdArchive", "--storage-class Standard"},
		{"versioned", change(manifestsBucket, func(b *ossd.BucketSpec) { b.Versioning = "Suspended" }),
			"manifest-bucket-versioning", doctor.Problem, "versioning is Suspended", "Set FERRY_MANIFEST_BUCKET"},
		{"manifests retained", change(manifestsBucket, func(b *ossd.BucketSpec) { b.RetentionDays = 30 }),
			"bucket-retention", doctor.Problem, "keeps objects for 30 days: manifests cannot be updated", "Set FERRY_MANIFEST_BUCKET"},
		{"exports retained", change(exportsBucket, func(b *ossd.BucketSpec) { b.RetentionDays = 1 }),
			"bucket-retention", doctor.Unknown, "keeps objects for 1 day: no export can be repeated", "FERRY_PREFIX"},
		{"retention not readable", user("oss:GetBucketWorm"),
			"bucket-retention", doctor.Unknown, "AccessDenied", "ossutil api get-bucket-worm --bucket imageferry-exports"},
		{"create-only ignored", func(t *testing.T, c *clinic) {
			change(manifestsBucket, func(b *ossd.BucketSpec) { b.Versioning = "Enabled" })(t, c)
			c.options.WriteProbe = true
		}, "create-only", doctor.Problem, "wrote over an object", "get-bucket-versioning"},
		{"no writing", func(t *testing.T, c *clinic) {
			user("oss:PutObject")(t, c)
			c.options.WriteProbe = true
		}, "create-only", doctor.Problem, "AccessDenied", `"oss:PutObject"`},
	}
}

func roleSeeds() []seed {
	const conditional = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}}]}`
	const denies = `{"Version":"1","Statement":[{"Effect":"Deny","Action":"oss:Put*","Resource":"acs:oss:*:*:imageferry-exports/images_*"}]}`
	const narrow = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":["acs:oss:oss-cn-hangzhou:*:imageferry-exports","acs:oss:*:1234567890123456:imageferry-exports/images_*"]}]}`
	return []seed{
		{"export role missing", func(_ *testing.T, c *clinic) { c.Directory.DeleteRole(exportRole) },
			"export-role", doctor.Problem, "does not exist", "aliyun ram CreateRole --RoleName " + exportRole + ` --AssumeRolePolicyDocument '{"Version":"1"`},
		{"export role trusts another", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.FunctionTrust), c.policy(policy.ExportPermissions))
		}, "export-role-trust", doctor.Problem, "ecs.aliyuncs.com may not assume it, fc.aliyuncs.com may", "aliyun ram UpdateRole --RoleName " + exportRole},
		{"export role lacks an action", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust), c.without(policy.ExportPermissions, "oss:GetBucketInfo"))
		}, "export-role-permissions", doctor.Problem, "it lacks oss:GetBucketInfo on acs:oss:oss-cn-hangzhou:1234567890123456:imageferry-exports", "aliyun ram AttachPolicyToRole"},
		{"export role without policies", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust))
		}, "export-role-permissions", doctor.Problem, "and 4 more", "aliyun ram CreatePolicy --PolicyName imageferry-export"},
		{"export role denied", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust), account.Administrator(), c.parse(denies))
		}, "export-role-permissions", doctor.Problem, "oss:PutObject on acs:oss:oss-cn-hangzhou:1234567890123456:imageferry-exports/images_", "CreatePolicy"},
		{"export role under conditions", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust), c.parse(conditional))
		}, "export-role-permissions", doctor.Unknown, "depends on conditions", "aliyun ram ListPoliciesForRole --RoleName " + exportRole},
		{"export role as narrow as can be", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust), c.parse(narrow))
		}, "export-role-permissions", doctor.OK, "allow all 8", ""},
		{"export role for another prefix", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(exportRole, c.policy(policy.ExportTrust), c.parse(strings.ReplaceAll(narrow, "images_", "golden_")))
		}, "export-role-permissions", doctor.Problem, "it lacks oss:GetObject", "CreatePolicy"},
		{"export role with another name", func(_ *testing.T, c *clinic) {
			c.config.ExportRole = "exports"
			c.Directory.PutRole("exports", c.policy(policy.ExportTrust), c.policy(policy.ExportPermissions))
		}, "export-role-name", doctor.Unknown, "no other name", "FERRY_EXPORT_ROLE"},
		{"roles not readable", user("ram:*"),
			"export-role", doctor.Unknown, "NoPermission", "aliyun ram GetRole --RoleName " + exportRole},
		{"policies not readable", user("ram:GetPolicy"),
			"export-role-permissions", doctor.Unknown, "NoPermission", "aliyun ram ListPoliciesForRole"},
		{"function role missing", func(_ *testing.T, c *clinic) { c.Directory.DeleteRole(functionRole) },
			"function-role", doctor.Problem, "role imageferry does not exist", "aliyun ram CreateRole --RoleName imageferry"},
		{"function role lacks an action", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(functionRole, c.policy(policy.FunctionTrust), c.without(policy.FunctionPermissions, "oss:ListObjects"))
		}, "function-role-permissions", doctor.Problem, "it lacks oss:ListObjects", "aliyun ram CreatePolicy --PolicyName imageferry "},
		{"function role trusts another", func(_ *testing.T, c *clinic) {
			c.Directory.PutRole(functionRole, c.policy(policy.ExportTrust), c.policy(policy.FunctionPermissions))
		}, "function-role-trust", doctor.Problem, "fc.aliyuncs.com may not assume it", "aliyun ram UpdateRole --RoleName imageferry"},
	}
}

func queueSeeds() []seed {
	hold := func(reason string, since time.Duration) func(*testing.T, *clinic) {
		return func(t *testing.T, c *clinic) {
			now := time.Now()
			err := c.index.PutHold(t.Context(), manifest.Hold{Reason: reason, Remedy: "Do this.", Since: now.Add(since), Until: now.Add(time.Hour), Probes: 3})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// at puts the first image's export into a state as of some time ago, with its marker.
	at := func(state manifest.State, ago time.Duration) func(*testing.T, *clinic) {
		return func(_ *testing.T, c *clinic) {
			next := c.append(c.images[0], func(m *manifest.Manifest) {
				then := time.Now().Add(-ago).UTC().Round(0)
				m.State, m.UpdatedAt, m.DueAt, m.Reason = state, then, &then, "image-forbidden"
				m.Lease = &manifest.Lease{Until: then}
				m.Task.RecordedAt = then
			})
			c.mark(next)
			if err := c.journal.Publish(c.t.Context(), next); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return []seed{
		{"held for the weekly quota", hold("quota-weekly", -time.Minute), "hold", doctor.Problem, "everything is held for quota-weekly since 1m", "Do this."},
		{"held for the concurrent quota", hold("quota-concurrent", -time.Minute), "hold", doctor.OK, "held for quota-concurrent", ""},
		{"held for too long", hold("quota-concurrent", -7*time.Hour), "hold", doctor.Problem, "since 7h", "imageferry follow"},
		{"not enabled for export", func(_ *testing.T, c *clinic) {
			c.ECS.SetConditions(ecsd.Conditions{NotWhitelisted: true})
			c.submit(c.ferry(0), ecsd.Image{Name: "more"})
		}, "hold", doctor.Problem, "held for not-in-whitelist", "by a ticket"},
		{"queued and overdue", at(manifest.Queued, 2*time.Hour), "stuck", doctor.Problem, "is queued (image-forbidden), and was due 2h ago", "imageferry follow"},
		{"submitting without end", at(manifest.Submitting, 3*time.Hour), "stuck", doctor.Problem, "its lease ended 3h ago", "imageferry follow"},
		{"queued and due just now", at(manifest.Queued, time.Second), "queue", doctor.OK, "1 image-forbidden", ""},
		{"exporting for too long", at(manifest.Exporting, 30*time.Hour), "exporting", doctor.Problem, "has been exporting for 30h, as task", "aliyun ecs CancelTask --RegionId cn-hangzhou --TaskId"},
		{"exporting", at(manifest.Exporting, time.Hour), "exporting", doctor.OK, "1 export running, ECS works on 0 export tasks", ""},
		{"timers late", func(_ *testing.T, c *clinic) { c.beat(-11 * time.Minute) },
			"timer-follow", doctor.Problem, "the last follow by a timer was 11m", "enable the timer follow"},
		{"timers late, by a period of one's own", func(_ *testing.T, c *clinic) {
			c.beat(-11 * time.Minute)
			c.options.FollowEvery = 10 * time.Minute
		}, "timer-follow", doctor.OK, "11m", ""},
		{"timers never ran", func(_ *testing.T, c *clinic) { c.remove(c.layout.Active() + "seen/sweep") },
			"timer-sweep", doctor.Problem, "although there are exports", "s deploy -y"},
		{"a round failed", func(t *testing.T, c *clinic) {
			c.ferry(0).Beat(t.Context(), []export.Round{{Action: "sweep"}}, "req-failed", true)
		}, "timer-sweep", doctor.Problem, "it failed", "request req-failed"},
		{"a heartbeat is damaged", func(_ *testing.T, c *clinic) { c.put(c.layout.Active()+"seen/follow", "{") },
			"timer-follow", doctor.Problem, "no timer has run a follow", "Triggers"},
	}
}

func driftSeeds() []seed {
	return []seed{
		{"object missing", func(t *testing.T, c *clinic) {
			if err := c.session.OSS.Store(exportsBucket).Delete(t.Context(), c.object(c.images[0])); err != nil {
				t.Fatal(err)
			}
		}, "objects", doctor.Problem, "_system.raw.tar.gz is missing", "imageferry submit --force m-"},
		{"object changed", func(t *testing.T, c *clinic) {
			if err := c.session.OSS.Store(exportsBucket).Put(t.Context(), c.object(c.images[0]), []byte("other")); err != nil {
				t.Fatal(err)
			}
		}, "objects", doctor.Problem, "another CRC-64, another ETag", "ossutil stat oss://imageferry-exports/images_m-"},
		{"journal damaged", func(_ *testing.T, c *clinic) {
			c.put(c.layout.Journal(c.at, c.images[0])+"00000003.json", "{")
		}, "journal", doctor.Problem, "journal-unreadable", "ossutil ls oss://imageferry-manifests/imageferry/journal/"},
		{"journal of a newer version", func(_ *testing.T, c *clinic) {
			c.put(c.layout.Journal(c.at, c.images[0])+"00000004.json", `{"schema":"imageferry.manifest/v9"}`)
		}, "journal", doctor.Problem, "journal-newer", "Deploy the newer version"},
		{"journal gone", func(t *testing.T, c *clinic) {
			keys, _, err := c.store.List(t.Context(), c.layout.Journal(c.at, c.images[0]), "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				c.remove(key)
			}
		}, "journal", doctor.Problem, "revision 1 is missing", "ossutil ls"},
		{"manifest missing", func(_ *testing.T, c *clinic) { c.remove(c.layout.Manifest(c.at, c.images[0])) },
			"manifests", doctor.Problem, "has no manifest", "ossutil cp -f oss://imageferry-manifests/imageferry/journal/cn-hangzhou/imageferry-exports/images/raw/m-"},
		{"manifest stale", func(_ *testing.T, c *clinic) {
			c.append(c.images[0], func(m *manifest.Manifest) { m.State = manifest.Cancelled })
		},
			"manifests", doctor.Problem, "is revision 3 (exported), the journal is at 4 (cancelled)", "00000004.json"},
		{"marker missing", func(t *testing.T, c *clinic) {
			next := c.append(c.images[0], func(m *manifest.Manifest) {
				due := time.Now().Add(time.Hour).UTC()
				m.State, m.DueAt = manifest.Queued, &due
			})
			if err := c.journal.Publish(t.Context(), next); err != nil {
				t.Fatal(err)
			}
		}, "markers", doctor.Problem, "the index does not have it", "ossutil rm oss://imageferry-manifests/imageferry/active/complete"},
		{"marker stale", func(t *testing.T, c *clinic) {
			m := manifest.Marker{Due: time.Now().Add(-time.Hour).UTC(), Destination: c.at, ImageID: c.images[0]}
			if err := c.index.Put(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}, "markers", doctor.Problem, "is exported, and the index has it elsewhere", "imageferry follow"},
		{"OSS fails", func(_ *testing.T, c *clinic) {
			c.Tap.Inject(func(call trace.Call) trace.Fault {
				if call.Action == "oss:GetObject" && strings.Contains(call.Resource, exportsBucket+"/images_") {
					return trace.Fault{Refuse: &trace.Refusal{Status: 503, Code: "ServiceUnavailable", Message: "Please try again."}}
				}
				return trace.Fault{}
			})
		}, "objects", doctor.Unknown, "HeadObject", "imageferry doctor --deep"},
	}
}
