package account

import "sync"

// A realm is the accounts of one cloud, by their ids.
type realm struct {
	mu       sync.RWMutex
	accounts map[string]*Directory
}

// Open returns another account of the same cloud, without users and roles when it is new. An access key of any account is
// known in all of them, and each decides what its own identities may do.
func (d *Directory) Open(id string) *Directory {
	d.realm.mu.Lock()
	defer d.realm.mu.Unlock()
	other := d.realm.accounts[id]
	if other == nil {
		other = empty(id, d.realm)
		d.realm.accounts[id] = other
	}
	return other
}

// Account finds an account of the same cloud.
func (d *Directory) Account(id string) (*Directory, bool) {
	d.realm.mu.RLock()
	defer d.realm.mu.RUnlock()
	other, ok := d.realm.accounts[id]
	return other, ok
}

// all are the accounts of the cloud.
func (d *Directory) all() []*Directory {
	d.realm.mu.RLock()
	defer d.realm.mu.RUnlock()
	var all []*Directory
	for _, other := range d.realm.accounts {
		all = append(all, other)
	}
	return all
}
