package eventbus_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imageferry/internal/localcloud/eventbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A recorder keeps what is delivered to it.
type recorder struct {
	mu     sync.Mutex
	bodies []map[string]any
}

func (r *recorder) deliver(body []byte) {
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, m)
}

func newBus() *eventbus.Bus {
	return eventbus.New("cn-hangzhou", "1234567890123456", slog.New(slog.DiscardHandler))
}

func subscribe(t *testing.T, b *eventbus.Bus, pattern string) *recorder {
	t.Helper()
	r := &recorder{}
	if err := b.Subscribe([]byte(pattern), r.deliver); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestImageStateChangedReachesBothKindsOfSubscriber(t *testing.T) {
	t.Parallel()
	b := newBus()
	wanted := subscribe(t, b, `{"source":["acs.ecs"],"type":[{"suffix":":Image:StateChange"}]}`)
	unwanted := subscribe(t, b, `{"type":["ecs:ActionTrail:ApiCall"]}`)
	monitor := &recorder{}
	if err := b.SubscribeCloudMonitor(monitor.deliver); err != nil {
		t.Fatal(err)
	}
	b.ImageStateChanged("m-1", "Available")
	b.Close()

	if len(wanted.bodies) != 1 || len(unwanted.bodies) != 0 || len(monitor.bodies) != 1 {
		t.Fatalf("delivered %d, %d and %d events, want 1, 0 and 1", len(wanted.bodies), len(unwanted.bodies), len(monitor.bodies))
	}
	event := wanted.bodies[0]
	data, _ := event["data"].(map[string]any)
	if data["imageId"] != "m-1" || data["currentState"] != "Available" || event["aliyuneventbusname"] != "default" {
		t.Errorf("unexpected event %v", event)
	}
	if _, err := time.Parse(time.RFC3339, event["time"].(string)); err != nil {
		t.Errorf("time: %v", err)
	}
	body := monitor.bodies[0]
	if body["name"] != "Image:StateChange" || body["resourceId"] != "acs:ecs:cn-hangzhou:1234567890123456:image/m-1" {
		t.Errorf("unexpected notification %v", body)
	}
}

func TestCloudMonitorWritesTimeInItsOwnForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 4, 10, 8, 1, 1, 922e6, time.UTC)
	var body struct{ EventTime string }
	if err := json.Unmarshal(eventbus.CloudMonitorBody("cn-hangzhou", "1234567890123456", "m-1", "Available", at), &body); err != nil {
		t.Fatal(err)
	}
	if body.EventTime != "20240410T160101.922+0800" {
		t.Errorf("eventTime is %s", body.EventTime)
	}
}

func TestAPICalledPublishesWritesOnly(t *testing.T) {
	t.Parallel()
	b := newBus()
	calls := subscribe(t, b, `{"type":["ecs:ActionTrail:ApiCall"],"data":{"eventName":["CreateImage","DescribeImages"]}}`)
	b.APICalled(eventbus.APICall{EventName: "DescribeImages"})
	b.APICalled(eventbus.APICall{
		EventName: "CreateImage", RequestID: "R-1", ResponseElements: map[string]any{"ImageId": "m-1"},
		ReferencedResources: map[string][]string{"ACS::ECS::Image": {"m-1"}},
		PrincipalARN:        "acs:ram::1234567890123456:user/builder", PrincipalType: "ram-user",
		AccountID: "1234567890123456", Region: "cn-hangzhou", Time: time.Unix(0, 0),
	})
	b.Close()
	if len(calls.bodies) != 1 {
		t.Fatalf("delivered %d events, want 1", len(calls.bodies))
	}
	data := calls.bodies[0]["data"].(map[string]any)
	if data["eventName"] != "CreateImage" || data["eventRW"] != "Write" || data["acsRegion"] != "cn-hangzhou" {
		t.Errorf("unexpected data %v", data)
	}
	if _, failed := data["errorCode"]; failed {
		t.Errorf("a successful call has an errorCode")
	}
	if user := data["userIdentity"].(map[string]any)["userName"]; user != "builder" {
		t.Errorf("userName is %v", user)
	}
}

func TestDuplicateDeliversTheSameEventTwice(t *testing.T) {
	t.Parallel()
	b := newBus()
	r := subscribe(t, b, `{}`)
	b.SetDuplicate(true)
	b.ImageStateChanged("m-1", "Available")
	b.Close()
	if len(r.bodies) != 2 || r.bodies[0]["id"] != r.bodies[1]["id"] {
		t.Errorf("got %v, want one event twice", r.bodies)
	}
}

func TestClosedBusDeliversNothing(t *testing.T) {
	t.Parallel()
	b := newBus()
	r := subscribe(t, b, `{}`)
	b.Close()
	b.ImageStateChanged("m-1", "Available")
	if len(r.bodies) != 0 {
		t.Errorf("delivered %v", r.bodies)
	}
	if err := b.Subscribe([]byte(`{}`), r.deliver); !errors.Is(err, eventbus.ErrClosed) {
		t.Errorf("subscribe: %v, want ErrClosed", err)
	}
}
