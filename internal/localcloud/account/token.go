package account

import (
	"maps"
	"slices"
)

// IssuedToken tells whether the security token was issued to any identity of this account, expired or not: a service
// tells a token that it never saw from one that belongs to another access key.
func (d *Directory) IssuedToken(token string) bool {
	if token == "" {
		return false
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, identity := range d.keys {
		if identity.Token == token {
			return true
		}
	}
	return false
}

// Issued returns every identity that keys were issued for, expired ones too, in no order.
func (d *Directory) Issued() []Identity {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Collect(maps.Values(d.keys))
}
