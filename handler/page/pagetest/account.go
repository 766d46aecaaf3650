package pagetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Destination of the sample exports.
var Destination = manifest.Destination{Region: "cn-hangzhou", Bucket: "imageferry-exports", Prefix: "golden", Format: "raw"}

// Account is an account in which imageferry has run for a month, as it is at the time now: always the same.
func Account(now time.Time) *Memory {
	now = now.UTC().Truncate(time.Second)
	a := &account{
		Memory: &Memory{Percents: map[string]int{}, Now: func() time.Time { return now }},
		rng:    rand.New(rand.NewPCG(7, 11)), now: now,
	}
	a.month()
	a.today()
	a.Coverage = &export.Coverage{Exported: 362, Wanted: 376, At: now.Add(-43 * time.Minute)}
	a.Heartbeats = []manifest.Heartbeat{
		{Action: "follow", At: now.Add(-2 * time.Minute), Held: "quota-concurrent"}, {Action: "sweep", At: now.Add(-43 * time.Minute)},
	}
	a.Hold = &manifest.Hold{
		Reason: "quota-concurrent", Remedy: "Wait: the account's running exports have to finish first; or ask for a higher quota.",
		Detail: "ConcurrentQuotaExceed: The maximum number of concurrent image export tasks has been reached.",
		Since:  now.Add(-26 * time.Minute), Until: now.Add(9 * time.Minute), Probes: 5,
	}
	return a.Memory
}

type account struct {
	*Memory
	rng  *rand.Rand
	now  time.Time
	made int
}

// id is an id as ECS makes them: m- with 20 letters and digits.
func (a *account) id() string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	id := "m-bp"
	for range 18 {
		id += string(letters[a.rng.IntN(len(letters))])
	}
	return id
}

// next is an image with a name, disks and tags, created at a time.
func (a *account) next(name string, created time.Time) manifest.Image {
	systems := []struct{ name, platform string }{
		{"Alibaba Cloud Linux  3.2104 LTS 64 bit", "Aliyun"}, {"Ubuntu  24.04 64 bit", "Ubuntu"}, {"Debian  12.11 64 bit", "Debian"},
	}
	system := systems[a.made%len(systems)]
	a.made++
	gib := []int{20, 40, 40, 60, 100}[a.rng.IntN(5)]
	i := manifest.Image{
		ID: a.id(), Name: name, Family: name[:max(len(name)-11, 1)], Status: "Available", Region: "cn-hangzhou", AccountID: "1234567890123456",
		OwnerAlias: "self", OSType: "linux", OSName: system.name, Platform: system.platform, Architecture: "x86_64", BootMode: "UEFI",
		SizeGiB: gib, CreationTime: &created,
		Tags:  map[string]string{"team": []string{"payments", "search", "platform"}[a.made%3], "stage": "golden"},
		Disks: []manifest.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: gib, SnapshotID: "s-bp" + a.id()[4:]}},
	}
	if a.made%7 == 0 {
		i.Disks = append(i.Disks, manifest.Disk{Device: "/dev/xvdb", Type: "data", SizeGiB: 200, SnapshotID: "s-bp" + a.id()[4:]})
	}
	return i
}

// begin adds revision 1 of an image's export.
func (a *account) begin(i manifest.Image, at time.Time) *manifest.Manifest {
	lease := at.Add(70 * time.Second)
	return a.revise(nil, at, func(m *manifest.Manifest) {
		m.CreatedAt, m.Image, m.Destination, m.State = at, i, Destination, manifest.Submitting
		m.Trigger = manifest.Trigger{Kind: "event", Source: "ecs:Image:StateChange", ID: "e-" + i.ID[4:12], Time: &at}
		m.DueAt, m.Lease = &lease, &manifest.Lease{Until: lease}
		m.Attempts = []manifest.Attempt{{Number: 1, StartedAt: at}}
	})
}

// revise adds the revision after m.
func (a *account) revise(m *manifest.Manifest, at time.Time, change func(*manifest.Manifest)) *manifest.Manifest {
	next := manifest.Manifest{Schema: manifest.SchemaV1, Writer: fmt.Sprintf("%016x", a.rng.Uint64()), Program: "0.1.0"}
	if m != nil {
		next = *m
		next.Attempts = append([]manifest.Attempt(nil), m.Attempts...)
	}
	next.Revision++
	next.UpdatedAt = at
	next.DueAt, next.Lease = nil, nil
	next.Reason, next.Remedy, next.Detail = "", "", ""
	change(&next)
	a.Add(&next)
	return &next
}

func last(m *manifest.Manifest) *manifest.Attempt { return &m.Attempts[len(m.Attempts)-1] }

func (a *account) accepted(m *manifest.Manifest, at time.Time) *manifest.Manifest {
	return a.revise(m, at, func(m *manifest.Manifest) {
		m.State = manifest.Exporting
		m.Task = &manifest.Task{ID: "t-bp" + a.id()[4:], Status: "Processing", RecordedAt: at}
		last(m).Outcome, last(m).TaskID = manifest.Accepted, m.Task.ID
		last(m).RequestID = fmt.Sprintf("%08X-4D0E-5B3A-9C51-%012X", a.rng.Uint32(), a.rng.Uint64()>>16)
	})
}

func (a *account) exported(m *manifest.Manifest, at time.Time) *manifest.Manifest {
	return a.revise(m, at, func(m *manifest.Manifest) {
		m.State = manifest.Exported
		task := *m.Task
		task.Status, task.FinishedAt = "Finished", &at
		m.Task = &task
		last(m).Outcome, last(m).EndedAt = manifest.Finished, &at
		var sum int64
		for _, d := range m.Image.Disks {
			o := manifest.Object{
				Bucket: Destination.Bucket, Role: d.Type, Size: int64(d.SizeGiB) << 30 * int64(9+a.rng.IntN(14)) / 100,
				StorageClass: "Standard", LastModified: at, Content: "gzip", CRC64: fmt.Sprint(a.rng.Uint64()),
				ETag: fmt.Sprintf("%016X%016X-%d", a.rng.Uint64(), a.rng.Uint64(), 40+a.rng.IntN(400)),
			}
			o.Key = "golden_" + m.Image.ID + "_system.raw.tar.gz"
			if d.Type == "data" {
				o.Device = "xvdb"
				o.Key = "golden_" + m.Image.ID + "_data_xvdb.raw.tar.gz"
			}
			sum += o.Size
			m.Objects = append(m.Objects, o)
		}
		m.Verification = &manifest.Verification{VerifiedAt: at, Objects: len(m.Objects), Bytes: sum}
	})
}

// ended adds a revision with a reason.
func (a *account) ended(m *manifest.Manifest, at time.Time, state manifest.State, outcome manifest.Outcome,
	reason, remedy, detail string) *manifest.Manifest {
	return a.revise(m, at, func(m *manifest.Manifest) {
		m.State, m.Reason, m.Remedy, m.Detail = state, reason, remedy, detail
		last(m).Outcome, last(m).EndedAt, last(m).Reason, last(m).Message = outcome, &at, reason, detail
	})
}

// again queues a failed export and submits it once more.
func (a *account) again(m *manifest.Manifest, at time.Time, reason, remedy, detail string) *manifest.Manifest {
	due := at.Add(2 * time.Minute)
	m = a.ended(m, at, manifest.Queued, manifest.Broken, reason, remedy, detail)
	m.DueAt, m.Failures, m.Waits, m.Task = &due, m.Failures+1, 1, nil
	start := due.Add(40 * time.Second)
	lease := start.Add(70 * time.Second)
	return a.revise(m, start, func(m *manifest.Manifest) {
		m.State, m.DueAt, m.Lease = manifest.Submitting, &lease, &manifest.Lease{Until: lease}
		m.Attempts = append(m.Attempts, manifest.Attempt{Number: len(m.Attempts) + 1, StartedAt: start})
	})
}
