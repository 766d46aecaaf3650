package export

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"imageferry/internal/manifest"
)

// A simECS is ECS, and what it writes into OSS. All of it is a function of time and of the calls that were applied.
type simECS struct {
	sim     *simulation
	start   time.Time
	tasks   []*simTask
	objects map[string]simObject
}

// The ways in which a task goes wrong.
const (
	taskRefuses    = "fails with a code of ExportImage"
	taskBreaks     = "fails without a reason"
	taskStops      = "is cancelled by somebody in the console"
	taskVanishes   = "is forgotten by ECS"
	taskHalts      = "gets a status that nobody knows, and ends"
	taskSticks     = "gets a status that nobody knows, and stays there"
	taskLoses      = "finishes, and an object is not there"
	taskEmpties    = "finishes, and an object is empty"
	taskMistakes   = "finishes, and an object is something else"
	taskPartly     = "finishes, and has a failed subtask"
	taskNoObjects  = "finishes, and reports no objects"
	taskGoesOn     = "" // finishes well
	otherBucket    = "elsewhere"
	stuckStatus    = "Suspended"
	simObjectsHead = 68
)

type simTask struct {
	id, image     string
	destination   manifest.Destination
	created, ends time.Time
	fault         string
	cancelled     time.Time
	ours, wrote   bool
	disks         []manifest.Disk
}

type simObject struct {
	info ObjectInfo
	head []byte
}

func (t *simTask) status(now time.Time) string {
	switch {
	case !t.cancelled.IsZero():
		return "Deleted"
	case t.fault == taskSticks && now.After(t.created.Add(time.Second)):
		return stuckStatus
	case now.Before(t.created.Add(200 * time.Millisecond)):
		return "Waiting"
	case now.Before(t.ends):
		if t.fault == taskHalts {
			return stuckStatus
		}
		return "Processing"
	}
	switch t.fault {
	case taskRefuses, taskBreaks:
		return "Failed"
	case taskStops:
		return "Deleted"
	}
	return "Finished"
}

// live tells whether the task still works; a stuck one does not.
func (t *simTask) live(now time.Time) bool {
	return t.cancelled.IsZero() && now.Before(t.ends) && t.fault != taskSticks
}

func (t *simTask) known(now time.Time) bool {
	return t.fault != taskVanishes || now.Before(t.ends)
}

// settle lets the tasks that have finished write their objects.
func (e *simECS) settle() {
	now := time.Now()
	for _, t := range e.tasks {
		if t.wrote || !t.known(now) || t.status(now) != "Finished" {
			continue
		}
		t.wrote = true
		for i, s := range t.subtasks() {
			o := simObject{info: ObjectInfo{Size: 3 << 30, CRC64: fmt.Sprint(t.created.UnixNano() + int64(i)), ETag: t.id, StorageClass: "Standard", LastModified: t.ends}}
			o.head = append([]byte("\x1f\x8b\x08"), make([]byte, simObjectsHead)...)
			switch {
			case i > 0:
			case t.fault == taskLoses:
				continue
			case t.fault == taskEmpties:
				o.info.Size, o.head = 0, nil
			case t.fault == taskMistakes:
				o.head[0] = 'x'
			}
			e.objects[s.Bucket+"/"+s.Object] = o
		}
	}
}

func (t *simTask) subtasks() []Subtask {
	var all []Subtask
	for _, d := range t.disks {
		name := t.image + "_system.raw.tar.gz"
		if d.Type == "data" {
			name = t.image + "_data_" + strings.TrimPrefix(d.Device, "/dev/") + ".raw.tar.gz"
		}
		if t.destination.Prefix != "" {
			name = t.destination.Prefix + "_" + name
		}
		all = append(all, Subtask{Bucket: t.destination.Bucket, Object: name, Format: t.destination.Format})
	}
	return all
}

// image is what DescribeImages says now.
func (e *simECS) image(id string) (manifest.Image, bool) {
	var image manifest.Image
	for _, i := range e.sim.plan.images {
		if i.id != id {
			continue
		}
		for _, v := range i.versions {
			if !time.Now().Before(e.start.Add(v.at)) {
				image = v.image
			}
		}
	}
	return image, image.ID != ""
}

// clock is ECS's own, as it tells the time of tasks.
func (e *simECS) clock(t time.Time) time.Time {
	t = t.Add(e.sim.plan.ecsSkew)
	if e.sim.plan.minutes {
		t = t.Truncate(time.Minute)
	}
	return t
}

// export is an ExportImage that reaches ECS.
func (e *simECS) export(image string, d manifest.Destination, ours bool, duration time.Duration) (*simTask, error) {
	found, ok := e.image(image)
	now := time.Now()
	running := 0
	for _, t := range e.tasks {
		if !t.live(now) {
			continue
		}
		running++
		if t.image == image && e.sim.plan.guarded {
			return nil, refusal(403, "ImageIsExporting", "The specified Image is being exported.")
		}
	}
	switch trouble := e.sim.trouble(); {
	case trouble != nil && trouble.code == "ServiceUnavailable":
		return nil, failure(opExport, trouble.code, true, nil)
	case trouble != nil && trouble.code != "" && ours:
		return nil, failure(opExport, trouble.code, false, nil)
	case !ok:
		return nil, refusal(404, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
	case found.Status != "Available":
		return nil, refusal(400, "IncorrectImageStatus", "The specified Image is not available.")
	case running >= e.sim.plan.quota && ours:
		return nil, refusal(403, "ConcurrentQuotaExceed.ExportImage", "The concurrent quota is exceeded.")
	}
	t := &simTask{id: fmt.Sprintf("t-%d", len(e.tasks)+1), image: image, destination: d, created: now, ours: ours, disks: found.Disks}
	c := e.sim.chance.derive("task", len(e.tasks))
	if duration == 0 {
		duration = c.spread(2*time.Second, 10*time.Minute)
	}
	t.ends = now.Add(duration)
	if c.of(e.sim.plan.badTasks) {
		t.fault = pick(c, taskRefuses, taskBreaks, taskBreaks, taskStops, taskVanishes, taskHalts, taskLoses, taskEmpties,
			taskMistakes, taskPartly, taskNoObjects)
		if c.of(0.02) {
			t.fault = taskSticks
		}
	}
	e.tasks = append(e.tasks, t)
	return t, nil
}

func (e *simECS) line(t *simTask) Task {
	now := time.Now()
	line := Task{ID: t.id, Action: "ExportImage", Status: t.status(now), ImageID: t.image, CreatedAt: e.clock(t.created)}
	if !now.Before(t.ends) {
		line.FinishedAt = e.clock(t.ends)
	}
	return line
}

func (e *simECS) detail(t *simTask) TaskDetail {
	now := time.Now()
	d := TaskDetail{Task: e.line(t)}
	if now.Before(t.ends) && !e.sim.plan.told {
		return d
	}
	d.Subtasks = t.subtasks()
	for i := range d.Subtasks {
		d.Subtasks[i].Status = "Success"
	}
	switch {
	case now.Before(t.ends):
	case t.fault == taskRefuses:
		d.Subtasks[0].Status, d.Subtasks[0].ErrorCode = "Failed", "InvalidOSS.NotAuthorized"
	case t.fault == taskBreaks:
		d.Subtasks = nil
	case t.fault == taskPartly:
		d.Failed = 1
	case t.fault == taskNoObjects:
		d.Subtasks = nil
	}
	return d
}

// ECS and OSS as one process calls them.

func (p *simProcess) Image(ctx context.Context, id string) (image manifest.Image, found bool, err error) {
	err = p.call(ctx, opImage, id, func() error { image, found = p.sim.ecs.image(id); return nil })
	return image, found, err
}

func (p *simProcess) Images(ctx context.Context, since time.Time, page int) (images []manifest.Image, total int, err error) {
	err = p.call(ctx, opImages, fmt.Sprint(page), func() error {
		for _, i := range p.sim.plan.images {
			if image, ok := p.sim.ecs.image(i.id); ok && image.Status == "Available" && !image.CreationTime.Before(since) {
				images = append(images, image)
			}
		}
		total = len(images)
		return nil
	})
	return images, total, err
}

func (p *simProcess) Export(ctx context.Context, r Request) (Accepted, error) {
	var accepted Accepted
	p.sim.checkExport(p, r)
	err := p.call(ctx, opExport, r.ImageID, func() error {
		t, err := p.sim.ecs.export(r.ImageID, r.Destination, true, 0)
		if err != nil {
			return err
		}
		p.sim.checkAccepted(t)
		accepted = Accepted{TaskID: t.id, RequestID: "request-" + t.id}
		if p.sim.chance.derive("no id "+t.id, 0).of(p.sim.plan.failing / 4) {
			accepted.TaskID = ""
		}
		return nil
	})
	if err != nil {
		return Accepted{}, err
	}
	return accepted, nil
}

func (p *simProcess) Tasks(ctx context.Context, ids []string) (tasks []Task, err error) {
	err = p.call(ctx, opTasks, strings.Join(ids, ","), func() error {
		for _, t := range p.sim.ecs.tasks {
			if t.known(time.Now()) && slices.Contains(ids, t.id) {
				tasks = append(tasks, p.sim.ecs.line(t))
			}
		}
		return nil
	})
	return tasks, err
}

func (p *simProcess) TasksOf(ctx context.Context, image string, since time.Time) (tasks []Task, err error) {
	err = p.call(ctx, opTaskOf, image, func() error {
		for _, t := range p.sim.ecs.tasks {
			if line := p.sim.ecs.line(t); t.known(time.Now()) && t.image == image && !line.CreatedAt.Before(since) {
				tasks = append(tasks, line)
			}
		}
		return nil
	})
	return tasks, err
}

func (p *simProcess) Detail(ctx context.Context, id string) (detail TaskDetail, found bool, err error) {
	err = p.call(ctx, opDetail, id, func() error {
		for _, t := range p.sim.ecs.tasks {
			if t.id == id && t.known(time.Now()) {
				detail, found = p.sim.ecs.detail(t), true
			}
		}
		return nil
	})
	return detail, found, err
}

func (p *simProcess) Cancel(ctx context.Context, id string) error {
	return p.call(ctx, opCancel, id, func() error {
		for _, t := range p.sim.ecs.tasks {
			if t.id != id || !t.known(time.Now()) {
				continue
			}
			if !t.live(time.Now()) {
				return &CallError{Op: opCancel, Status: 403, Code: "InvalidTaskId.IncorrectTaskStatus", Message: "The specified task status is invalid."}
			}
			t.cancelled = time.Now()
			return nil
		}
		return &CallError{Op: opCancel, Status: 400, Code: "InvalidTaskId.NotFound", Message: "The specified TaskId does not exist."}
	})
}

func (p *simProcess) Bucket(ctx context.Context, name string) (bucket Bucket, found bool, err error) {
	err = p.call(ctx, opBucket, name, func() error {
		if trouble := p.sim.trouble(); trouble == nil || trouble.code != "" || name != testDestination().Bucket {
			bucket, found = goodBucket(name), true
		}
		return nil
	})
	return bucket, found, err
}

func (p *simProcess) Object(ctx context.Context, bucket, key string) (object ObjectInfo, found bool, err error) {
	err = p.call(ctx, opObject, bucket+"/"+key, func() error {
		var o simObject
		o, found = p.sim.ecs.objects[bucket+"/"+key]
		object = o.info
		return nil
	})
	return object, found, err
}

func (p *simProcess) Read(ctx context.Context, bucket, key string, offset, length int64) (data []byte, err error) {
	err = p.call(ctx, opRead, fmt.Sprint(bucket, "/", key, " ", offset), func() error {
		head := p.sim.ecs.objects[bucket+"/"+key].head
		if offset >= 0 {
			data = head[:min(int(length), len(head))]
		}
		return nil
	})
	return data, err
}
