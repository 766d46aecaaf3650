package account

import (
	"maps"
	"slices"
)

// IssuedToken tells whether the security token was issued to any identity of the cloud, expired or not: a service
// tells a token that it never saw from one that belongs to another access key.
func (d *Directory) IssuedToken(token string) bool {
	return token != "" && slices.ContainsFunc(d.Issued(), func(identity Identity) bool { return identity.Token == token })
}

// Issued returns every identity of the cloud that keys were issued for, expired ones too, in no order.
func (d *Directory) Issued() []Identity {
	var all []Identity
	for _, account := range d.all() {
		account.mu.RLock()
		all = slices.AppendSeq(all, maps.Values(account.keys))
		account.mu.RUnlock()
	}
	return all
}
