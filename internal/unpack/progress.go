package unpack

import "sync"

// Progress counts bytes. Everything that is unpacked is sent, copied or kept in the end.
type Progress struct {
	// Read of ReadTotal bytes of the source; what is read again after a broken connection counts once.
	Read, ReadTotal int64
	// Unpacked of UnpackedTotal bytes of the file; the total is 0 until the archive's header is read.
	Unpacked, UnpackedTotal int64
	// Sent to the store in parts and in the object of zeros; Copied from it on the server; Kept from an earlier run.
	Sent, Copied, Kept int64
	// Parts of the target that are stored by now.
	Parts int
}

// A meter keeps the progress of a run.
type meter struct {
	lock   sync.Mutex
	now    Progress
	report func(Progress)
}

// add changes the progress and reports it.
func (m *meter) add(change func(*Progress)) {
	m.lock.Lock()
	defer m.lock.Unlock()
	change(&m.now)
	if m.report != nil {
		m.report(m.now)
	}
}

func (m *meter) progress() Progress {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.now
}
