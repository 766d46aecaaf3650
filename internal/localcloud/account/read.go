package account

import "strings"

// Role returns the trust policy and the permissions of a role, and whether it exists.
func (d *Directory) Role(name string) (trust Policy, permissions []Policy, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, ok := d.roles[strings.ToLower(name)]
	return r.trust, append([]Policy(nil), r.permissions...), ok
}
