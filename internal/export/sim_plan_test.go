package export

import (
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

// A simPlan is everything about a scenario that is decided beforehand; what happens to a single call is decided by its own
// chance. The times are counted from the start.
type simPlan struct {
	images []simImage
	orders []simOrder
	// others are exports of the images to another bucket, by somebody else.
	others []simOther
	// troubles are times at which ECS refuses every ExportImage, or the bucket is not there.
	troubles []simTrouble
	chaos    time.Duration

	// The rates of calls that fail or are slow, of invocations that die or freeze, and of tasks that do not finish well.
	failing, slow, dying, freezing, badTasks float64
	// staleness is how old a listing may be.
	staleness time.Duration
	// guarded: ECS refuses the export of an image that is being exported. It is documented to; without it the protocol
	// stands alone. late: an ExportImage that was given up may still be applied, for a moment.
	guarded, late bool
	// minutes: ECS tells the time of tasks without seconds; told: it tells the objects of running tasks.
	minutes, told bool
	quota         int
	selects       bool
	apart         bool // the manifests have a bucket of their own
	ecsSkew       time.Duration
	instances     []time.Duration // the skew of each
}

// A simImage changes over time.
type simImage struct {
	id       string
	versions []imageChange
}

type imageChange struct {
	at    time.Duration
	image manifest.Image // without an id: deleted
}

// The kinds of invocation.
const (
	simEvent  = "event"
	simTick   = "tick"
	simSweep  = "sweep"
	simHTTP   = "http"
	simForce  = "force"
	simCancel = "cancel"
)

// A simOrder is one invocation, and its repetitions.
type simOrder struct {
	name      string
	kind      string
	at        time.Duration
	image     string
	available bool
	timeout   time.Duration
	instance  int
}

type simOther struct {
	at       time.Duration
	image    string
	duration time.Duration
}

type simTrouble struct {
	from, to time.Duration
	code     string // of ExportImage; empty: there is no bucket
}

// clockSkew is Settings.ClockSkew; every clock is within half of it of the true time.
const clockSkew = 10 * time.Second

func newPlan(c *chance) simPlan {
	p := simPlan{
		chaos:    c.spread(2*time.Minute, 30*time.Minute),
		failing:  pick(c, 0, 0.02, 0.05, 0.1, 0.2),
		slow:     pick(c, 0, 0.02, 0.1, 0.2, 0.5),
		dying:    pick(c, 0, 0.1, 0.3, 0.5),
		freezing: pick(c, 0, 0, 0.1, 0.3, 0.6),
		badTasks: pick(c, 0, 0.1, 0.3, 0.5),
		guarded:  c.of(0.6),
		minutes:  c.of(0.5),
		told:     c.of(0.5),
		quota:    pick(c, 1, 1, 2, 100, 100),
		selects:  c.of(0.3),
		apart:    c.of(0.2),
		ecsSkew:  simSkew(c),
	}
	p.late = p.guarded && c.of(0.5)
	if c.of(0.3) {
		p.staleness = c.spread(time.Second, 20*time.Second)
	}
	for range 1 + c.n(3) {
		p.instances = append(p.instances, simSkew(c))
	}
	for i := range 1 + c.n(4) {
		p.addImage(c, fmt.Sprintf("m-%d", i+1))
	}
	p.addTicks(c)
	p.addTroubles(c)
	return p
}

func simSkew(c *chance) time.Duration {
	if c.of(0.3) {
		return pick(c, -clockSkew/2, clockSkew/2)
	}
	return c.between(-clockSkew/2, clockSkew/2)
}

func (p *simPlan) add(c *chance, o simOrder) {
	o.name = fmt.Sprintf("%s-%d", o.kind, len(p.orders)+1)
	o.instance = c.n(len(p.instances))
	o.timeout = pick(c, 900*time.Second, 300*time.Second, 300*time.Second, 60*time.Second, 10*time.Second, 5*time.Second)
	p.orders = append(p.orders, o)
}

func (p *simPlan) addImage(c *chance, id string) {
	i := simImage{id: id}
	created := c.between(0, p.chaos/2)
	available := created
	image := goodImage(id)
	at := image.CreationTime.Add(created)
	image.CreationTime = &at
	image.Tags = map[string]string{"ferry": "yes"}
	if c.of(0.2) {
		image.Disks = append(image.Disks, manifest.Disk{Device: "/dev/xvdb", Type: "data", SizeGiB: 20})
	}
	if c.of(0.05) {
		image.OSType = "windows"
	}
	if c.of(0.3) {
		creating := image
		creating.Status = "Creating"
		i.versions = append(i.versions, imageChange{created, creating})
		available += c.spread(time.Second, p.chaos/2)
		if c.of(0.1) {
			image.Status = "CreateFailed"
		}
	}
	i.versions = append(i.versions, imageChange{available, image})
	changed := available
	if c.of(0.2) {
		changed += c.spread(time.Second, p.chaos/2)
		image.Tags = map[string]string{"ferry": pick(c, "yes", "no")}
		i.versions[0].image.Tags = map[string]string{"ferry": pick(c, "yes", "no")}
		i.versions = append(i.versions, imageChange{changed, image})
	}
	if c.of(0.15) {
		changed += c.spread(time.Second, p.chaos/2)
		i.versions = append(i.versions, imageChange{at: changed})
	}
	p.images = append(p.images, i)
	p.addOrders(c, id, created, available)
}

// addOrders gives an image its events, late, twice and out of order, and the people who care for it.
func (p *simPlan) addOrders(c *chance, id string, created, available time.Duration) {
	if c.of(0.2) {
		p.add(c, simOrder{kind: simEvent, image: id, at: created + c.spread(time.Millisecond, time.Minute)})
	}
	for range pick(c, 0, 1, 1, 1, 2, 3) {
		late := c.spread(time.Millisecond, time.Second)
		if c.of(0.3) {
			late = c.spread(time.Second, p.chaos/2)
		}
		p.add(c, simOrder{kind: simEvent, image: id, at: available + late, available: true})
	}
	for range pick(c, 0, 0, 0, 1, 2) {
		p.add(c, simOrder{kind: pick(c, simHTTP, simForce, simForce, simCancel), image: id,
			at: created + c.spread(time.Millisecond, p.chaos)})
	}
	for range pick(c, 0, 0, 0, 0, 1, 2) {
		p.others = append(p.others, simOther{image: id, at: created + c.spread(time.Second, p.chaos),
			duration: c.spread(time.Second, p.chaos)})
	}
}

func (p *simPlan) addTicks(c *chance) {
	every := c.spread(10*time.Second, 3*time.Minute)
	every = max(every, p.chaos/16)
	for at := c.between(0, every); at < p.chaos; at += c.between(every/2, every*3/2) {
		for range pick(c, 1, 1, 1, 2) { // FC delivers at least once
			p.add(c, simOrder{kind: simTick, at: at + c.spread(time.Microsecond, 10*time.Second)})
		}
	}
	for range pick(c, 0, 0, 1, 2) {
		p.add(c, simOrder{kind: simSweep, at: c.between(0, p.chaos)})
	}
}

func (p *simPlan) addTroubles(c *chance) {
	for range pick(c, 0, 0, 1, 2) {
		from := c.between(0, p.chaos)
		p.troubles = append(p.troubles, simTrouble{from, min(p.chaos, from+c.spread(time.Second, p.chaos)),
			pick(c, "Throttling.User", "WeeklyQuotaExceed.ExportImage", "NoSetRoletoECSServiceAcount", "ServiceUnavailable",
				"ExportImageFailed", "")})
	}
}
