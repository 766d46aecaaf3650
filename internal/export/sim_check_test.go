package export

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// What is asserted while a scenario runs. Each check is called with the simulation's lock held, at the instant at which the
// call that it judges is applied.

// checkSecret: nothing that is written or said shows a signed URL.
func (s *simulation) checkSecret(what, text string) {
	if strings.Contains(text, simSecret) {
		s.violate("%s shows a secret: %s", what, text)
	}
}

// checkRevision: revisions are dense, immutable and valid, and a terminal state is left by a request only.
func (s *simulation) checkRevision(key string, data []byte) {
	s.checkSecret("create "+key, string(data))
	m, err := manifest.Decode(data)
	if err != nil {
		s.violate("create %s: %v", key, err)
		return
	}
	if s.strict {
		if err := manifesttest.Validate(data); err != nil {
			s.violate("create %s: %v", key, err)
		}
	}
	if want := revisionKey(m, m.Revision); key != want {
		s.violate("create %s: the revision belongs to %s", key, want)
	}
	head := s.store.heads[m.Image.ID]
	switch {
	case head == nil && m.Revision != 1, head != nil && m.Revision != head.Revision+1:
		s.violate("create %s: a gap", key)
	case head != nil && head.State.Terminal() && (m.State != manifest.Submitting || !s.forced[m.Trigger.RequestID] || m.Trigger == head.Trigger):
		s.violate("%s went from %s to %s without a request", m.Image.ID, head.State, m.State)
	}
	if m.Reason != "" && m.Remedy != reasons[m.Reason].Remedy {
		s.violate("%s is %s with the remedy %q", m.Image.ID, m.Reason, m.Remedy)
	}
	if m.State == manifest.Exported {
		s.checkExported(m)
	}
	s.store.heads[m.Image.ID] = m
	s.revisions++
	s.trail("%s is now revision %d: %s %s", m.Image.ID, m.Revision, m.State, m.Reason)
}

// checkExported: every object that ECS reported exists with the recorded facts.
func (s *simulation) checkExported(m *manifest.Manifest) {
	s.ecs.settle()
	system := 0
	for _, o := range m.Objects {
		there, ok := s.ecs.objects[o.Bucket+"/"+o.Key]
		if !ok || o.Size != there.info.Size || o.CRC64 != there.info.CRC64 || o.ETag != there.info.ETag || o.Size == 0 {
			s.violate("%s is exported with %+v, OSS has %+v", m.Image.ID, o, there.info)
		}
		if o.Role == "system" {
			system++
		}
	}
	if image, _ := s.ecs.image(m.Image.ID); system != 1 || len(m.Objects) < len(image.Disks) {
		s.violate("%s is exported with %+v", m.Image.ID, m.Objects)
	}
}

// checkManifest: what is published is in the journal.
func (s *simulation) checkManifest(key string, data []byte) {
	image := strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], ".json")
	head := s.store.heads[image]
	if head != nil && key == testLayout.Manifest(head.Destination, image) {
		for n := head.Revision; n > 0; n-- {
			if bytes.Equal(data, s.store.get(revisionKey(head, n))) {
				return
			}
		}
	}
	s.violate("put %s: the journal of %s has no such revision: %s", key, image, data)
}

func revisionKey(m *manifest.Manifest, n int) string {
	return fmt.Sprintf("%s%08d.json", testLayout.Journal(m.Destination, m.Image.ID), n)
}

// checkMarkers: to an export that is not over leads at least one marker, at every moment after the first was there.
func (s *simulation) checkMarkers(image, after string) {
	if head := s.store.heads[image]; head != nil && !head.State.Terminal() && len(s.store.markers[image]) == 0 {
		s.violate("%s is %s and nothing leads there, after %s", image, head.State, after)
	}
}

// checkExport: ExportImage is called on the strength of a revision, and of a marker that leads here should we die.
func (s *simulation) checkExport(p *simProcess, r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := s.store.heads[r.ImageID]
	if p.dead() {
		return
	}
	if head == nil || head.State != manifest.Submitting {
		s.violate("%s calls ExportImage for %s, which is %s", p.name, r.ImageID, describe(head))
	}
	if len(s.store.markers[r.ImageID]) == 0 {
		s.violate("%s calls ExportImage for %s, and no marker leads there", p.name, r.ImageID)
	}
}

// checkAccepted: ECS accepts an export only if the journal knows how every earlier one has ended. So there are never two,
// one after the other or at once.
func (s *simulation) checkAccepted(accepted *simTask) {
	head := s.store.heads[accepted.image]
	for _, t := range s.ecs.tasks {
		if t == accepted || !t.ours || t.image != accepted.image {
			continue
		}
		if t.live(time.Now()) {
			s.violate("task %s of %s is accepted while task %s is live", accepted.id, t.image, t.id)
		} else if a := attemptOf(head, t.id); !s.tracelessly(t) && (a == nil || a.EndedAt == nil) {
			s.violate("task %s of %s is accepted, and nobody knows the end of task %s: %s", accepted.id, t.image, t.id, describe(head))
		}
	}
}

// tracelessly tells whether a task has ended without a trace that one could find.
func (s *simulation) tracelessly(t *simTask) bool {
	now := time.Now()
	return !t.known(now) || t.status(now) == "Deleted"
}

func attemptOf(m *manifest.Manifest, task string) *manifest.Attempt {
	if m == nil {
		return nil
	}
	for i := range m.Attempts {
		if m.Attempts[i].TaskID == task {
			return &m.Attempts[i]
		}
	}
	return nil
}

// checkAcknowledged: what was acknowledged is in the journal, and is carried on.
func (s *simulation) checkAcknowledged(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkSecret("result", fmt.Sprint(r))
	if r.State == "" {
		if r.Reason != notSelected && r.Reason != imageNotFound {
			s.violate("an order for %s is acknowledged: %+v", r.ImageID, r)
		}
		return
	}
	if s.store.heads[r.ImageID] == nil {
		s.violate("an order for %s is acknowledged, and has no journal: %+v", r.ImageID, r)
	}
	s.acknowledged[r.ImageID] = true
	s.checkMarkers(r.ImageID, "the acknowledgement")
}

// What is asserted when everything has come to rest.

func (s *simulation) checkEnd() {
	s.ecs.settle()
	for _, i := range s.plan.images {
		s.checkImage(i.id)
	}
	for _, t := range s.ecs.tasks {
		if t.ours && !s.tracelessly(t) && attemptOf(s.store.heads[t.image], t.id) == nil {
			s.violate("the journal never learned of task %s of %s: %s", t.id, t.image, describe(s.store.heads[t.image]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.store.objects)) {
		if o := s.store.objects[key]; o.data != nil && strings.HasPrefix(key, string(testLayout)+"active/") && !outlasts(key) {
			s.violate("%s stays", key)
		}
	}
}

// checkEnding: what the index says of an end is what a revision says.
func (s *simulation) checkEnding(key string) {
	for _, head := range s.store.heads {
		for revision := 1; revision <= head.Revision; revision++ {
			m, err := manifest.Decode(s.store.get(revisionKey(head, revision)))
			if err != nil {
				continue
			}
			if ending, over := manifest.EndingOf(m); over && testLayout.EndingKey(ending) == key {
				return
			}
		}
	}
	s.violate("%s is the end of no export", key)
}

func (s *simulation) checkImage(id string) {
	image, there := s.ecs.image(id)
	wanted := there && image.Status == "Available" && (!s.plan.selects || image.Tags["ferry"] == "yes")
	head := s.store.heads[id]
	switch {
	case head == nil && wanted:
		s.violate("%s is wanted and has no export", id)
	case head == nil && s.acknowledged[id]:
		s.violate("%s was acknowledged and has no export", id)
	case head == nil, !wanted && s.forgotten(id, head):
		return
	case !head.State.Terminal():
		s.violate("%s stays %s", id, describe(head))
	case head.State == manifest.Cancelled && !s.cancelled[id] && !s.stopped(id):
		s.violate("%s is cancelled, and nobody has asked for it", id)
	case head.State != manifest.Exported && (head.Reason == "" || head.Remedy == ""):
		s.violate("%s is %s for no reason", id, head.State)
	}
	if head == nil {
		return // it was said
	}
	if ending, over := manifest.EndingOf(head); over && s.store.get(testLayout.EndingKey(ending)) == nil {
		s.violate("the end of %s is not in the index: %s", id, describe(head))
	}
	if published := s.store.get(testLayout.Manifest(head.Destination, id)); !bytes.Equal(published, s.store.get(revisionKey(head, head.Revision))) {
		m, _ := manifest.Decode(published)
		s.violate("the manifest of %s is %s, the journal ends with revision %d: %s", id, describe(m), head.Revision, describe(head))
	}
}

// forgotten tells whether an export is nothing but an intent that nobody was told of: the one place from which an order may
// vanish is between revision 1 and its marker, and FC knows that the order has failed.
func (s *simulation) forgotten(id string, head *manifest.Manifest) bool {
	return head.State == manifest.Submitting && head.Revision == 1 && !s.acknowledged[id] && len(s.store.markers[id]) == 0 &&
		!slices.ContainsFunc(s.ecs.tasks, func(t *simTask) bool { return t.ours && t.image == id })
}

// stopped tells whether somebody has cancelled a task of the image in ECS.
func (s *simulation) stopped(id string) bool {
	return slices.ContainsFunc(s.ecs.tasks, func(t *simTask) bool { return t.image == id && t.fault == taskStops })
}
