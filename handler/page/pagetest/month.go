package pagetest

import (
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

// What ECS and imageferry say again and again.
const (
	readDetail = "Read the detail: ECS's task failed; it is tried again until FERRY_MAX_ATTEMPTS."
	unread     = "SnapshotReadFailed: The snapshot could not be read."
)

// month makes what ended on the days before.
func (a *account) month() {
	families := []string{
		"web", "db-primary", "worker", "bastion", "ci-runner", "kafka", "search", "edge-proxy", "payments-api", "ml-train",
	}
	midnight := a.now.Truncate(24 * time.Hour)
	for back := 29; back >= 1; back-- {
		day := midnight.AddDate(0, 0, -back)
		n := 12 + a.rng.IntN(6)
		if weekday := day.Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			n = 3 + a.rng.IntN(4)
		}
		if back == 12 {
			n = 38 // a release
		}
		for k := range n {
			at := day.Add(7*time.Hour + time.Duration(a.rng.IntN(11*3600))*time.Second)
			name := fmt.Sprintf("%s-%s", families[a.rng.IntN(len(families))], day.Format("2006-01-02"))
			a.past(name, at, back, k)
		}
	}
}

// past makes an export that has ended.
func (a *account) past(name string, at time.Time, back, k int) {
	i := a.next(name, at.Add(-4*time.Minute))
	m := a.begin(i, at)
	switch {
	case k == 1 && back%9 == 2:
		a.ended(m, at.Add(time.Second), manifest.Skipped, manifest.Refused, "image-encrypted",
			"Create the image from unencrypted snapshots.", "the snapshot of /dev/xvda is encrypted")
		return
	case k == 2 && back%13 == 6:
		m = a.accepted(m, at.Add(time.Second))
		a.ended(m, at.Add(9*time.Minute), manifest.Cancelled, manifest.Stopped, "cancelled-by-request",
			"Retry the export if you want it after all.", "")
		return
	case k < 2 && (back == 8 || back == 19):
		m = a.accepted(m, at.Add(time.Second))
		a.ended(m, at.Add(31*time.Minute), manifest.Failed, manifest.Broken, "task-stuck",
			"Look at the task in the ECS console, cancel it there if it is stuck, then retry the export.", "the task is still Waiting")
		return
	}
	m = a.accepted(m, at.Add(time.Second))
	if k == 4 {
		m = a.again(m, at.Add(11*time.Minute), "task-failed", readDetail, "InternalError: The task failed.")
		at = last(m).StartedAt
		m = a.accepted(m, at.Add(time.Second))
	}
	took := time.Duration(6+i.SizeGiB/5+a.rng.IntN(14)) * time.Minute
	if len(i.Disks) > 1 {
		took += time.Duration(35+a.rng.IntN(40)) * time.Minute
	}
	a.exported(m, at.Add(took))
}

// dated is the name of today's image.
func (a *account) dated(name string) string { return name + a.now.Format("-2006-01-02") }

// today makes what is at work, and what needs somebody.
func (a *account) today() {
	for k, name := range []string{"web", "search", "edge-proxy", "bastion"} {
		at := a.now.Add(-time.Duration(70+31*k) * time.Minute)
		m := a.accepted(a.begin(a.next(a.dated(name), at.Add(-4*time.Minute)), at), at.Add(time.Second))
		a.exported(m, at.Add(time.Duration(16+5*k)*time.Minute))
	}
	running := []string{"payments-api", "kafka", "db-primary", "ml-train", "worker"}
	for k, name := range running {
		at := a.now.Add(-time.Duration(4+9*k) * time.Minute)
		m := a.accepted(a.begin(a.next(a.dated(name), at.Add(-3*time.Minute)), at), at.Add(time.Second))
		a.Percents[m.Task.ID] = []int{12, 47, 58, 93, 100}[k]
	}
	for k, name := range []string{"ci-runner", "payments-batch", "reporting"} {
		at := a.now.Add(-time.Duration(25-8*k) * time.Minute)
		m := a.begin(a.next(a.dated(name), at.Add(-2*time.Minute)), at)
		m = a.ended(m, at.Add(time.Second), manifest.Queued, manifest.Refused, "quota-concurrent",
			"Wait: the account's running exports have to finish first; or ask for a higher quota.",
			"ConcurrentQuotaExceed: The maximum number of concurrent image export tasks has been reached.")
		due := a.now.Add(9 * time.Minute)
		m.DueAt = &due
	}
	a.troubled()
	a.begin(a.next(a.dated("observability"), a.now.Add(-time.Minute)), a.now.Add(-3*time.Second))
}

// troubled makes the exports that somebody has to look at.
func (a *account) troubled() {
	at := a.now.Add(-95 * time.Minute)
	m := a.accepted(a.begin(a.next(a.dated("analytics"), at.Add(-5*time.Minute)), at), at.Add(time.Second))
	for range 2 {
		at = at.Add(21 * time.Minute)
		m = a.again(m, at, "task-failed", readDetail, unread)
		m = a.accepted(m, last(m).StartedAt.Add(time.Second))
	}
	m = a.ended(m, at.Add(24*time.Minute), manifest.Failed, manifest.Broken, "task-failed",
		readDetail, unread)
	m.Failures = 3

	at = a.now.Add(-33 * time.Minute)
	windows := a.next(a.dated("windows-jump"), at.Add(-6*time.Minute))
	windows.OSType, windows.OSName, windows.Platform = "windows", "Windows Server  2022 Datacenter 64 bit", "Windows Server 2022"
	a.ended(a.begin(windows, at), at.Add(time.Second), manifest.Skipped, manifest.Refused, "image-windows",
		"Nothing can be done: ECS does not export images with Windows.", "the platform is Windows Server 2022")
}
