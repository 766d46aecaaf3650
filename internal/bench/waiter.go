package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/manifest"
)

// A waiter is a program that starts an export and waits for it.
type waiter struct {
	name   string
	first  time.Duration           // before it asks for the first time
	next   func(int) time.Duration // before it asks for the nth time more, counted from 1
	billed Sample                  // milliseconds
	calls  int
}

// waiterKinds are how Terraform's resource and ecctl wait. Terraform's looks first after two minutes, then after 3 seconds,
// twice as many each time, and never more than 10.
func waiterKinds() []waiter {
	return []waiter{
		{name: "a wait like Terraform's", first: 2 * time.Minute, next: func(n int) time.Duration {
			return min(3*time.Second<<min(n-1, 2), 10*time.Second)
		}},
		{name: "a wait like ecctl's", first: 15 * time.Second, next: func(int) time.Duration { return 15 * time.Second }},
	}
}

// waits runs each kind of waiter for one export, all at one time, in scaled time.
func waits(ctx context.Context, l *lab) ([]waiter, error) {
	speed := pick(l, 360.0, 3600)
	s, err := l.open(ctx, stage{speed: speed})
	if err != nil {
		return nil, err
	}
	defer s.end()
	transport := alicloud.NewTransport()
	defer transport.CloseIdleConnections()
	session, err := s.session(transport)
	if err != nil {
		return nil, err
	}
	waiters := waiterKinds()
	g, ctx := errgroup.WithContext(ctx)
	for i := range waiters {
		// 10 minutes for 40 GiB.
		id := s.ECS.AddImage(ecsd.Image{Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40 * int(exportTakes/(10*time.Minute))}}})
		g.Go(func() error { return waiters[i].wait(ctx, session, id, s.settings, speed) })
	}
	return waiters, g.Wait()
}

func (w *waiter) wait(ctx context.Context, session *alicloud.Session, imageID string, settings export.Settings, speed float64) error {
	begun := time.Now()
	accepted, err := session.ECS.Export(ctx, export.Request{ImageID: imageID, Role: settings.Role, Destination: manifest.Destination{
		Region: settings.Destination.Region, Bucket: settings.Destination.Bucket, Prefix: "waiter", Format: "raw",
	}})
	if err != nil {
		return err
	}
	w.calls = 1
	for pause := w.first; ; pause = w.next(w.calls - 1) {
		timer := time.NewTimer(time.Duration(float64(pause) / speed))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		w.calls++
		tasks, err := session.ECS.Tasks(ctx, []string{accepted.TaskID})
		switch {
		case err != nil:
			return err
		case len(tasks) != 1 || tasks[0].Status == ecsd.TaskFailed:
			return fmt.Errorf("wait for %s: it has failed, or is not there", accepted.TaskID)
		case tasks[0].Status == ecsd.TaskFinished:
			w.billed = sampleOf(milliseconds(time.Since(begun)) * speed)
			return nil
		}
	}
}
